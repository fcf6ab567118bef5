"""Files that visitors bring: what a name may be, how much is taken, what is left when all is over, and processes that read."""

import json
import pickle
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from engine.data.formats.writers import made, robomimic
from engine.published_trees import full_names, nets_of, tree_of

from workbench.engine.data.npz import write_arrays
from workbench.engine.training.loop.checkpoint import load_run
from workbench.engine.words import UserError
from workbench.runs import bring, brought
from workbench.runs.bring import MIB, Errand, Shelf, safe_name
from workbench.runs.brought import ANSWER, ORDER, is_weights


def done(errand: Errand, seconds: float = 120.0) -> dict:
    deadline = time.monotonic() + seconds
    while errand.look() != "done":
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return errand.answer()


def asked(folder: Path, **order: object) -> dict:
    """The answer of an errand, in this process."""
    (folder / ORDER).write_text(json.dumps(order))
    brought.main(folder)
    return json.loads((folder / ANSWER).read_text())


@pytest.mark.parametrize(
    "name", ["a.npz", "low dim.hdf5", "set/data/chunk-000/episode_000000.parquet", ".zgroup", "a/.zarray", "köln.csv"]
)
def test_plain_names_are_taken(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../a",
        "a/../../b",
        "a/..",
        "C:" + "\\a",
        "a\\..\\b",
        "a:b",
        "a\0b",
        "a\nb",
        "x" * 300,
        "a/" * 9 + "b",
    ],
)
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    shelf = Shelf()
    upload = shelf.open()
    before = {path for path in upload.folder.parent.iterdir()}
    with pytest.raises(UserError, match="no name of a file"):
        upload.add(name, b"x")
    assert {path for path in upload.folder.parent.iterdir() if path not in before} == set()
    assert list(upload.folder.rglob("*")) == []
    shelf.close()
    assert not upload.folder.exists()


def test_pieces_follow_each_other_within_limits() -> None:
    shelf = Shelf(most=3 * MIB)
    first = shelf.open(most=2 * MIB)
    first.add("a.npz", b"ab")
    first.add("a.npz", b"cd")
    assert first.path().read_bytes() == b"abcd"
    with pytest.raises(UserError, match="more than 2 MiB, the most that this page takes"):
        first.add("a.npz", bytes(2 * MIB))
    first.add("a.npz", bytes(MIB))
    second = shelf.open()
    with pytest.raises(UserError, match="this server holds 1 MiB of visitors' files, 3 at most"):
        second.add("b", bytes(3 * MIB))
    first.close()
    second.add("b", bytes(2 * MIB))  # there is room again
    assert not first.folder.exists()
    shelf.close()


def test_what_the_files_are_together(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    for names, wanted in (
        (("a.npz",), "a.npz"),
        (("params_1.pkl", "flags.json"), "params_1.pkl"),
        (("set/meta/info.json", "set/data/chunk-000/a.parquet"), "set"),
        (("a-000.npz", "a-001.npz"), ""),
    ):
        upload = shelf.open()
        for name in names:
            upload.add(name, b"x")
        assert upload.path() == upload.folder / wanted
    with pytest.raises(UserError, match="nothing was sent"):
        shelf.open().path()
    monkeypatch.setattr(bring, "MOST_FILES", 2)
    with pytest.raises(UserError, match="more than 2 files"):
        upload.add("one-more", b"x")
    shelf.close()


def test_weights_are_told_from_data(tmp_path: Path) -> None:
    data, weights, damaged = tmp_path / "data.npz", tmp_path / "weights.npz", tmp_path / "damaged.npz"
    write_arrays(data, made())
    np.savez(weights, **full_names("qgf", nets_of("qgf", (4, 2, (8,), 2))))
    damaged.write_bytes(b"PK\x03\x04")
    (tmp_path / "bare").write_bytes(pickle.dumps({}))
    assert [is_weights(path) for path in (data, weights, damaged, tmp_path / "bare", tmp_path)] == [
        False,
        True,
        False,
        True,
        False,
    ]


def test_a_file_is_read_in_a_process_with_little_memory(tmp_path: Path) -> None:
    path = robomimic(tmp_path, made())
    errand = Errand({"do": "look", "path": str(path)}, {tmp_path: ""})
    assert errand.look() == "running"
    if sys.platform.startswith("linux"):
        child = psutil.Process(errand._child.pid)
        assert child.rlimit(psutil.RLIMIT_DATA) == (bring.MEMORY, bring.MEMORY)
    answer = done(errand)
    assert answer["about"]["format"] == "robomimic HDF5"
    assert answer["choices"] == {"observations": ["a_grip", "b_pos"]}
    assert sum(answer["lengths"]["counts"][0]) == answer["about"]["episodes"]
    assert not errand.folder.exists()


def test_a_refusal_names_no_place_of_the_server(tmp_path: Path) -> None:
    path = tmp_path / "cut.npz"
    path.write_bytes(b"PK\x03\x04 nothing")
    errand = Errand({"do": "look", "path": str(path)}, {tmp_path: ""})
    with pytest.raises(UserError, match=r"^cut.npz: not a readable npz archive"):
        done(errand)


def test_no_answer_names_a_place_of_the_server(tmp_path: Path) -> None:
    """Not only refusals: notes, and what is asked of a table whose columns nobody can guess."""
    path = tmp_path / "table.csv"
    path.write_text("x,y,u,end\n1,2,0.5,1\n")
    answer = done(Errand({"do": "look", "path": str(path)}, {tmp_path: ""}))
    assert answer["refused"].startswith("table.csv: no column looks like observations")
    plain = made() | {"terminals": np.zeros(12)}  # nothing says where episodes end: that is guessed, and said
    write_arrays(
        tmp_path / "jumps.npz", {name: plain[name] for name in ("observations", "actions", "rewards", "terminals")}
    )
    answer = done(Errand({"do": "look", "path": str(tmp_path / "jumps.npz")}, {tmp_path: ""}))
    assert str(tmp_path) not in json.dumps(answer)
    assert any(note.startswith("jumps.npz: has neither") for note in answer["about"]["notes"])


def test_one_waits_while_others_read_and_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bring, "MOST_ERRANDS", 1)
    path = robomimic(tmp_path, made())
    first, second = (Errand({"do": "look", "path": str(path)}) for _ in range(2))
    assert (first.look(), second.look()) == ("running", "waiting")
    pid = first._child.pid
    first.cancel()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert not first.folder.exists()
    assert done(second)["kind"] == "dataset"


def test_one_that_ends_or_takes_too_long_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = robomimic(tmp_path, made())
    killed = Errand({"do": "look", "path": str(path)})
    killed._child.kill()
    with pytest.raises(UserError, match=r"ended \(signal SIGKILL\), perhaps for want of memory; nothing was kept"):
        done(killed)
    monkeypatch.setattr(bring, "PATIENCE", 0.0)
    with pytest.raises(UserError, match="took more than 0 minutes"):
        done(Errand({"do": "look", "path": str(path)}))


def test_orders_that_are_none_and_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "'do'" in asked(tmp_path, do="run", path="x")["refused"]
    monkeypatch.setitem(brought.DOINGS, "look", lambda order, tell: 1 / 0)
    assert asked(tmp_path, do="look", path="x") == {"fault": "ZeroDivisionError: division by zero"}


@pytest.mark.parametrize("task", ["gym/os:x", "minari/x/y-v0", "../x", "data/../x", "no_such"])
def test_a_checkpoint_is_imported_for_listed_tasks_alone(tmp_path: Path, task: str) -> None:
    path, out = tmp_path / "params_5.pkl", tmp_path / "run"
    path.write_bytes(pickle.dumps(tree_of("vgf", (4, 2, (8,), 2))))
    assert "refused" in asked(tmp_path, do="import", path=str(path), task=task, out=str(out))
    assert not out.exists()


def test_a_checkpoint_is_recognised_and_imported(tmp_path: Path) -> None:
    path, out = tmp_path / "params_5.pkl", tmp_path / "run"
    path.write_bytes(pickle.dumps(tree_of("vgf", (4, 2, (8, 8), 2))))
    (tmp_path / "flags.json").write_text(json.dumps({"agent": {"discount": 0.9}, "env_name": "x"}))
    found = asked(tmp_path, do="look", path=str(path))["done"]
    assert (found["family"], found["observation_dim"], found["action_dim"], found["env"]) == ("vgf", 4, 2, "x")
    assert found["settings"]["discount"] == 0.9
    assert found["assumed"] == ["reward_scale", "flow_steps", "chunk"]
    reading = {"activation": "gelu", "reward_scale": 2}
    again = asked(tmp_path, do="look", path=str(path), reading=reading)["done"]
    assert again["networks"][0]["activation"] == "gelu"
    made_of_it = asked(tmp_path, do="import", path=str(path), task="three_exits", out=str(out), reading=reading)
    assert made_of_it["done"]["task"] == "three_exits"
    run = load_run(out)
    assert (run.config.discount, run.config.reward_scale) == (0.9, 2.0)


def test_a_dataset_is_tried_on_a_task(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    write_arrays(path, {name: made()[name] for name in ("observations", "actions", "rewards", "terminals")})
    said = asked(tmp_path, do="fits", path=str(path), task="three_exits")["refused"]
    assert "'observations' has 3 columns, task 'three_exits' needs 4" in said
    other = robomimic(tmp_path, made())
    assert (
        "the page Bring your own takes other formats"
        in asked(tmp_path, do="fits", path=str(other), task="three_exits")["refused"]
    )
    assert asked(tmp_path, do="example", path=str(tmp_path / "example.npz"))["done"]["rows"] == 4000
    fits = asked(tmp_path, do="fits", path=str(tmp_path / "example.npz"), task="three_exits")["done"]
    assert fits["rows"] == 4000
