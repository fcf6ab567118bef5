"""The figures of a report, from the curves of one task: what is drawn, before anything draws it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from workbench.elements.tradeoff import by_seed, chosen, series_of
from workbench.engine.digits import exact
from workbench.engine.glossary import TERM
from workbench.experiments.summary import Curve
from workbench.plots.palette import Look, looks_of
from workbench.plots.series import Axes, Series, places


class Picture(NamedTuple):
    """A figure before it is drawn: HoloViews and matplotlib draw the same one."""

    name: str
    caption: str
    series: list[Series]
    axes: Axes


def pictures(curves: list[Curve]) -> list[Picture]:
    """The figures of one task: return against shift, and for each kind of strength return, promise and gap."""
    looks = dict(zip((curve.name for curve in curves), looks_of([curve.rule for curve in curves]), strict=True))
    return [_dyed(picture, looks) for picture in _pictures(curves)]


def _dyed(picture: Picture, looks: Mapping[str, Look]) -> Picture:
    """Two curves of one rule in colours and shapes of their own, the same in every figure."""
    series = []
    for line in picture.series:
        name = next(name for name in (line.name, line.name.rpartition(": ")[0]) if name in looks)
        series.append(line._replace(own_look=looks[name]))
    return picture._replace(series=series)


def _pictures(curves: list[Curve]) -> list[Picture]:
    found = [_frontier(curves)] if any(np.isfinite(curve.column("shift.w2")).any() for curve in curves) else []
    for axis in dict.fromkeys(curve.axis for curve in curves if len(curve.points) > 1):
        along = [curve for curve in curves if curve.axis == axis and len(curve.points) > 1]
        values = np.array(sorted({point.value for curve in along for point in curve.points}))
        found += [_budget(axis, along, values), *([] if along[0].offline else [_gap(axis, along, values)])]
        bounded = [curve for curve in along if np.isfinite(curve.column("mmd_bound.bound")).any()]
        found += [_discrepancy(axis, bounded, values)] if bounded else []
    return found


def _where_from(curves: list[Curve]) -> str:
    """Which episodes the numbers of a figure are of, or that there were none."""
    if curves[0].offline:
        return "No return was measured: no episode was played."
    return "All returns are of the reporting episodes."


def _frontier(curves: list[Curve]) -> Picture:
    series = [series_of(curve, "shift.w2", "return") for curve in curves]
    worth = curves[0].worth
    caption = (
        f"{worth.label} against shift: {TERM['shift.w2'].hint}. Each line follows one method from small strengths "
        "to large ones; thick: mean over seeds with the 95% bootstrap interval over seeds and episodes; thin: every seed. The "
        f"ring marks the chosen strength. {_where_from(curves)}"
    )
    axes = Axes(TERM["shift.w2"].head, worth.head)
    return Picture(f"{'value' if curves[0].offline else 'return'}-against-shift", caption, series, axes)


def _budget(axis: str, curves: list[Curve], values: np.ndarray) -> Picture:
    series = []
    for curve in curves:
        seeds, at, beside, labels = _along(axis, curve, values)
        low, high = (np.array([getattr(point.returns, end) for point in curve.points]) for end in ("low", "high"))
        series.append(
            Series(
                f"{curve.name}: {curve.worth.label.lower()}",
                curve.rule,
                at,
                curve.column("return"),
                low,
                high,
                beside,
                by_seed(curve, "return", seeds),
                labels,
                chosen(curve),
            )
        )
        if np.isfinite(curve.column("promised")).any():
            series.append(
                Series(
                    f"{curve.name}: promised",
                    curve.rule,
                    at,
                    curve.column("promised"),
                    None,
                    None,
                    beside,
                    by_seed(curve, "promised", seeds),
                    labels,
                    None,
                    True,
                )
            )
    worth = curves[0].worth
    falls = "" if curves[0].offline else ", which goes on rising where the return falls: the critic is being exploited"
    caption = (
        f"{worth.label} and what the critic promises, against {axis}. Solid: {worth.label}; dashed: promised, "
        f"the critic's own value of the first actions (discounted){falls}. {_where_from(curves)} Thin: every seed."
    )
    axes = Axes(f"strength: {axis}", f"{worth.label}, and promised (task units)", places(values))
    return Picture(
        f"{'value' if curves[0].offline else 'return'}-and-estimate-against-{axis.replace('.', '-')}",
        caption,
        series,
        axes,
    )


def _gap(axis: str, curves: list[Curve], values: np.ndarray) -> Picture:
    series = []
    for curve in curves:
        seeds, at, beside, labels = _along(axis, curve, values)
        gaps = curve.column("gap")
        series.append(
            Series(curve.name, curve.rule, at, gaps, None, None, beside, by_seed(curve, "gap", seeds), labels)
        )
    caption = (
        f"Gap against {axis}: promised (the critic's value of the first actions) minus earned (their discounted return in the "
        "environment). Above 0 the critic promises more than it keeps."
    )
    axes = Axes(f"strength: {axis}", "Gap: promised − earned (task units)", places(values), zero=True)
    return Picture(f"gap-against-{axis.replace('.', '-')}", caption, series, axes)


def _discrepancy(axis: str, curves: list[Curve], values: np.ndarray) -> Picture:
    series = []
    for curve in curves:
        seeds, at, beside, labels = _along(axis, curve, values)
        for words, name, dashed in (("measured", "mmd_bound.mmd2", False), ("the bound", "mmd_bound.bound", True)):
            middle, each = (_above_zero(found) for found in (curve.column(name), by_seed(curve, name, seeds)))
            series.append(
                Series(
                    f"{curve.name}: {words}", curve.rule, at, middle, None, None, beside, each, labels, dashed=dashed
                )
            )
    caption = (
        f"MMD² between the behaviour particles and the transported ones against {axis}, and VGF's theoretical bound on it "
        "(arXiv 2604.14265), which grows with the transport steps and the critic's steepest gradient. The bound is proven for "
        "plain steps with a fixed kernel width; for others it is shown for comparison. Zeros cannot be drawn on this scale."
    )
    axes = Axes(f"strength: {axis}", "MMD²", places(values), log=True)
    return Picture(f"mmd-against-{axis.replace('.', '-')}", caption, series, axes)


def _above_zero(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0.0, values, np.nan)


def _along(axis: str, curve: Curve, values: np.ndarray) -> tuple[list[int], np.ndarray, np.ndarray, tuple[str, ...]]:
    """What all figures over a strength share: seeds, places (P,) of the curve's points, the same for each seed, and labels."""
    seeds = sorted({seed for point in curve.points for seed in point.seeds})
    at = np.searchsorted(values, [point.value for point in curve.points]).astype(np.float64)
    labels = tuple(f"{curve.name}, {axis} = {exact(point.value)}" for point in curve.points)
    return seeds, at, np.broadcast_to(at, (len(seeds), len(at))), labels
