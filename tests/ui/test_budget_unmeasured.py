"""What a link to the page of budgets asks for and nobody has measured: words, and a small sweep that measures just that."""

import pickle
from pathlib import Path

import pytest
from engine.published_trees import tree_of
from ui.test_budget_dial import page_of

from workbench.experiments.own_store import STORE_VARIABLE
from workbench.experiments.serial import Serial
from workbench.experiments.store import Store
from workbench.experiments.sweep import sweep
from workbench.runs.importing import import_checkpoint
from workbench.ui.server.lab import sweeps
from workbench.views.imports import into_store
from workbench.views.unmeasured import question_on


def test_a_task_that_nobody_measured_is_named_and_the_sweep_measures_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(tmp_path / "none", monkeypatch, {"task": "bandit2d", "rule": "qgf", "weight": "1"})
    assert page.task.value == "three_exits"
    assert "No curve of Bandit in the plane has been measured yet; three_exits is shown" in page._head.object
    assert page.sweep.grid().tasks == ("bandit2d",)
    assert "Bandit in the plane" in page.sweep.start.label
    page.left()
    page = page_of(tmp_path / "none", monkeypatch, {})
    assert "No curve of" not in page._head.object
    assert page.sweep.grid().tasks == ("three_exits",)
    page.left()
    sweeps.cache_clear()


def test_an_imported_run_is_measured_by_the_small_sweep_and_marked_as_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "store"))
    path, folder = tmp_path / "params_7.pkl", tmp_path / "scratch" / "run"
    folder.parent.mkdir()
    path.write_bytes(pickle.dumps(tree_of("fql", (4, 2, (8, 8), 2))))
    import_checkpoint(path, "three_exits", folder)
    name = into_store(folder, "three_exits", "a" * 32)
    page = page_of(tmp_path / "store", monkeypatch, {"task": name, "rule": "qgf"})
    assert page._pictures is not None  # there is a curve to look at, and words that it is not this run's
    assert "No curve of three_exits, run " in page._head.object
    assert "press Run a small sweep" in page._head.object
    page.sweep.rules.value = ["qgf"]
    (digest,) = {job.training["imported"] for job in page.sweep.grid().jobs()}
    assert {job.task for job in page.sweep.grid().jobs()} == {"three_exits"}
    asked = question_on(page.question, "three_exits")
    assert asked.task == name
    assert page.mine._read_off(asked) == [None]  # the shipped curve is of another policy
    small = page.sweep.grid().model_copy(
        update={"axes": {"qgf.weight": (0.0, 1.0), "fit.imported": (digest,)}, "episodes": 2}
    )
    page.left()
    for progress in sweep(small, Store(tmp_path / "store"), Serial()):
        assert progress.failed == 0, progress.errors
    page = page_of(tmp_path / "store", monkeypatch, {"task": name, "rule": "qgf"})
    assert "No curve of" not in page._head.object
    assert page.dial.ride is not None
    assert page.dial.ride.origin == ""
    page.left()
    sweeps.cache_clear()
