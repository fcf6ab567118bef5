"""Which rule and strength to take: the best within a shift, or the least shift that returns enough.

It is chosen on the choosing episodes, over all rules and strengths, and what it gives is told from the reporting episodes, which
had no say in it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from workbench.engine.digits import exact, short
from workbench.engine.metrics.choose import by_strength
from workbench.engine.metrics.intervals import Interval
from workbench.engine.steering.protocol import SettingValue
from workbench.engine.steering.rules import RULES
from workbench.engine.words import UserError
from workbench.experiments.job import SETS
from workbench.experiments.row import spell
from workbench.experiments.summary import CHOOSING, Curve, Point

ROUNDING = 1e-9  # a mean of equal numbers may lie so far from them


class NothingFitsError(UserError):
    """No measured strength satisfies what is asked; the message says how near the nearest comes."""


@dataclass(frozen=True)
class Recommendation:
    """A rule and its strength.

    Attributes
    ----------
    task, rule, axis : str
        ``axis`` is the setting that is the strength.
    strength : float
    settings : dict
        The rule's other settings that are not at their defaults, and training settings (``fit.…``) that tell its curve apart.
    reported : Interval
        Return of the reporting episodes, with its 95% interval over training seeds and episodes.
    shift : float
        Of the reporting episodes.
    chosen_at : float
        Mean return of the choosing episodes, which is too high on average.
    candidates : int
        Strengths, of all rules, that it was chosen from: those that satisfied what was asked on the choosing episodes.
    training_seeds : tuple of int
    chosen_on, reported_on : tuple of int
        Evaluation seeds, one for each training seed; no seed is in both.
    least_return, most_shift : float or None
        What was asked.
    """

    task: str
    rule: str
    axis: str
    strength: float
    settings: dict[str, SettingValue]
    reported: Interval
    shift: float
    chosen_at: float
    candidates: int
    training_seeds: tuple[int, ...]
    chosen_on: tuple[int, ...]
    reported_on: tuple[int, ...]
    least_return: float | None
    most_shift: float | None

    @property
    def certain(self) -> bool:
        """Whether what was asked holds on the reporting episodes, too: the whole interval lies above ``least_return``."""
        enough = self.least_return is None or self.reported.low >= self.least_return - ROUNDING
        return enough and (self.most_shift is None or self.shift <= self.most_shift + ROUNDING)

    def command(self, run: str = "RUN") -> str:
        """The command line that plays it with the networks of ``run``."""
        sets = {**self.settings, self.axis: self.strength}
        words = [f"{name}={spell(value)}" for name, value in sets.items() if not name.startswith("fit.")]
        return shlex.join(["workbench", "evaluate", run, "--rule", self.rule, *(["--set", *words] if words else [])])


class _Candidate(NamedTuple):
    curve: Curve
    point: Point
    returns: float  # of the choosing episodes
    shift: float


def recommend(
    curves: Iterable[Curve], *, most_shift: float | None = None, least_return: float | None = None
) -> Recommendation:
    """Choose a rule and a strength from measured curves.

    With ``most_shift`` the strength that returns most among those that go no farther; with ``least_return`` alone the one of
    least shift among those that return as much. With both, the former among those that also return enough.

    Parameters
    ----------
    curves : iterable of Curve
        Of one task, as `workbench.curves` reads them. Only training seeds that played all strengths of their curve count.
    most_shift : float, optional
        Action units.
    least_return : float, optional
        Task units.

    Returns
    -------
    Recommendation

    Raises
    ------
    NothingFitsError
        No measured strength is so, in words.
    UserError
        Neither limit, curves of several tasks, or none.
    """
    found = list(curves)
    if most_shift is None and least_return is None:
        raise UserError("say what is wanted: the largest shift that is allowed (most_shift), or the least return")
    for name, value in (("most_shift", most_shift), ("least_return", least_return)):
        if value is not None and not np.isfinite(value):
            raise UserError(f"{name} must be a finite number, got {value}")
    if most_shift is not None and most_shift < 0.0:
        raise UserError(f"most_shift must be at least 0, got {exact(most_shift)}")
    if len(tasks := {curve.task for curve in found}) > 1:
        raise UserError(f"these curves are of several tasks ({', '.join(sorted(tasks))}); choose one of them")
    if any(curve.offline for curve in found):
        raise UserError(
            "these curves were measured without an environment, so no return is known that could decide; the strength of the "
            "best fitted-Q value within support is chosen by workbench tune RUN --offline"
        )
    every = [candidate for curve in found for candidate in _candidates(curve)]
    if not every:
        raise UserError("nothing has been measured with its shift yet; run a sweep first")
    fits = [one for one in every if most_shift is None or one.shift <= most_shift + ROUNDING]
    if not fits:
        least = min(every, key=lambda one: one.shift)
        raise NothingFitsError(
            f"no measured strength stays within shift {exact(most_shift or 0.0)}: "
            f"the least is {short(least.shift)} ({_name(least)})"
        )
    enough = [one for one in fits if least_return is None or one.returns >= least_return - ROUNDING]
    if not enough:
        best = max(fits, key=lambda one: one.returns)
        where = "" if most_shift is None else f" within shift {exact(most_shift)}"
        raise NothingFitsError(
            f"no measured strength returns {exact(least_return or 0.0)}{where}: the most is {short(best.point.returns.mean)} "
            f"[{short(best.point.returns.low)}, {short(best.point.returns.high)}] at shift {short(best.shift)} ({_name(best)})"
        )
    if most_shift is None:
        chosen = min(enough, key=lambda one: (one.shift, -one.returns))
    else:
        chosen = max(enough, key=lambda one: (one.returns, -one.shift))
    return _told(chosen, len(enough), most_shift, least_return)


def _candidates(curve: Curve) -> list[_Candidate]:
    """The strengths that all of the curve's seeds have played, by what their choosing episodes gave."""
    if not curve.played:
        return []
    returns = by_strength(curve.played, {CHOOSING})
    shifts: dict[float, list[float]] = {}
    for one in curve.played:
        if one.seed == CHOOSING:
            shifts.setdefault(one.strength, []).append(one.shift)
    points = {point.value: point for point in curve.points}
    found = [
        _Candidate(curve, points[value], float(np.mean([run.mean() for run in runs])), float(np.mean(shifts[value])))
        for value, runs in returns.items()
    ]
    return [one for one in found if np.isfinite(one.shift)]


def _told(chosen: _Candidate, candidates: int, most_shift: float | None, least_return: float | None) -> Recommendation:
    curve, point = chosen.curve, chosen.point
    fields = RULES[curve.rule].model_fields if curve.rule in RULES else {}
    trained = {name: value for name, value in curve.fixed.items() if name.startswith("fit.")}
    changed = {
        name: value for name, value in curve.settings.items() if name in fields and value != fields[name].default
    }
    return Recommendation(
        task=curve.task,
        rule=curve.rule,
        axis=curve.axis,
        strength=point.value,
        settings=changed | trained,
        reported=point.returns,
        shift=float(np.nanmean(point.per_seed["shift.w2"])),
        chosen_at=chosen.returns,
        candidates=candidates,
        training_seeds=point.seeds,
        chosen_on=tuple(SETS["choose"] + seed for seed in point.seeds),
        reported_on=tuple(SETS["report"] + seed for seed in point.seeds),
        least_return=least_return,
        most_shift=most_shift,
    )


def _name(one: _Candidate) -> str:
    return f"{one.curve.name}, {one.curve.axis} {exact(one.point.value)}"
