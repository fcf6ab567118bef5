"""kill -9 at random moments, and Ctrl-C: the run is resumed and ends in the same bytes."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from figures import times

from workbench.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.chaos]

STEPS, KILLS, EARLY = (
    times(2000),
    times(10),
    3,
)  # the first kills come during start-up, the others while it trains and saves
LIMIT = 60.0  # seconds until something must have happened


def flags(data: Path) -> list[str]:
    return [
        "three_exits",
        "--data",
        str(data),
        "--steps",
        str(STEPS),
        "--set",
        "hidden=[16,16]",
        "batch_size=16",
        "schedule=cosine",
    ]


def start(root: Path, run: Path, data: Path, save_every: int) -> subprocess.Popen[str]:
    """``workbench fit``, with --resume once there is a run."""
    args = [
        sys.executable,
        "-m",
        "workbench.cli",
        "fit",
        *flags(data),
        "--out",
        str(run),
        "--save-every",
        str(save_every),
    ]
    return subprocess.Popen(
        [*args, "--resume"] if run.exists() else args,
        env=os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def saved_step(run: Path) -> int:
    return int(json.loads((run / "run.json").read_bytes())["step"]) if run.exists() else -1


def wait_until(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not ready():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)


def digests(run: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in run.iterdir()
        if path.name != "progress.jsonl"
    }


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, str]:
    """Hashes of the files of a run that nothing disturbed."""
    run = tmp_path_factory.mktemp("whole") / "run"
    main(["fit", *flags(data), "--out", str(run)])
    found = digests(run)
    assert len(found) == 3  # run.json, source.json, the state
    return found


def test_kill_9(root: Path, tmp_path: Path, data: Path, uninterrupted: dict[str, str], figures: Counter[str]) -> None:
    rng, run, reached = random.Random(0), tmp_path / "run", []
    for kill in range(KILLS):
        process = start(root, run, data, save_every=3)
        if kill < EARLY:
            time.sleep(rng.uniform(0.1, 2.0))
        else:
            before = saved_step(run)
            wait_until(process, lambda before=before: saved_step(run) > max(before, 0))
            time.sleep(rng.uniform(0.0, 0.2))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        figures["kills"] += 1
        if run.exists():
            reached.append(saved_step(run))
    assert reached == sorted(reached)
    assert len(reached) >= KILLS - EARLY
    assert 0 < reached[-1] < STEPS
    process = start(root, run, data, save_every=1000)
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, err
    assert f"trained {STEPS:,} steps" in out
    figures["lost"] += digests(run) != uninterrupted
    assert digests(run) == uninterrupted  # the same bytes, and no litter
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    reports = [json.loads(line)["step"] for line in (run / "progress.jsonl").read_text().splitlines()]
    assert reports == sorted(set(reports))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c(root: Path, tmp_path: Path, data: Path, uninterrupted: dict[str, str], number: int) -> None:
    run = tmp_path / "run"
    process = start(root, run, data, save_every=50)
    wait_until(process, lambda: saved_step(run) > 0)
    process.send_signal(number)
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, err
    assert out == ""
    step = saved_step(run)
    assert 0 < step < STEPS
    assert f"stopped at step {step:,}, saved; go on with: workbench fit three_exits --out {run} --resume" in err
    assert "Traceback" not in err
    process = start(root, run, data, save_every=1000)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, err
    assert digests(run) == uninterrupted
