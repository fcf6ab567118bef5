"""Imported runs of a store: whose they are, how many one keeps, and deleting them with undo."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from engine.published_trees import tree_of

from workbench.engine.words import UserError
from workbench.experiments.imported_runs import imported_runs
from workbench.experiments.own_store import STORE_VARIABLE
from workbench.experiments.owners import Owners
from workbench.experiments.store import Store
from workbench.experiments.trained_parts import newest_trainings
from workbench.runs.importing import import_checkpoint
from workbench.ui.pages.runs.rights import Rights
from workbench.views import imports
from workbench.views.links import FIRST, read_link
from workbench.views.policies import RUN, find

ANN, BOB = "a" * 32, "b" * 32


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = tmp_path / "params_7.pkl"
    path.write_bytes(pickle.dumps(tree_of("fql", (4, 2, (8, 8), 2))))
    import_checkpoint(path, "three_exits", tmp_path / "made")
    return tmp_path / "made"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "store"))
    return Store(tmp_path / "store", create=True)


def brought(made: Path, who: str, task: str = "three_exits") -> str:
    """Import it as a page does."""
    folder = made.parent / f"scratch-{who[0]}" / "run"
    shutil.copytree(made, folder)
    return imports.into_store(folder, task, who).removeprefix(RUN)


def test_it_is_found_under_its_name_and_deleted_with_undo(made: Path, store: Store) -> None:
    name = brought(made, ANN)
    assert not (made.parent / "scratch-a").exists()
    source = find(RUN + name)
    assert source.task.info.name == "three_exits"
    assert "one_step" in source.parts().available()
    (run,) = imported_runs(store)
    assert (run.name, run.task, run.action_dim, run.critic) == (name, "three_exits", 2, True)
    assert run.size > 1000
    stamps = [store.stamp()]
    names = imports.delete(store, name, ANN, False)
    stamps.append(store.stamp())
    assert imported_runs(store) == newest_trainings(Path(store.where)) == []
    assert store.trash() == names
    question, problems = read_link({"task": RUN + name, "rule": "qgf"})
    assert question.task == FIRST.task
    assert "was deleted; choose another policy" in problems[0]
    assert find(RUN + name) is source  # a page that shows it goes on
    assert store.put_back(names) == [name]
    assert read_link({"task": RUN + name, "rule": "qgf"}) == (
        replace(question, task=RUN + name, state=source.start),
        [],
    )
    stamps.append(store.stamp())
    assert len(set(stamps)) == 3
    assert imported_runs(store) == [run]
    assert store.trash() == []


def test_one_that_was_imported_again_is_not_overwritten(made: Path, store: Store) -> None:
    names = imports.delete(store, brought(made, ANN), ANN, False)
    brought(made, ANN)
    assert store.put_back(names) == []
    assert store.trash() == names
    assert store.empty_trash() == 1
    assert len(imported_runs(store)) == 1


def test_on_a_shared_server_who_imported_it_deletes_it(made: Path, store: Store) -> None:
    name = brought(made, ANN)
    assert [run.name for run in imports.deletable(store, ANN, False)] == [name]
    assert imports.deletable(store, BOB, False) == imports.deletable(store, "", False) == []
    assert [run.name for run in imports.deletable(store, BOB, True)] == [name]
    with pytest.raises(UserError, match="you did not import this run"):
        imports.delete(store, name, BOB, False)
    with pytest.raises(UserError, match="not here any more"):
        imports.delete(store, "nothing", ANN, False)
    assert brought(made, BOB) == name  # the same again: it stays Ann's
    assert imports.deletable(store, BOB, False) == []
    names = imports.delete(store, name, ANN, False)
    assert Rights(False, lambda: ANN).in_trash(store) == names  # Runs offers to put it back, to whom it belongs
    assert Rights(False, lambda: BOB).in_trash(store) == []
    store.put_back(names)
    Owners(store).share(ANN, True)
    assert imports.delete(store, name, BOB, False)


def test_trained_runs_are_no_imports(store: Store) -> None:
    folder = Path(store.where) / "trained" / "abc"
    folder.mkdir(parents=True)
    record = {"task": "three_exits", "action_dim": 2, "config": {"chunk": 1}, "trained": ["critic"]}
    (folder / "run.json").write_text(json.dumps(record))
    (Path(store.where) / "trained" / "broken").mkdir()
    (Path(store.where) / "trained" / "broken" / "run.json").write_text("{")
    assert imported_runs(store) == []


def test_one_keeps_so_many_and_no_more(made: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    imports.check_room(None, ANN)
    brought(made, ANN)
    imports.check_room(store, ANN)
    monkeypatch.setattr(imports, "MOST_KEPT", 1)
    with pytest.raises(
        UserError, match=r"you keep 1 imported run of .* MiB here; 1 and 2,048 MiB .*: delete one first"
    ):
        imports.check_room(store, ANN)
    imports.check_room(store, BOB)
    monkeypatch.setattr(imports, "MOST_KEPT", 20)
    large = [replace(run, size=imports.MOST_SIZE) for run in imported_runs(store)]
    monkeypatch.setattr(imports, "imported_runs", lambda _: large)
    with pytest.raises(UserError, match="delete one first"):
        imports.check_room(store, ANN)
