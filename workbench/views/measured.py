"""Measured curves, one's own or those that come with the package, as a dial rides them: from nothing to too far."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workbench.engine.glossary import TERM
from workbench.engine.metrics.intervals import Interval
from workbench.engine.steering.rules import RULES
from workbench.experiments.files import DamagedError
from workbench.experiments.shipped import shipped
from workbench.experiments.store import Store
from workbench.experiments.summary import Curve, Point, curves, curves_of, read_curves

USUAL = (
    "bc",
    "qgf",
    "vgf",
    "grad_step",
    "best_of_n",
)  # of the shipped curves those that are drawn before anybody chose
SEEN = {"shift": "shift.w2", "return": "return", "promised": "promised", "earned": "earned", "gap": "gap"}


@functools.cache
def shipped_curves() -> tuple[Curve, ...]:
    """The curves that come with the package; each says so in its ``origin``."""
    found = shipped()
    return tuple(replace(curve, origin=found.words) for curve in curves_of(found.measured))


def with_shipped(own: Sequence[Curve]) -> list[Curve]:
    """``own``, and the shipped curves of those tasks on which none of one's own runs over several strengths."""
    have = {curve.task for curve in own if len(curve.points) > 1}
    return [*own, *(curve for curve in shipped_curves() if curve.task not in have)]


Read = tuple[list[Curve], dict[str, DamagedError]]


def read(store: Store | None) -> Read:
    """One's own curves, and the shipped ones of tasks that lack them; which runs are damaged, and why.

    The intervals that a picture needs first are made ready here, where nobody waits for the thread.
    """
    own, damaged = ([], {}) if store is None else read_curves(store)
    found = with_shipped(own)
    for curve in found:
        if not curve.origin or curve.rule in USUAL:
            _ = [point.returns for point in curve.points]
            _ = [point.interval("gap") for point in ends_of(curve)]
    return found, damaged


def ends_of(curve: Curve) -> tuple[Point, Point]:
    """The point of the best strength, where one is chosen, else the first; and the last one."""
    chosen = None if curve.choice is None else curve.choice.strength
    return next((point for point in curve.points if point.value == chosen), curve.points[0]), curve.points[-1]


@dataclass(frozen=True)
class Ride:
    """A measured curve as a dial rides it. P strengths, the smallest first, G seeds.

    Attributes
    ----------
    task, rule : str
    name : str
        Of the curve: the rule, and what tells it from other curves of the rule.
    axis : str
        The setting that is the strength.
    settings : dict
        The rule's other settings that are not at their defaults.
    strength, shift : tuple of float
        (P,)
    returns : tuple of Interval
        (P,)
    promised, earned, gap : tuple of Interval or None
        (P,), None where it was not measured.
    per_seed : dict of str to tuple
        ``shift``, ``return``, ``promised``, ``earned``, ``gap``: (P, G) each, NaN where it was not measured.
    seeds : tuple of int
        (G,), of training.
    best : int or None
        Place of the strength that the choosing episodes prefer; everything else here is of the reporting episodes.
    origin : str
        "" for one's own store, else what every picture of the curve must say.
    worth : str
        What ``returns`` are called: "return", or where no episode was played "fitted-Q value".
    """

    task: str
    rule: str
    name: str
    axis: str
    settings: dict[str, Any]
    strength: tuple[float, ...]
    shift: tuple[float, ...]
    returns: tuple[Interval, ...]
    promised: tuple[Interval | None, ...]
    earned: tuple[Interval | None, ...]
    gap: tuple[Interval | None, ...]
    per_seed: dict[str, tuple[tuple[float, ...], ...]]
    seeds: tuple[int, ...]
    best: int | None
    origin: str
    worth: str = TERM["return"].label

    def place(self, strength: float) -> int:
        """The measured strength that is nearest to ``strength``, by ratio where both are above 0."""
        at = np.array(self.strength)
        far = np.abs(at - strength)
        if strength > 0.0:
            far = np.where(at > 0.0, np.abs(np.log(np.maximum(at, 1e-300) / strength)), np.inf)
        return int(far.argmin())


def begun(curve: Curve, here: Iterable[Curve]) -> Curve:
    """The curve from the behaviour policy on, where the rule's least strength is that policy and ``here`` has measured it."""
    behaviour = _behaviour_of(curve, here) if curve.rule in RULES else None
    start = None if behaviour is None else _start(curve, behaviour)
    if start is None or curve.points[0].value <= start.value:
        return curve
    return replace(curve, points=(start, *curve.points))


def ride(curve: Curve) -> Ride:
    """The curve as a dial rides it."""
    points = curve.points
    seeds = tuple(sorted({seed for point in points for seed in point.seeds}))
    chosen = None if curve.choice is None else curve.choice.strength
    return Ride(
        curve.task,
        curve.rule,
        curve.name,
        curve.axis,
        changed_settings(curve),
        tuple(point.value for point in points),
        tuple(float(np.nanmean(point.per_seed["shift.w2"])) for point in points),
        tuple(point.returns for point in points),
        tuple(point.interval("promised") for point in points),
        tuple(point.interval("earned") for point in points),
        tuple(point.interval("gap") for point in points),
        {name: tuple(_by_seed(point, key, seeds) for point in points) for name, key in SEEN.items()},
        seeds,
        next((place for place, point in enumerate(points) if point.value == chosen), None),
        curve.origin,
        curve.worth.label,
    )


def changed_settings(curve: Curve) -> dict[str, Any]:
    """The settings of the curve's rule, beside the strength, that are not at their defaults."""
    fields = RULES[curve.rule].model_fields
    return {name: value for name, value in curve.settings.items() if name in fields and value != fields[name].default}


def rides(found: Iterable[Curve], task: str) -> list[Ride]:
    """The curves of ``task`` that have several strengths, and a shift at each, as a dial rides them."""
    here = [curve for curve in found if curve.task == task]
    return [ride(begun(curve, here)) for curve in here if is_wide(curve)]


def is_wide(curve: Curve) -> bool:
    """Whether a curve has several strengths, and a shift at each."""
    return len(curve.points) > 1 and curve.rule in RULES and bool(np.isfinite(curve.column("shift.w2")).all())


def ride_of(task: str, rule: str, store: Store | None = None) -> Ride | None:
    """The curve on which a dial of ``rule`` rides on ``task``: from ``store`` where it has one, else the shipped one.

    Of several curves of the rule the one with its usual settings. None where nothing was measured.
    """
    own = [] if store is None else curves(store, (task,))
    for found in (own, list(shipped_curves())):
        here = [curve for curve in found if curve.task == task]
        of_rule = [curve for curve in here if curve.rule == rule and is_wide(curve)]
        if of_rule:
            curve = min(of_rule, key=lambda curve: len(curve.fixed))
            return ride(begun(curve, here))
    return None


def _behaviour_of(curve: Curve, here: Iterable[Curve]) -> Curve | None:
    """The behaviour policy's curve that was measured on the same episodes, data and training seeds."""
    for other in here:
        same = (other.measured_on, other.origin) == (curve.measured_on, curve.origin)
        if other.rule == "bc" and not other.fixed and same and other.points[0].seeds == curve.points[0].seeds:
            return other
    return None


def _start(curve: Curve, behaviour: Curve) -> Point | None:
    """The behaviour policy as the rule's least strength; None where the rule at that strength is another policy."""
    kind = RULES[curve.rule]
    at: dict[str, Any] = kind.bc_at or {}
    if curve.axis not in at or any(curve.settings.get(n) != value for n, value in at.items() if n != curve.axis):
        return None
    return replace(behaviour.points[0], value=float(at[curve.axis]))


def _by_seed(point: Point, key: str, seeds: Sequence[int]) -> tuple[float, ...]:
    values = dict(zip(point.seeds, point.per_seed[key].tolist(), strict=True))
    return tuple(values.get(seed, float("nan")) for seed in seeds)
