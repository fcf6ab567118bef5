"""Files of every kind, damaged at random: each is read, or refused in words; nothing else happens.

``WORKBENCH_CHAOS`` is a factor for how many there are (1: some twenty seconds). What is made depends on nothing but the number
of the file, so that one that fails can be made again.
"""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from chaos.mutate import mutate
from engine.small_runs import saved_run
from experiments.small import DATA, finish, record

from workbench.experiments.store import Store
from workbench.runs.training import Source

FACTOR = float(os.environ.get("WORKBENCH_CHAOS", "1"))
FILES = max(1, round(60 * FACTOR))  # of each kind
LIMIT = 300.0 * max(FACTOR, 1.0)  # seconds for all of a kind: nothing waits for ever
ROWS = 32

# Reads every file named on standard input in one process, with a lid on its memory, and says how each ended.
READER = textwrap.dedent("""
    import json, os, resource, sys, traceback
    from pathlib import Path
    import h5py  # which asks the system what machine it is on
    from chaos.readers import READERS
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 700 * 2**20,) * 2)
    started = []
    sys.addaudithook(lambda name, args: started.append(name) if name in ("os.system", "subprocess.Popen", "os.exec") else None)
    for line in sys.stdin:
        path, kind = json.loads(line)
        try:
            READERS[kind](Path(path))
            how = "read"
        except (ValueError, OSError, FloatingPointError) as error:
            said = str(error)
            odd = [c for c in said if not c.isprintable() and c != chr(10)]
            how = "refused" if len(said) < 3000 and not odd else f"odd words: {said[:200]!r} ({len(said)})"
        except BaseException as error:
            how = "TRACEBACK " + "".join(traceback.format_exception(error))[-1500:]
        if started:
            how = f"RAN {started}"
            started.clear()
        print(json.dumps(how), flush=True)
""")


def dataset(path: Path) -> Path:
    columns = {
        "observations": np.zeros((ROWS, 2), "f4"),
        "actions": np.zeros((ROWS, 2), "f4"),
        "rewards": np.zeros(ROWS, "f4"),
        "terminals": np.arange(ROWS) % 8 == 7,
    }
    if path.suffix == ".hdf5":
        with h5py.File(path, "w") as file:
            for name, array in columns.items():
                file.create_dataset(name, data=array, chunks=True, compression="gzip" if name == "actions" else None)
    else:
        np.savez_compressed(path, **columns, next_observations=columns["observations"])
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """A valid folder or file of each kind, and the file in it that is damaged."""
    root = tmp_path_factory.mktemp("whole")
    saved_run(root / "run")
    (root / "run" / "source.json").write_text(json.dumps(vars(Source(None, 0, False))))
    store = Store(root / "store", create=True)
    store.note_sweep({"data": DATA}, "workbench sweep", [record("a" * 20), record("b" * 20)])
    finish(store, "a" * 20)
    store.fail(record("b" * 20), "it broke", "Traceback")
    (root / "store" / "owners.jsonl").write_text(json.dumps({"owner": "x", "keys": ["a" * 20]}) + "\n")
    (root / "users").mkdir()
    (root / "users" / "users.json").write_text('{"ann": "her password", "ben": "his"}')
    (root / "board").mkdir()
    score = {
        "rule": "qgf",
        "return": 0.5,
        "low": 0.4,
        "high": 0.6,
        "w2": 0.01,
        "valid": True,
        "when": "2026-01-01 00:00:00",
    }
    (root / "board" / "ann.json").write_text(json.dumps({"participant": "ann", "scores": [score]}))
    about = {
        "task": "bandit2d",
        "settings": {},
        "rules": [],
        "owner": "x",
        "shared": True,
        "created": 1.0,
        "data": False,
    }
    (root / "trainings" / "one" / "run").mkdir(parents=True)
    (root / "trainings" / "one" / "about.json").write_text(json.dumps(about))
    report = {"step": 1, "total": 2, "phase": "x", "losses": {"flow": 0.5}, "steps_per_second": 1.0, "eta_seconds": 1.0}
    (root / "trainings" / "one" / "run" / "progress.jsonl").write_text((json.dumps(report) + "\n") * 3)
    for name in ("npz", "hdf5"):
        (root / name).mkdir()
        dataset(root / name / f"data.{name}")
    (state,) = (root / "run").glob("state-*")
    (episodes,) = (root / "store" / "runs" / ("a" * 20)).glob("episodes-*")
    (sweep,) = (root / "store" / "sweeps").iterdir()
    files = {
        "run": ["run.json", state.name, "source.json"],
        "sealed": ["run.json", state.name],
        "store": [
            "store.json", "index.jsonl", "owners.jsonl", f"sweeps/{sweep.name}", f"runs/{'a' * 20}/{episodes.name}",
            *(f"runs/{'a' * 20}/{name}" for name in ("job.json", "result.json", "metrics.jsonl")),
            *(f"runs/{'b' * 20}/{name}" for name in ("job.json", "failed.json", "metrics.jsonl")),
        ],
        "users": ["users.json"], "board": ["ann.json"], "npz": ["data.npz"], "hdf5": ["data.hdf5"],
        "trainings": ["one/about.json", "one/run/progress.jsonl"],
    }  # fmt: skip
    return {
        f"{kind}:{name}": (root / ("run" if kind == "sealed" else kind), name)
        for kind, names in files.items()
        for name in names
    }


def reseal(folder: Path) -> None:
    """Seal run.json as a program that knows the format would, and name the state file's hash in it."""
    if any(not path.is_file() or path.is_symlink() or path.stat().st_size > 2**24 for path in folder.iterdir()):
        return
    try:
        found = json.loads((folder / "run.json").read_bytes())
        found.pop("seal", None)
        for path in folder.glob("state-*"):
            found["state"] = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        plain = json.dumps(found, sort_keys=True, separators=(",", ":")).encode()
        (folder / "run.json").write_text(json.dumps(found | {"seal": hashlib.sha256(plain).hexdigest()}))
    except (ValueError, TypeError, AttributeError, OSError, RecursionError):
        return  # no record any more


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_damaged_files_are_read_or_refused_in_words(
    whole: dict[str, tuple[Path, str]], tmp_path: Path, figures: Counter[str]
) -> None:
    by_kind: dict[str, list[str]] = {}
    for name in whole:
        by_kind.setdefault(name.partition(":")[0], []).append(name)
    asked = []
    for kind, names in by_kind.items():
        for number in range(FILES):
            name = names[number % len(names)]
            folder, file = whole[name]
            copy = tmp_path / f"{kind}-{number}"
            shutil.copytree(folder, copy)
            mutate(copy / file, random.Random(f"{name} {number}"))
            if kind == "sealed":
                reseal(copy)
            if kind == "store" and number % 3 and file != "index.jsonl":
                (copy / "index.jsonl").unlink()
            what = copy / file if kind in ("npz", "hdf5", "users") else copy
            asked.append((f"{name} {number}", json.dumps([str(what), kind])))
    tests = Path(__file__).resolve().parents[1]
    places = f"{tests}:{os.environ.get('PYTHONPATH', '')}:{tests.parent}"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": places}
    done = subprocess.run(
        [sys.executable, "-c", READER], input="\n".join(line for _, line in asked) + "\n",
        capture_output=True, text=True,         timeout=LIMIT, env=environment, cwd=tmp_path,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    last = asked[min(len(answers), len(asked) - 1)][0]
    assert len(answers) == len(asked), f"the reader ended at {last}: {done.returncode} {done.stderr[-500:]}"
    counts = Counter(answer.partition(" ")[0] for answer in answers)
    figures.update({"files": len(asked), "refusals": counts["refused"]})
    figures.update({"tracebacks": counts["TRACEBACK"], "code run": counts["RAN"]})
    bad = [
        f"{name}: {answer}"
        for (name, _), answer in zip(asked, answers, strict=True)
        if answer not in ("read", "refused")
    ]
    assert not bad, "\n".join(bad[:5])
    assert counts["refused"] > len(asked) // 4, "hardly anything was damaged"


def test_the_mutations_are_the_same_every_time(tmp_path: Path) -> None:
    found = []
    for turn in range(2):
        path = tmp_path / f"{turn}.json"
        path.write_text('{"a": [1, 2, {"b": "c"}], "d": 1.5}')
        mutate(path, random.Random("x"))
        found.append(path.read_bytes() if path.is_file() and not path.is_symlink() else b"")
    assert found[0] == found[1]
