"""The store: folders are the truth, the index is a cache, a result is written once, whatever is torn, killed or parallel."""

import itertools
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from experiments.small import DATA, finish, record

from workbench.experiments.place import FolderPlace, Place, open_place
from workbench.experiments.store import INDEX, RUNS, Store, StoreError
from workbench.experiments.url_place import UrlPlace


def test_places() -> None:
    assert isinstance(open_place("a/b"), FolderPlace)
    assert isinstance(open_place("file:///a/b"), FolderPlace)
    assert isinstance(open_place("memory://x"), UrlPlace)
    with pytest.raises(ValueError, match="cannot open the store nonsense://x"):
        open_place("nonsense://x")


def test_a_result_is_kept_and_explains_itself(store: Store) -> None:
    assert finish(store, "a" * 20)
    (row,) = store.rows()
    assert (row.key, row.status, row.label, row.shift) == ("a" * 20, "done", "qgf weight=0.3", 0.5)
    assert row.returns == {"mean": 0.5, "low": 0.4, "high": 0.6}
    result = store.result(row.key)
    assert result is not None
    assert result["by"]["packages"]["torch"]
    assert result["by"]["host"]
    np.testing.assert_array_equal(store.episodes(row.key)["report.returns"], [0.25, 1.0])
    assert [event["event"] for event in store.events(row.key)] == ["begun"]
    again = Store(store.where)
    assert again.rows() == store.rows()


def test_the_first_result_stays(store: Store) -> None:
    assert finish(store, "a", 0.5)
    assert not finish(store, "a", 0.7)
    result = store.result("a")
    assert result is not None
    assert result["report"]["return"]["mean"] == 0.5
    assert len(store.rows()) == 1
    assert store.unfinished(["b", "a", "c"]) == ["b", "c"]


def test_failures_are_kept_with_their_error(store: Store) -> None:
    store.fail(record("a"), "it broke", "Traceback …")
    store.fail(record("a"), "it broke again")
    (row,) = store.rows()
    assert (row.status, row.error) == ("failed", "it broke again")
    failure = store.failure("a")
    assert failure is not None
    assert failure["attempts"] == 2
    finish(store, "a")
    assert [row.status for row in store.rows()] == ["done"]


def test_removed_runs_are_gone_and_can_be_done_again(store: Store) -> None:
    finish(store, "a")
    finish(store, "b")
    store.remove(["a", "nothing there"])
    assert [row.key for row in store.rows()] == ["b"]
    assert store.unfinished(["a", "b"]) == ["a"]
    assert finish(store, "a", 0.9)
    assert {row.key: row.returns["mean"] for row in store.rows() if row.returns} == {"a": 0.9, "b": 0.5}


def test_sweeps_say_what_is_planned(store: Store) -> None:
    store.note_sweep({"a": 1, "data": DATA}, "workbench sweep …", [record("a"), record("b")])
    finish(store, "b")
    assert {row.key: row.status for row in store.rows()} == {"a": "planned", "b": "done"}
    store.note_sweep({"a": 1, "data": DATA}, "workbench sweep …", [record("a"), record("b")])
    (sweep,) = store.sweeps()
    assert len(sweep["started"]) == 2
    assert sweep["command"] == "workbench sweep …"


def test_the_stamp_changes_when_something_happens(store: Store) -> None:
    stamps = [store.stamp()]
    store.note_sweep({"data": DATA}, "", [record("a")])
    stamps.append(store.stamp())
    finish(store, "a")
    stamps.append(store.stamp())
    assert store.stamp() == stamps[-1]
    store.remove(["a"])
    stamps.append(store.stamp())
    assert all(one != two for one, two in itertools.pairwise(stamps))


def test_keys_are_found_by_their_beginning(store: Store) -> None:
    for key in ("abc1", "abd2"):
        finish(store, key)
    assert store.find("abc") == "abc1"
    for prefix, words in (("ab", "beginning of 2 runs"), ("x", "has no run 'x'"), ("", "has no run")):
        with pytest.raises(StoreError, match=words):
            store.find(prefix)


def test_running_and_stopped(folder: Store) -> None:
    folder.describe(record("a"))
    folder.begin("a")
    assert [row.status for row in folder.rows()] == ["running"]
    folder.note("a", "stopped")
    assert [row.status for row in folder.rows()] == ["stopped"]
    folder.begin("a")
    log = Path(folder.where) / RUNS / "a" / "metrics.jsonl"
    import os

    os.utime(log, (1.0, 1.0))  # its worker has not been heard of for long
    assert [row.status for row in folder.rows()] == ["stopped"]


# --- the index is only a cache ------------------------------------------------------------------------------------


def index(store: Store) -> Path:
    return Path(store.where) / INDEX


def test_the_index_is_made_again(folder: Store) -> None:
    for key in "abc":
        finish(folder, key)
    rows = sorted(folder.rows(), key=lambda row: row.key)
    index(folder).unlink()
    assert sorted(folder.rows(), key=lambda row: row.key) == rows
    assert len(index(folder).read_text().splitlines()) == 3


@pytest.mark.parametrize("damage", ["torn", "garbage", "other version", "cut in the middle"])
def test_a_damaged_index_costs_nothing(folder: Store, damage: str) -> None:
    for key in "abc":
        finish(folder, key)
    rows = sorted(folder.rows(), key=lambda row: row.key)
    text = index(folder).read_text()
    damaged = {
        "torn": text[:-40],
        "garbage": text + "\x00\xff not json\n[1, 2]\n3\n",
        "other version": text.replace('"rule"', '"method"'),
        "cut in the middle": text[: len(text) // 2] + text[len(text) // 2 + 30 :],
    }[damage]
    index(folder).write_text(damaged, encoding="latin-1")
    assert sorted(folder.rows(), key=lambda row: row.key) == rows
    finish(folder, "d")
    assert {row.key for row in folder.rows()} == set("abcd")


def test_every_prefix_of_the_index_gives_the_same_list(folder: Store) -> None:
    for key in "ab":
        finish(folder, key)
    rows = sorted(folder.rows(), key=lambda row: row.key)
    content = index(folder).read_bytes()
    for cut in range(0, len(content) + 1, 7):
        index(folder).write_bytes(content[:cut])
        assert sorted(folder.rows(), key=lambda row: row.key) == rows


def test_a_result_whose_line_was_never_written_is_found(folder: Store) -> None:
    finish(folder, "a")
    index(folder).write_text("")
    assert [row.status for row in folder.rows()] == ["done"]
    assert "a" in index(folder).read_text()


def test_a_line_without_its_result_is_not_believed(folder: Store) -> None:
    finish(folder, "a")
    (Path(folder.where) / RUNS / "a" / "result.json").unlink()
    assert [row.status for row in folder.rows()] == ["running"]
    assert folder.unfinished(["a"]) == ["a"]


@pytest.mark.parametrize("name", ["result.json", "job.json", "failed.json"])
def test_a_damaged_file_is_named_and_the_others_are_listed(folder: Store, name: str) -> None:
    finish(folder, "a")
    finish(folder, "b")
    if name != "result.json":
        folder.fail(record("b"), "x")
        (Path(folder.where) / RUNS / "b" / "result.json").unlink()
    (Path(folder.where) / RUNS / "b" / name).write_text("{")
    index(folder).unlink()
    rows = {row.key: row for row in folder.rows()}
    assert rows["a"].status == "done"
    assert rows["b"].status == "damaged"
    assert name in str(rows["b"].error)


def test_lines_cut_short_spoil_no_other_line(folder: Store) -> None:
    folder.describe(record("a"))
    folder.note("a", "one")
    log = Path(folder.where) / RUNS / "a" / "metrics.jsonl"
    log.write_bytes(log.read_bytes() + b'{"time": "2026')
    folder.note("a", "two")
    assert [event["event"] for event in folder.events("a")] == ["one", "two"]


# --- many writers -------------------------------------------------------------------------------------------------


def test_of_many_threads_one_writes_the_result(store: Store) -> None:
    def attempt(number: int) -> None:
        won[number] = store.place.write_once("runs/a/result.json", json.dumps(number).encode())

    won = [False] * 16
    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = json.loads(store.place.read("runs/a/result.json") or b"")
    if isinstance(store.place, FolderPlace):
        assert sum(won) == 1
        assert won[kept]
    assert kept in [number for number, here in enumerate(won) if here]


WRITER = """
import sys
from workbench.experiments.place import open_place
place, name = open_place(sys.argv[1]), sys.argv[2]
won = [key for key in range(60) if place.write_once(f"runs/{key}/result.json", name.encode())]
for number in range(100):
    place.append("index.jsonl", name * 50)
print(" ".join(map(str, won)))
"""


def test_of_many_processes_one_writes_each_result_and_no_line_is_lost(root: Path, tmp_path: Path) -> None:
    place: Place = open_place(tmp_path)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), name],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(root)},
        )
        for name in "wxyz"
    ]
    won = {name: set(map(int, writer.communicate()[0].split())) for name, writer in zip("wxyz", writers, strict=True)}
    assert sorted(key for keys in won.values() for key in keys) == list(range(60))
    for name, keys in won.items():
        assert all(place.read(f"runs/{key}/result.json") == name.encode() for key in keys)
    lines = place.lines("index.jsonl")
    assert sorted(lines) == sorted(name * 50 for name in "wxyz" for _ in range(100))
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_lock_ends_with_its_process(root: Path, tmp_path: Path) -> None:
    holding = "import sys, time; from workbench.experiments.place import open_place\n"
    holding += "with open_place(sys.argv[1]).lock('a.lock'):\n print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", holding, str(tmp_path)], stdout=subprocess.PIPE, env={"PYTHONPATH": str(root)}
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    asked = iter([False, False, True])
    from workbench.experiments.place import Stopped

    with pytest.raises(Stopped), open_place(tmp_path).lock("a.lock", lambda: next(asked)):
        pass
    process.kill()
    process.communicate()
    with open_place(tmp_path).lock("a.lock", lambda: True):
        pass


# --- stores that cannot be used -----------------------------------------------------------------------------------


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no store"):
        Store(tmp_path)
    (tmp_path / "store.json").write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        Store(tmp_path)
    (tmp_path / "store.json").write_text('{"layout": 99}')
    with pytest.raises(StoreError, match="layout 99"):
        Store(tmp_path)


def test_lists_need_no_torch(root: Path, tmp_path: Path) -> None:
    """The list of a thousand runs must be quick, and importing torch alone takes longer."""
    store = Store(tmp_path / "store", create=True)
    finish(store, "a")
    script = "import sys; from workbench.cli import main; main(['runs', 'list', sys.argv[1]]); assert 'torch' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", script, store.where], env={"PYTHONPATH": str(root)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "qgf weight=0.3" in done.stdout
