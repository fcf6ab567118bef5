"""Scores over tasks: strengths that other seeds chose, scales, and the aggregates of a table."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from experiments.made_up import made_up_store

from workbench.engine.metrics.across_tasks import interquartile_mean, optimality_gap, probability_of_improvement
from workbench.engine.words import UserError
from workbench.experiments.grid import Grid
from workbench.experiments.scores import THRESHOLDS, Scale, board_of, boarded, cell_of
from workbench.experiments.summary import Curve, curves

SEEDS = (0, 1, 2)


def measured(
    folder: Path, choose: Any, report: Any, rules: tuple[str, ...] = ("bc", "qgf"), seeds: Any = SEEDS
) -> list[Curve]:
    """The curves of a store whose mean returns are ``choose(weight, seed)`` and ``report(…)``; the flow's weight is None."""

    def measure(settings: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        weight = settings.get("weight")
        spread = np.array([-0.1, 0.0, 0.0, 0.1])
        return choose(weight, seed) + spread, report(weight, seed) + spread, 0.1, 0.0

    axes = {"qgf.weight": (0.1, 1.0, 3.0)} if "qgf" in rules else {}
    grid = Grid(tasks=("three_exits", "bandit2d"), rules=rules, axes=axes, seeds=seeds, episodes=4)
    return curves(made_up_store(folder, grid, measure))


def of(found: list[Curve], name: str, task: str = "three_exits") -> Curve:
    return next(curve for curve in found if (curve.name, curve.task) == (name, task))


def test_a_seed_has_no_say_in_its_own_strength(tmp_path: Path) -> None:
    """Seed 0 alone likes weight 3, by far; the others like 1. Its own strength is theirs, and theirs is what 0 tips."""

    def choose(weight: float | None, seed: int) -> float:
        return {0.1: 0.0, 1.0: 0.2 if seed else 0.0, 3.0: 0.0 if seed else 9.0}.get(weight or 0.1, 0.0)

    curve = of(measured(tmp_path, choose, lambda weight, seed: 10 * (weight or 0.0) + seed), "qgf")
    cell = cell_of("QGF", curve, Scale())
    assert cell is not None
    assert cell.strengths == (1.0, 3.0, 3.0)
    assert cell.values == pytest.approx([10.0, 31.0, 32.0])
    assert cell.value.mean == pytest.approx(np.mean([10.0, 31.0, 32.0]))
    assert cell.chosen_from == 3


def test_one_seed_alone_chooses_by_its_own_choosing_episodes(tmp_path: Path) -> None:
    found = measured(tmp_path, lambda weight, seed: -(weight or 0.0), lambda weight, seed: weight or 0.0, seeds=(5,))
    cell = cell_of("QGF", of(found, "qgf"), Scale())
    assert cell is not None
    assert (cell.seeds, cell.strengths) == ((5,), (0.1,))
    assert cell.value.low < cell.value.mean < cell.value.high  # over its episodes


def test_the_reporting_episodes_have_no_say(tmp_path: Path) -> None:
    curve = of(measured(tmp_path, lambda weight, seed: -(weight or 0.0), lambda weight, seed: weight or 0.0), "qgf")
    cell = cell_of("QGF", curve, Scale())
    assert cell is not None
    assert cell.strengths == (0.1, 0.1, 0.1)


def test_scores_stand_between_the_ends_of_the_scale(tmp_path: Path) -> None:
    curve = of(measured(tmp_path, lambda w, s: w or 0.0, lambda w, s: 2.0 + s), "qgf")
    cell = cell_of("QGF", curve, Scale("return", 2.0, 4.0))
    assert cell is not None
    assert cell.scores == pytest.approx([0.0, 0.5, 1.0])
    success = cell_of("QGF", curve, Scale("success"))
    assert success is not None
    assert success.scores == pytest.approx([2.0, 3.0, 4.0])  # of the made-up store, whose success is its return


def test_a_table_has_the_aggregates_of_its_scores(tmp_path: Path) -> None:
    found = measured(tmp_path, lambda w, s: w or 0.0, lambda w, s: 0.1 * s + (w or 0.0) / 4)
    board = boarded(found)
    assert (board.methods, board.tasks, board.reference) == (("bc", "qgf"), ("bandit2d", "three_exits"), "bc")
    best, flow = board.standings
    assert (best.method, flow.method) == ("qgf", "bc")
    scores = board.scores("qgf")
    assert scores.shape == (3, 2)
    assert scores.mean() == pytest.approx(1.0)  # the best method's mean is 1, the behaviour flow's 0
    assert board.scores("bc").mean() == pytest.approx(0.0)
    assert best.middle.mean == interquartile_mean(scores)
    assert best.gap.mean == optimality_gap(scores)
    assert best.improvement is not None
    assert best.improvement.mean == probability_of_improvement(scores, board.scores("bc")) == 1.0
    assert flow.improvement is None
    assert best.middle.low <= best.middle.mean <= best.middle.high
    share, low, high = board.profile("qgf")
    assert share.shape == THRESHOLDS.shape
    assert (low <= share).all()
    assert (share <= high).all()
    assert share[0] == 1.0


def test_a_scale_does_not_depend_on_what_is_shown(tmp_path: Path) -> None:
    found = measured(tmp_path, lambda w, s: w or 0.0, lambda w, s: 0.1 * s + (w or 0.0))
    whole, alone = boarded(found), boarded(found, methods=["qgf"], tasks=["three_exits"])
    assert alone.tasks == ("three_exits",)
    assert alone.scales["three_exits"] == whole.scales["three_exits"]
    assert alone.reference == "qgf"


def test_a_method_that_lacks_a_task_is_left_out_of_what_is_over_all(tmp_path: Path) -> None:
    found = measured(tmp_path, lambda w, s: w or 0.0, lambda w, s: w or 0.0)
    some = [curve for curve in found if (curve.name, curve.task) != ("qgf", "bandit2d")]
    board = boarded(some)
    assert board.methods == ("bc", "qgf")
    assert board.whole == ("bc",)
    assert [one.method for one in board.standings] == ["bc"]


def test_nothing_measured_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing of this has been measured yet"):
        board_of({}, {}, "bc")
    found = measured(tmp_path, lambda w, s: 0.0, lambda w, s: 0.0)
    with pytest.raises(UserError, match="nothing of this has been measured yet"):
        boarded(found, methods=["no such"])
    assert boarded(found).scales["bandit2d"].score(np.array([0.0])) == pytest.approx(
        0.0
    )  # all alike: no scale of width 0
