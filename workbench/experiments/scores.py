"""Methods over tasks: what each scores at strengths that other training seeds chose, and what is true of all tasks together.

Source of the aggregates: rliable (`workbench.engine.metrics.across_tasks`). A score is a return or a success on a scale of its
task, so that tasks can be put together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from workbench.engine.metrics.across_tasks import (
    interquartile_mean,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    profile_band,
    stratified_interval,
)
from workbench.engine.metrics.intervals import Interval, bootstrap_mean, bootstrap_runs
from workbench.engine.words import UserError
from workbench.experiments.summary import Curve, Point

Measure = Literal["return", "success"]
RESAMPLES = 1000  # of the stratified bootstrap
THRESHOLDS = np.linspace(0.0, 1.0, 21)  # of a performance profile


class Scale(NamedTuple):
    """What counts on a task: the measure, and its values that score 0 and 1."""

    measure: Measure = "return"
    low: float = 0.0
    high: float = 1.0

    def score(self, values: np.ndarray) -> np.ndarray:
        """``values`` of the measure as scores."""
        return np.asarray((values - self.low) / (self.high - self.low), dtype=np.float64)


@dataclass(frozen=True)
class Cell:
    """One method on one task. G training seeds.

    Attributes
    ----------
    method, rule, task : str
    axis : str
        The setting that is the strength.
    seeds : tuple of int
        (G,)
    strengths : tuple of float
        (G,), for each seed the strength that the *other* seeds' choosing episodes prefer; of one seed alone its own.
    values, scores : ndarray
        (G,), of the reporting episodes: in the measure's units, and scaled.
    value : Interval
        Mean over seeds, over seeds and episodes.
    costs : dict of str to float
        Of a decision at those strengths, and ``training_seconds``; mean over seeds.
    chosen_from : int
        Strengths that there were.
    """

    method: str
    rule: str
    task: str
    axis: str
    seeds: tuple[int, ...]
    strengths: tuple[float, ...]
    values: np.ndarray
    scores: np.ndarray
    value: Interval
    costs: dict[str, float]
    chosen_from: int


def cell_of(method: str, curve: Curve, scale: Scale) -> Cell | None:
    """What ``curve`` says of a method; None where no training seed has played all of its strengths, or the measure lacks."""
    seeds = sorted(set.intersection(*(set(point.seeds) for point in curve.points)))
    if not seeds:
        return None
    places = _chosen(curve.points, seeds)
    points = [curve.points[place] for place in places]
    values = np.array([_of_seed(point, scale.measure, seed) for point, seed in zip(points, seeds, strict=True)])
    if not np.isfinite(values).all():
        return None
    names = [name for name in points[0].costs if all(name in point.costs for point in points)]
    return Cell(
        method,
        curve.rule,
        curve.task,
        curve.axis,
        tuple(seeds),
        tuple(point.value for point in points),
        values,
        scale.score(values),
        _interval(points, seeds, scale.measure, values),
        {name: float(np.mean([point.costs[name] for point in points])) for name in names},
        len(curve.points),
    )


def _chosen(points: Sequence[Point], seeds: Sequence[int]) -> list[int]:
    """For each seed the point whose choosing episodes, of the other seeds, return most; of equals the smallest strength."""
    told = np.array([[_of_seed(point, "choose", seed) for point in points] for seed in seeds])  # (G, P)
    others = told if len(seeds) == 1 else told.sum(0) - told
    return [int(place) for place in others.argmax(1)]


def _of_seed(point: Point, name: str, seed: int) -> float:
    return float(point.per_seed[name][point.seeds.index(seed)])


def _interval(points: Sequence[Point], seeds: Sequence[int], measure: Measure, values: np.ndarray) -> Interval:
    if any(measure not in point.episodes for point in points):
        return bootstrap_mean(values)
    return bootstrap_runs(
        [point.episodes[measure][point.seeds.index(seed)] for point, seed in zip(points, seeds, strict=True)]
    )


@dataclass(frozen=True)
class Standing:
    """One method over all tasks.

    Attributes
    ----------
    middle : Interval
        Interquartile mean of the scores.
    gap : Interval
        Optimality gap: how far scores lie below 1 on average.
    improvement : Interval or None
        Probability that a run of it beats a run of the reference on a task drawn at random; None for the reference itself.
    costs : dict of str to float
        Mean over tasks.
    """

    method: str
    rule: str
    middle: Interval
    gap: Interval
    improvement: Interval | None
    costs: dict[str, float]


@dataclass(frozen=True)
class Board:
    """A table of methods and tasks.

    Attributes
    ----------
    cells : dict of (str, str) to Cell
        By method and task, in the order of the table; some may be missing.
    reference : str
        The method with which the others are compared.
    scales : dict of str to Scale
        By task.
    """

    cells: dict[tuple[str, str], Cell]
    reference: str
    scales: dict[str, Scale]

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """All of them, also those that lack a task."""
        return tuple(dict.fromkeys(method for method, _ in self.cells))

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """All tasks."""
        return tuple(dict.fromkeys(task for _, task in self.cells))

    @cached_property
    def whole(self) -> tuple[str, ...]:
        """The methods that were measured on every task, which can be compared over all of them."""
        return tuple(method for method in self.methods if all((method, task) in self.cells for task in self.tasks))

    def scores(self, method: str) -> np.ndarray:
        """(runs, tasks) of a method that is whole; as many runs as its task with the fewest seeds has."""
        columns = [self.cells[method, task].scores for task in self.tasks]
        fewest = min(map(len, columns))
        return np.stack([column[:fewest] for column in columns], 1)

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """The methods that are whole, best first."""
        found = [self._standing(method) for method in self.whole]
        return tuple(sorted(found, key=lambda one: -one.middle.mean))

    def _standing(self, method: str) -> Standing:
        scores = self.scores(method)
        cells = [self.cells[method, task] for task in self.tasks]
        names = set.intersection(*(set(cell.costs) for cell in cells))
        improvement = None
        if method != self.reference and self.reference in self.whole:
            pair = [scores, self.scores(self.reference)]
            improvement = stratified_interval(probability_of_improvement, pair, resamples=RESAMPLES)
        return Standing(
            method,
            cells[0].rule,
            stratified_interval(interquartile_mean, [scores], resamples=RESAMPLES),
            stratified_interval(optimality_gap, [scores], resamples=RESAMPLES),
            improvement,
            {name: float(np.mean([cell.costs[name] for cell in cells])) for name in names},
        )

    def profile(self, method: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Share of runs that score above each of `THRESHOLDS`, and the 95% band: three (H,)."""
        scores = self.scores(method)
        return performance_profile(scores, THRESHOLDS), *profile_band(scores, THRESHOLDS)


def board_of(curves: Mapping[tuple[str, str], Curve], scales: Mapping[str, Scale], reference: str) -> Board:
    """The table of ``curves``, by method and task.

    Raises
    ------
    UserError
        Nothing of it is measured.
    """
    cells = {}
    for (method, task), curve in curves.items():
        cell = cell_of(method, curve, scales[task])
        if cell is not None:
            cells[method, task] = cell
    if not cells:
        raise UserError("nothing of this has been measured yet; run the sweep or the suite to its end first")
    return Board(cells, reference, dict(scales))


def scales_of(curves: Sequence[Curve], measure: Measure = "return") -> dict[str, Scale]:
    """A scale for each task of ``curves`` without a protocol's: 0 is what the behaviour flow has, 1 the best method here.

    Without the behaviour flow 0 is the worst method; a success is a score as it is.
    """
    scales = {}
    for task in dict.fromkeys(curve.task for curve in curves):
        if measure == "success":
            scales[task] = Scale("success")
            continue
        cells = [cell_of(c.name, c, Scale()) for c in curves if c.task == task and not c.offline]
        means = {cell.method: cell.value.mean for cell in cells if cell is not None}
        if not means:
            continue
        low, high = means.get("bc", min(means.values())), max(means.values())
        scales[task] = Scale("return", low, high if high > low else low + 1.0)
    return scales


def boarded(
    curves: Sequence[Curve],
    methods: Collection[str] | None = None,
    tasks: Collection[str] | None = None,
    measure: Measure = "return",
) -> Board:
    """Compare the curves of a store, every curve being a method under its name.

    Parameters
    ----------
    curves : sequence of Curve
        As `workbench.curves` reads them.
    methods, tasks : collection of str, optional
        Names of curves and tasks; all without them.
    measure : {"return", "success"}
        What counts: the return between the behaviour flow's (0) and the best method's (1) on each task, or success.

    Raises
    ------
    UserError
        Nothing of it was measured.
    """
    played = [curve for curve in curves if not curve.offline]
    scales = scales_of(played, measure)
    shown = {
        (curve.name, curve.task): curve
        for curve in played
        if (methods is None or curve.name in methods)
        and (tasks is None or curve.task in tasks)
        and curve.task in scales
    }
    names = [name for name, _ in shown]
    return board_of(shown, scales, "bc" if "bc" in names or not names else names[0])
