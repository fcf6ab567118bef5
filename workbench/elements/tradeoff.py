"""Return against shift: measured curves with intervals and every seed."""

from __future__ import annotations

from collections.abc import Sequence

import holoviews as hv
import numpy as np

from workbench.engine.digits import exact
from workbench.engine.glossary import TERM
from workbench.engine.words import UserError
from workbench.experiments.store import Store
from workbench.experiments.summary import MEASURES, Curve, read_curves
from workbench.plots.measurement import measured
from workbench.plots.palette import looks_of
from workbench.plots.series import Axes, Series
from workbench.plots.styled import framed

WIDE = 460  # pixels


def frontier(
    source: Store | Sequence[Curve], x: str = "shift.w2", y: str = "return", task: str | None = None
) -> hv.Overlay:
    """What steering buys and what it costs: each rule from small strengths to large ones.

    Parameters
    ----------
    source : Store, or sequence of Curve
        A store, or what `workbench.curves` reads from one.
    x, y : str
        Numbers of the glossary: "return", "shift.w2", "transport", "promised", "earned", "gap", ….
    task : str, optional
        Whose curves; needed where there are those of several tasks.

    Returns
    -------
    holoviews.Overlay
        For each curve: a thin `holoviews.Curve` a seed, the mean over seeds thick, 95% intervals as `holoviews.ErrorBars`
        (of the return: over seeds and episodes), a `holoviews.Scatter` of the strengths, and a ring around the one that the
        choosing episodes prefer.

    Raises
    ------
    UserError
        No curves, several tasks, or a number that was not measured.
    """
    found, damaged = read_curves(source) if isinstance(source, Store) else (list(source), {})
    tasks = sorted({curve.task for curve in found})
    if task is not None:
        found = [curve for curve in found if curve.task == task]
    if not found:
        known = f"there are those of {', '.join(tasks)}" if tasks else "nothing is measured yet: wb.sweep(grid, store)"
        if damaged:
            known = f"{len(damaged)} runs are damaged and left out: workbench runs check STORE says why"
        raise UserError(f"no curve{f' of task {task!r}' if task else ''} to draw; {known}")
    if task is None and len(tasks) > 1:
        raise UserError(f"there are curves of {', '.join(tasks)}: choose one with task='{tasks[0]}'")
    measures = ("return", *MEASURES)
    for name in (x, y):
        if name not in measures:
            raise UserError(f"'{name}' is no number of a curve; there are {', '.join(measures)}")
    shown = [curve for curve in found if np.isfinite(curve.column(x) * curve.column(y)).any()]
    if not shown:
        raise UserError(f"no curve has both '{x}' and '{y}'; what was measured depends on parts and task")
    axes = Axes(TERM[x].head, TERM[y].head, zero=y == "gap")
    looks = looks_of([curve.rule for curve in shown])
    series = [series_of(curve, x, y)._replace(own_look=look) for curve, look in zip(shown, looks, strict=True)]
    return framed(measured(series, axes), WIDE)


def series_of(curve: Curve, x: str, y: str) -> Series:
    """A curve as a figure draws it."""
    seeds = sorted({seed for point in curve.points for seed in point.seeds})
    low, high = (np.array([getattr(point.returns, end) for point in curve.points]) for end in ("low", "high"))
    return Series(
        curve.name,
        curve.rule,
        curve.column(x),
        curve.column(y),
        low if y == "return" else None,
        high if y == "return" else None,
        by_seed(curve, x, seeds),
        by_seed(curve, y, seeds),
        tuple(f"{curve.name}, {curve.axis} = {exact(point.value)}" for point in curve.points),
        chosen(curve),
    )


def by_seed(curve: Curve, name: str, seeds: Sequence[int]) -> np.ndarray:
    """A measure of every seed at every strength, (G, P); NaN where a seed has not played a strength."""
    rows = []
    for seed in seeds:
        row = [
            point.per_seed[name][point.seeds.index(seed)] if seed in point.seeds else np.nan for point in curve.points
        ]
        rows.append(np.array(row, dtype=np.float64))
    return np.stack(rows)


def chosen(curve: Curve) -> int | None:
    """Which point the choosing episodes prefer; None where there is no choice."""
    if curve.choice is None or len(curve.points) < 2:
        return None
    return [point.value for point in curve.points].index(curve.choice.strength)
