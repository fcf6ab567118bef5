"""Methods over tasks as pictures and files: profiles, what network evaluations buy, and the table as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from workbench.engine.digits import exact
from workbench.engine.glossary import TERM
from workbench.engine.metrics.intervals import bootstrap_runs
from workbench.engine.words import UserError
from workbench.experiments.scores import THRESHOLDS, Board, Measure, boarded
from workbench.experiments.summary import Curve, Point
from workbench.plots.palette import Look, looks_of
from workbench.plots.series import Axes, Series
from workbench.views.csv_file import csv_of

MEASURES: dict[str, Measure] = {"return": "return", "success": "success"}
PROFILE = Axes("Score τ", "Share of runs above τ")
MIDDLE = Axes(TERM["network_evaluations"].head, "Interquartile mean of the scores")
HEADS = (
    "method",
    "task",
    "score",
    "value",
    "low",
    "high",
    "seeds",
    "strengths",
    "network_evaluations",
    "ms_per_decision",
)


def compare(
    curves: Sequence[Curve],
    methods: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
    measure: str = "return",
) -> Board:
    """The table of a store's curves, every curve being a method.

    Parameters
    ----------
    curves : sequence of Curve
        As `workbench.curves` reads them.
    methods, tasks : sequence of str, optional
        Names of curves and of tasks; all without them.
    measure : {"return", "success"}
        What counts: the return between the behaviour flow's (0) and the best method's (1) on each task, or success.

    Returns
    -------
    Board
        With ``standings`` (interquartile mean, optimality gap and probability of improvement), ``cells`` and ``scores``.

    Raises
    ------
    UserError
        Nothing of it was measured, or no such measure.
    """
    if measure not in MEASURES:
        raise UserError(f"'{measure}' is no measure to compare by; there are {', '.join(MEASURES)}")
    return boarded(curves, methods, tasks, MEASURES[measure])


def profile_series(board: Board) -> list[Series]:
    """A line a method: the share of its runs, over all tasks, that score above τ, with its 95% band."""
    lines = []
    for method, rule, look in _dressed(board):
        share, low, high = board.profile(method)
        labels = tuple(
            f"{method}: {part:.0%} of runs above {at:.2f}" for part, at in zip(share, THRESHOLDS, strict=True)
        )
        lines.append(Series(method, rule, THRESHOLDS, share, low, high, labels=labels, own_look=look))
    return lines


def middle_series(board: Board) -> list[Series]:
    """A point a method: interquartile mean of its scores against the network evaluations of a decision."""
    found = {standing.method: standing for standing in board.standings}
    lines = []
    for method, rule, look in _dressed(board):
        one = found[method]
        at = np.array([one.costs.get("network_evaluations", np.nan)])
        if np.isfinite(at).all():
            mean, low, high = (np.array([number]) for number in (one.middle.mean, one.middle.low, one.middle.high))
            lines.append(Series(method, rule, at, mean, low, high, labels=(method,), own_look=look))
    return lines


def scaling_series(curves: Sequence[Curve], task: str, methods: Sequence[str] | None = None) -> list[Series]:
    """A line a method of one ``task``: return against the network evaluations of a decision, seeds and episodes in its interval.

    Where several strengths cost the same, that one is drawn whose choosing episodes return most.
    """
    shown = [c for c in curves if c.task == task and not c.offline and (methods is None or c.name in methods)]
    lines = []
    for curve, look in zip(shown, looks_of([curve.rule for curve in shown]), strict=True):
        at, best = _by_cost(curve)
        if not best:
            continue
        spans = [bootstrap_runs(point.episodes["return"]) for point in best]
        mean, low, high = (np.array([getattr(span, end) for span in spans]) for end in ("mean", "low", "high"))
        labels = tuple(f"{curve.name}, {curve.axis} = {exact(point.value)}" for point in best)
        lines.append(Series(curve.name, curve.rule, at, mean, low, high, labels=labels, own_look=look))
    return lines


def scaling_axes(task: str) -> Axes:
    """Of `scaling_series`."""
    return Axes(TERM["network_evaluations"].head, f"{TERM['return'].label} on {task}")


def as_csv(board: Board) -> bytes:
    """One line a method and task."""
    rows = [
        (
            cell.method,
            task,
            exact(float(cell.scores.mean())),
            *(exact(number) for number in (cell.value.mean, cell.value.low, cell.value.high)),
            len(cell.seeds),
            " ".join(exact(value) for value in cell.strengths),
            *(exact(cell.costs.get(name, float("nan"))) for name in HEADS[-2:]),
        )
        for (_, task), cell in board.cells.items()
    ]
    return csv_of(HEADS, rows)


def names_in(arguments: Mapping[str, str], key: str) -> list[str] | None:
    """The names that a link says, divided by bars; None where it says none."""
    text = arguments.get(key)
    return None if text is None else [name for name in text.split("|") if name][:200]


def _by_cost(curve: Curve) -> tuple[np.ndarray, list[Point]]:
    """Network evaluations, growing, and at each the point that the choosing episodes prefer."""
    best: dict[float, Point] = {}
    for point in curve.points:
        cost = point.costs["network_evaluations"]
        if not np.isfinite(cost):
            continue
        before = best.get(cost)
        if before is None or point.per_seed["choose"].mean() > before.per_seed["choose"].mean():
            best[cost] = point
    return np.array(sorted(best)), [best[cost] for cost in sorted(best)]


def _dressed(board: Board) -> list[tuple[str, str, Look]]:
    """Method, rule and look of every method that is compared over all tasks."""
    rules = [board.cells[method, board.tasks[0]].rule for method in board.whole]
    return list(zip(board.whole, rules, looks_of(rules), strict=True))
