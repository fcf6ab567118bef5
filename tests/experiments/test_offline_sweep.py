"""Sweeps on data alone: fitted-Q values in the place of returns, and words everywhere that no return was measured."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from bokeh.models import ColumnDataSource
from experiments.small import QUICK

from workbench.commands.runs import list_runs
from workbench.engine.data.npz import write_arrays
from workbench.engine.data.own_datasets import add_dataset
from workbench.engine.metrics import importance
from workbench.engine.training.loop.fqe import FQEConfig
from workbench.engine.words import UserError
from workbench.experiments import offline
from workbench.experiments.compare import compare
from workbench.experiments.damage import check
from workbench.experiments.grid import Grid
from workbench.experiments.job import Data
from workbench.experiments.recommend import recommend
from workbench.experiments.serial import Serial
from workbench.experiments.store import Store
from workbench.experiments.summary import Curve, curves, matched
from workbench.experiments.sweep import check_data, sweep
from workbench.plots.palette import looks_of
from workbench.report.page import write_report
from workbench.ui.pages.budget.draw import pictures_of
from workbench.ui.pages.budget.table import points_table
from workbench.ui.pages.budget.words import head_of
from workbench.views.budget import as_csv, words_of_choice
from workbench.views.dial import scale_of, verdict
from workbench.views.measured import ride
from workbench.views.runs import line_of, summary

TASK = "data/offline-sweep"
DOT: dict[str, list[float]] = {
    name: [] for name in ("at", "value", "promised", "earned", "middle", "words", "wrong", "side", "away")
}
WEIGHTS = (0.0, 0.3, 1000.0)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A sweep on 60 episodes of five steps whose reward is the action: the critic pushes it upwards, out of the data."""
    folder = tmp_path_factory.mktemp("offline")
    patch = pytest.MonkeyPatch()
    patch.setenv("WORKBENCH_DATASETS", str(folder / "datasets"))
    patch.setattr(offline, "FQEConfig", partial(FQEConfig, steps=100, rows=300, batch_size=64))
    patch.setattr(importance, "STEPS", 40)
    rng = np.random.default_rng(0)
    actions = rng.normal(-0.2, 0.35, (300, 1)).clip(-1, 1)
    write_arrays(
        folder / "mine.npz",
        {
            "observations": rng.normal(size=(300, 2)),
            "actions": actions,
            "rewards": actions[:, 0],
            "terminals": np.arange(300) % 5 == 4,
        },
    )
    add_dataset(folder / "mine.npz", "offline-sweep")
    grid = Grid(
        tasks=(TASK,),
        rules=("qgf",),
        axes=QUICK | {"fit.steps": (600,), "fit.hidden": ((16, 16),), "fit.batch_size": (64,), "weight": WEIGHTS},
        seeds=(0, 1),
        data=check_data(Data(), TASK),
    )
    made = Store(folder / "store", create=True)
    last = list(sweep(grid, made, Serial()))[-1]
    assert (last.done, last.errors) == (6, {})
    yield made
    patch.undo()


@pytest.fixture
def curve(store: Store) -> Curve:
    (found,) = curves(store)
    return found


def test_results_say_what_was_measured(store: Store) -> None:
    assert check(store) == []
    for row in store.rows():
        assert row.returns is None
        assert row.fitted_q is not None
        result = store.result(row.key)
        report = result["report"]
        assert report["return"] is None
        assert {"promised", "fitted_q", "importance", "shift", "support"} <= report.keys()
        assert report["importance"]["episodes"] == 60
        values = store.episodes(row.key)["report.values"]
        assert values.shape == (60,)
        assert report["fitted_q"]["mean"] == pytest.approx(values.mean(), rel=1e-5)
        assert result["choose"]["fitted_q"] != report["fitted_q"]  # critics of two seeds
    assert Store(store.where).rows() == store.rows()  # by the index


def test_curves_with_intervals_over_seeds(curve: Curve) -> None:
    assert curve.offline
    assert curve.worth.key == "fitted_q"
    assert [point.value for point in curve.points] == list(WEIGHTS)
    assert all(
        point.seeds == (0, 1) and point.returns.low <= point.returns.mean <= point.returns.high
        for point in curve.points
    )
    for name in ("promised", "support.inside", "shift.w2", "importance.effective", "fitted_q"):
        assert np.isfinite(curve.column(name)).all(), name
    assert np.isnan(curve.column("earned")).all()
    assert np.allclose(curve.column("return"), curve.column("fitted_q"), rtol=1e-4)


def test_a_strength_is_chosen_within_support(curve: Curve) -> None:
    inside = dict(zip(WEIGHTS, curve.column("support.inside"), strict=True))
    assert inside[0.0] > 0.6
    assert inside[1000.0] < 0.5, "the largest weight leaves the data, so that this test can fail"
    assert curve.choice is not None
    assert inside[curve.choice.strength] >= 0.5
    assert matched([curve]) is not None


def test_every_place_says_that_no_return_was_measured(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_report(store, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "No return was measured" in text
    assert "Fitted-Q value" in text
    assert "is valued at" in text
    assert "# data of the task, fingerprint" in text
    assert "reporting episodes, with 95%" not in text
    assert "returns" not in text.split("<main>")[1].split("<script")[0].replace("n-step returns", "")
    list_runs(store.where)
    shown = capsys.readouterr().out
    assert "no return was measured" in shown
    assert "(-" in shown
    rows = store.rows()
    assert "No return was measured" in summary(rows, rows, Path(store.where))[1]
    assert line_of(rows[0])["mean"] is None
    assert line_of(rows[0])["fitted_q"] is not None


def test_the_page_of_budgets_says_so(curve: Curve) -> None:
    on = ride(curve)
    drawn = pictures_of(
        [curve],
        looks_of([curve.rule]),
        on,
        scale_of(np.array(on.shift)),
        ColumnDataSource({"key": []}),
        ColumnDataSource(DOT),
    )
    assert drawn.frontier.yaxis[0].axis_label == "Fitted-Q value (task units)"
    assert "fitted-Q value" in verdict(on)
    assert "earns" not in verdict(on)
    assert "o return was measured" in head_of([curve], on)
    with pytest.raises(UserError, match="measured without an environment"):
        recommend([curve], most_shift=1.0)
    assert "<th>Fitted-Q value</th>" in points_table([curve])
    assert "<th>Return</th>" not in points_table([curve])
    assert "no return was measured" in words_of_choice(curve)
    assert b"fitted_q" in as_csv([curve])


def test_two_runs_are_compared_by_their_values(store: Store) -> None:
    first, second = (row.key for row in store.rows() if row.seed == 0 and row.settings["weight"] in WEIGHTS[:2])
    entries = compare(store, [first, second])
    assert entries[1]["difference"] is not None
    assert "fitted_q" in entries[0]["measured"]
    assert "return" not in entries[0]["measured"]


def test_the_data_name_the_jobs(store: Store) -> None:
    """Another dataset under the same name is another sweep."""
    job = store.job(store.rows()[0].key)
    assert job is not None
    assert job["job"]["data"]["fingerprint"] == check_data(Data(), TASK).fingerprint


def test_a_result_without_any_number_is_damaged(store: Store) -> None:
    from workbench.experiments import reading

    result = store.result(store.rows()[0].key)
    assert result is not None
    with pytest.raises(UserError, match="neither a return nor a fitted-Q value"):
        reading.checked(reading.Result, result | {"report": result["report"] | {"fitted_q": None}})
