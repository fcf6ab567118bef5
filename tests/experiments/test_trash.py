"""Runs that are put away, and put back whole."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from experiments.small import finish, record

from workbench.experiments.owners import OWNERS, Owners
from workbench.experiments.store import RUNS, Store, StoreError
from workbench.experiments.url_place import UrlPlace


def everything(store: Store, folder: str) -> dict[str, bytes | None]:
    """Each file of a run that `Store` reads by its name."""
    files = store.place.listing(folder.rpartition("/")[0])[folder.rpartition("/")[2]]
    return {name: store.place.read(f"{folder}/{name}") for name in files if not name.endswith(".jsonl")}


def test_what_is_put_away_can_be_put_back_whole(store: Store) -> None:
    for key in ("a", "b"):
        finish(store, key)
    store.fail(record("c"), "it broke")
    rows = {row.key: row for row in store.rows()}
    before, events, episodes = everything(store, "runs/a"), store.events("a"), store.episodes("a")
    stamps = [store.stamp()]
    names = store.put_away(["a", "c", "a", "nothing there"])
    stamps.append(store.stamp())
    assert sorted(store.trash()) == sorted(names)
    assert len(names) == 2
    assert [row.key for row in store.rows()] == ["b"]
    assert store.unfinished(["a", "b"]) == ["a"]
    assert Store(store.where).rows() == store.rows()
    assert sorted(store.put_back(names)) == ["a", "c"]
    stamps.append(store.stamp())
    assert {row.key: row for row in store.rows()} == rows
    assert everything(store, "runs/a") == before
    assert store.events("a") == events
    np.testing.assert_array_equal(store.episodes("a")["report.returns"], episodes["report.returns"])
    assert store.trash() == store.put_back(names) == []
    assert all(one != two for one, two in itertools.pairwise(stamps))


def test_a_run_that_was_done_again_is_not_overwritten(store: Store) -> None:
    finish(store, "a", 0.5)
    names = store.put_away(["a"])
    finish(store, "a", 0.9)
    assert store.put_back([*names, "../../somewhere", "never there-a"]) == []
    assert [row.returns["mean"] for row in store.rows() if row.returns] == [0.9]
    assert store.trash() == names  # nothing is lost
    names += store.put_away(["a"])
    assert store.put_back(names[:1]) == ["a"]
    assert [row.returns["mean"] for row in store.rows() if row.returns] == [0.5]


def test_a_run_in_work_stays(folder: Store) -> None:
    finish(folder, "a")
    folder.describe(record("b"))
    folder.begin("b")
    with pytest.raises(StoreError, match="run b is being worked on"):
        folder.put_away(["a", "b"])
    assert folder.trash() == []
    assert {row.key: row.status for row in folder.rows()} == {"a": "done", "b": "running"}


@pytest.mark.parametrize("name", ["job.json", "result.json"])
def test_damaged_runs_can_be_put_away(folder: Store, name: str) -> None:
    finish(folder, "a")
    (Path(folder.where) / RUNS / "a" / name).write_text("{")
    assert len(folder.put_away(["a"])) == 1
    assert folder.rows() == []


@pytest.mark.parametrize("way", ["put_away", "put_back"])
def test_a_crash_while_moving_loses_nothing(store: Store, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> bool:
        raise KeyboardInterrupt

    finish(store, "a")
    rows, names = store.rows(), store.put_away(["a"]) if way == "put_back" else ["a"]
    step = "remove" if isinstance(store.place, UrlPlace) else "move"
    with monkeypatch.context() as patch:
        patch.setattr(store.place, step, crash)
        with pytest.raises(KeyboardInterrupt):
            getattr(store, way)(names)
    if way == "put_back" and step == "move":
        assert store.put_back(names) == ["a"]
    assert Store(store.where).rows() == rows
    assert store.episodes("a")["report.returns"].size == 2


def test_the_trash_is_emptied_for_good(store: Store) -> None:
    for key in ("a", "b", "c"):
        finish(store, key)
    names = store.put_away(["a", "b"])
    assert store.empty_trash([names[0], "nothing there"]) == 1
    assert store.trash() == [names[1]]
    assert store.empty_trash() == 1
    assert store.trash() == store.put_back(names) == []
    assert [row.key for row in store.rows()] == ["c"]


def test_whose_runs_they_are(store: Store) -> None:
    owners = Owners(store)
    owners.note("ann", ["a", "b"])
    owners.note("bob", ["b", "c"])  # b had no result yet: who launches it last makes it
    store.place.append(OWNERS, '{"owner": ')  # a crash cut this line short
    assert owners.foreign("ann", ["a", "b", "c", "d"]) == ["b", "c", "d"]
    assert owners.foreign("", ["a", "d"]) == ["a", "d"]
    owners.share("bob", True)
    assert owners.shares("bob")
    assert owners.foreign("ann", ["a", "b", "c", "d"]) == ["d"]
    owners.share("bob", False)
    assert owners.foreign("ann", ["b"]) == ["b"]
    assert not any("ann" in line for line in store.place.lines(OWNERS))  # no secret is written
