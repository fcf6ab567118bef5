"""A measured curve as the page of budgets draws it: the axis of shifts, where the dial stands, and the sentence on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from workbench.engine.digits import exact, figure, rounded
from workbench.engine.glossary import TERM
from workbench.engine.metrics.intervals import Interval
from workbench.engine.steering.rules import RULES
from workbench.experiments.summary import Curve
from workbench.views.fields import Field, fields_of
from workbench.views.measured import Ride, ends_of

BETWEEN = 12  # positions of the dial from one measured strength to the next
DECADES = 10.0  # an axis is logarithmic when its largest shift is so many times the least one that can be told from 0
LEADS = (1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Scale:
    """An axis of shifts. Where they span decades it is logarithmic above ``unit`` and even below it, so that 0 has a place.

    Attributes
    ----------
    unit : float
        0 for an axis that is even throughout.
    most : float
        The largest shift.
    """

    unit: float
    most: float

    def to(self, shift: Any) -> np.ndarray:
        """Where shifts lie on the axis."""
        values = np.asarray(shift, dtype=np.float64)
        return values if self.unit == 0.0 else np.asarray(np.arcsinh(values / self.unit))

    def ticks(self) -> dict[float, str]:
        """Words by place on the axis; empty for an even axis, which needs none of its own."""
        if self.unit == 0.0:
            return {}
        lowest, highest = (int(np.floor(np.log10(value))) for value in (self.unit, max(self.most, self.unit)))
        shifts = [lead * 10.0**power for power in range(lowest, highest + 1) for lead in LEADS]
        found = {0.0: "0"}
        for shift in shifts:
            if self.unit <= shift <= 1.6 * self.most:
                found[float(self.to(shift))] = exact(shift)
        return found


def scale_of(shifts: np.ndarray) -> Scale:
    """The axis for these shifts: logarithmic where they span a decade or more."""
    known = np.abs(shifts[np.isfinite(shifts)])
    most = float(known.max(initial=0.0))
    least = float(known[known > 1e-3 * most].min(initial=most))
    return Scale(least if most > DECADES * least > 0.0 else 0.0, most)


def field_of(rule: str, axis: str) -> Field | None:
    """The rule's setting that is the strength; None where it was set in training."""
    return next((field for field in fields_of(RULES[rule]) if field.name == axis), None)


def strength_words(ride: Ride | Curve, strength: float) -> str:
    """The strength in words, by the symbol of the papers where there is one: "w = 0.3"."""
    field = field_of(ride.rule, ride.axis)
    name = (field.symbol if field is not None else "") or ride.axis.replace("_", " ")
    return f"{name} = {exact(strength)}"


class Track(NamedTuple):
    """Where a dial can stand, T positions; every `BETWEEN`-th is a measured strength.

    Attributes
    ----------
    columns : dict of str to ndarray
        (T,) ``shift``, ``value`` (return), ``promised``, ``earned``, ``gap``; between two strengths read off straight lines
        of the axis ``scale``, as the picture draws them. ``at`` is the shift's place on that axis.
    strengths : tuple of float
        (T,); between two strengths their ratio is divided evenly, whole settings are whole.
    words : tuple of str
        (T,) for eyes and ears: strength, return, shift, and how wrong the critic is.
    """

    columns: dict[str, np.ndarray]
    strengths: tuple[float, ...]
    words: tuple[str, ...]


def track_of(ride: Ride, scale: Scale) -> Track:
    """All positions of a dial on a curve."""
    count = len(ride.strength)
    place = np.arange((count - 1) * BETWEEN + 1) / BETWEEN
    points = np.arange(count)
    columns = {"at": np.interp(place, points, scale.to(ride.shift)), "shift": np.interp(place, points, ride.shift)}
    for name, values in (("value", ride.returns), ("promised", ride.promised), ("earned", ride.earned)):
        columns[name] = np.interp(place, points, [np.nan if one is None else one.mean for one in values])
    columns["gap"] = columns["promised"] - columns["earned"]
    strengths = tuple(_between(ride, float(one)) for one in place)
    words = tuple(_words(ride, columns, number, strengths[number]) for number in range(len(place)))
    return Track(columns, strengths, words)


def _between(ride: Ride, place: float) -> float:
    low, part = int(place), place % 1.0
    first = ride.strength[low]
    if part == 0.0:
        return first
    second = ride.strength[low + 1]
    value = first ** (1 - part) * second**part if first > 0.0 else part * second
    field = field_of(ride.rule, ride.axis)
    return float(round(value)) if field is not None and field.kind == "whole" else rounded(value, 3)


def _words(ride: Ride, columns: dict[str, np.ndarray], number: int, strength: float) -> str:
    value, shift, gap = (float(columns[name][number]) for name in ("value", "shift", "gap"))
    sure = "" if number % BETWEEN == 0 else "about "
    text = f"{strength_words(ride, strength)}: {_inside(ride.worth)} {sure}{figure(value)} at shift {figure(shift)}"
    return text if not np.isfinite(gap) else f"{text}, the critic is wrong by {figure(gap)}"


def verdict(ride: Ride) -> str:
    """One sentence: what the best strength gives, and what the largest one loses of it."""
    if ride.best is None:
        return "No strength is chosen yet: some of them lack seeds that others have."
    best, last = ride.best, len(ride.strength) - 1
    name, shift = strength_words(ride, ride.strength[best]), figure(ride.shift[best])
    verb = "earns" if ride.worth == TERM["return"].label else f"has the {_inside(ride.worth)}"
    first = f"{name} {verb} {figure(ride.returns[best].mean)} at shift {shift}"
    if best == last:
        return f"{first}; no stronger one was measured, so the peak may lie beyond it."
    return f"{first}; {strength_words(ride, ride.strength[last])} {loss(ride.returns[best], ride.returns[last])}."


def critic_words(ride: Ride) -> str:
    """One sentence on why the critic is wrong at both ends of the curve: what it errs by itself, and what steering changes.

    A critic errs at the behaviour's own actions too: it may value how a better policy would go on. That tells nothing of a
    strength; by how much the error changes along the curve does. "" where it was not measured.
    """
    start, last = ride.gap[0], ride.gap[-1]
    if start is None or last is None or len(ride.gap) < 2:
        return ""
    words = strength_words(ride, ride.strength[0])
    begins = f"without steering ({words})" if is_unsteered(ride) else f"at the least strength ({words})"
    if start.low > 0.0 or start.high < 0.0:
        way = "too much" if start.mean > 0.0 else "too little"
        first = f"Already {begins} the critic promises {figure(abs(start.mean))} {way}, which no push has caused"
    else:
        half = figure((start.high - start.low) / 2)
        first = f"{begins[:1].upper()}{begins[1:]} the critic is right within {half}"
    steps = []
    if ride.best not in (None, 0, len(ride.gap) - 1) and (best := ride.gap[ride.best or 0]) is not None:
        steps.append(
            f"to {figure(best.mean)} at the best strength ({strength_words(ride, ride.strength[ride.best or 0])})"
        )
    steps.append(f"to {figure(last.mean)} at {strength_words(ride, ride.strength[-1])}")
    return f"{first}; what counts is the change: {', then '.join(steps)}."


def is_unsteered(ride: Ride) -> bool:
    """Whether the least strength of the curve is the behaviour policy."""
    at: dict[str, Any] = RULES[ride.rule].bc_at or {}
    return ride.axis in at and float(at[ride.axis]) == ride.strength[0]


class Growth(NamedTuple):
    """The critic's error with one rule, at its best strength and at its largest; None where it was not measured.

    Attributes
    ----------
    name, strength : str
        Of the curve, and of its largest strength, in words.
    best, last : Interval or None
    """

    name: str
    strength: str
    best: Interval | None
    last: Interval | None


def growth_of(curve: Curve) -> Growth:
    """The two errors of a curve; nothing of what lies between is worked out, which would take long."""
    best, last = ends_of(curve)
    return Growth(curve.name, strength_words(curve, last.value), best.interval("gap"), last.interval("gap"))


def fooled_words(found: Sequence[Growth]) -> str:
    """One sentence: with which rules the critic's error grows from the best strength to the largest one, and with which not.

    It has grown where the 95% intervals of the two errors do not meet. "" where nothing of it was measured.
    """
    fooled, right = [], []
    for one in found:
        if one.best is None or one.last is None:
            continue
        if one.last.low > one.best.high:
            grown = one.last.mean - one.best.mean
            fooled.append((grown, f"{one.name} ({figure(grown)} more wrong at {one.strength})"))
        else:
            right.append(one.name)
    if not fooled:
        return f"The critic fools none of them past its best strength: {', '.join(right)}." if right else ""
    worst = ", ".join(words for _, words in sorted(fooled, key=lambda one: -one[0]))
    rest = f"; not {', '.join(right)}" if right else ""
    return f"Past its best strength the critic fools {worst}{rest}."


def loss(best: Interval, other: Interval) -> str:
    """What ``other`` returns less than ``best``: a share of it where that has a meaning."""
    lost = best.mean - other.mean
    if lost <= 0.0:
        return f"loses nothing of it here ({figure(other.mean)})"
    if best.mean > 0.0 and other.mean >= 0.0:
        return f"loses {lost / best.mean:.0%} of it"
    return f"gives {figure(lost)} less"


def _inside(label: str) -> str:
    """A label within a sentence."""
    return label[:1].lower() + label[1:]


def read_dial(arguments: Mapping[str, str]) -> tuple[str, float | None]:
    """The curve that the dial rides on, and the strength where it stands, in a link."""
    try:
        strength = float(arguments.get("dial_at", ""))
    except ValueError:
        return arguments.get("dial", ""), None
    return arguments.get("dial", ""), strength if 0.0 <= strength < 1e9 else None
