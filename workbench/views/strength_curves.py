"""What the critic promises and what is earned, against shift, along the strength of a rule: the curves of the budget dial."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from workbench.engine.digits import exact
from workbench.engine.glossary import BEHAVIOUR, FIRST, HERE
from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.models.parts import Parts
from workbench.engine.steering.finite import NonFiniteError
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.abilities import HasTruth
from workbench.engine.tasks.protocol import Task
from workbench.views.caller import Caller, stop_where_overtaken
from workbench.views.csv_file import csv_of
from workbench.views.effort import Effort
from workbench.views.fields import Field, fields_of
from workbench.views.links import changed_settings
from workbench.views.measured import Ride
from workbench.views.particles import MOST_PAIRS
from workbench.views.question import Policy, Question, Scene, effort_of

POINTS = 24  # strengths of a computed curve: every second stop of a dial; lines join them
MOST_SHOWN = (
    256  # particles of a point of single actions: a curve is dozens of pictures, and everybody who opens a page has one
)
GROUPS = 64  # independent groups at least, or a point would be of a few actions
MOST_ROWS = 8192  # particles of a point
TIMES = 100.0  # the usual strength, up and down
WHOLE_TIMES = 10
LEAST_WHOLE = 20
MEASURED_AT = 8  # strengths of a curve that is measured on the page
EPISODES = 60  # at each of them
EPISODES_OF = f"shift {BEHAVIOUR}; promised and earned {FIRST}"
Source = Literal["computed", "promised", "measured"]


@dataclass(frozen=True)
class StrengthCurve:
    """One rule's promised and earned value against shift, by growing strength. K points.

    Attributes
    ----------
    rule, axis : str
        ``axis`` is the setting that changes, the rule's strength.
    strengths, shift, promised, earned : ndarray
        (K,) each; ``earned`` is NaN where it was not measured.
    error : ndarray
        (K,) half of the 95% interval of promised minus earned; NaN where it is not known.
    source : str
        ``computed`` from the true reward at the state that is shown, ``measured`` in episodes, or ``promised``: only what the
        critic says is known.
    where : str
        The states, and of a shipped curve who measured it, in words.
    note : str
        Where it comes from, in a few words.
    """

    rule: str
    axis: str
    strengths: np.ndarray
    shift: np.ndarray
    promised: np.ndarray
    earned: np.ndarray
    error: np.ndarray
    source: Source
    where: str
    note: str = ""

    @property
    def best(self) -> int | None:
        """The point that earns most; None where nothing was measured."""
        return None if np.isnan(self.earned).all() else int(np.nanargmax(self.earned))


def strength_of(rule: str) -> Field:
    """The field of the rule's strength."""
    return next(field for field in fields_of(RULES[rule]) if field.name == RULES[rule].strength)


def strength(policy: Policy) -> Any:
    """The strength of a policy."""
    field = strength_of(policy.rule)
    return policy.settings.get(field.name, field.default)


def stops_of(policy: Policy) -> tuple[Any, ...]:
    """The strengths that the dial goes through: of the slider's stops those up to a hundred times the usual strength.

    Beyond, rules are numerically unstable, and the curve would be of that. Counts go to ten times the usual one. A strength
    that is set beyond takes the dial with it.
    """
    field = strength_of(policy.rule)
    now = strength(policy)
    if field.kind not in ("whole", "number") or not field.default:
        return field.with_stop(now)
    times = WHOLE_TIMES if field.kind == "whole" else TIMES
    low, high = field.default / times, max(field.default * times, LEAST_WHOLE if field.kind == "whole" else 0, now)
    return tuple(stop for stop in field.with_stop(now) if stop == now or stop <= 0 or low <= stop <= high)


def grid_of(policy: Policy, shown: int, points: int = POINTS) -> tuple[Any, ...]:
    """The strengths of a computed curve: stops of the dial, without those that cost too much to look at."""
    field = strength_of(policy.rule)
    now = strength(policy)
    stops = tuple(stop for stop in stops_of(policy) if stop in field.stops or stop == max(field.stops[-1], now))
    every = -(-len(stops) // points)
    grid = dict.fromkeys((*stops[::every], stops[-1]))
    return tuple(stop for stop in grid if _pairs(policy, stop, shown) <= MOST_PAIRS / points)


def _rows(size: int, shown: int) -> int:
    """How many particles a point takes, in groups of ``size``."""
    return max(min(shown, MOST_SHOWN), min(GROUPS * size, MOST_ROWS), size)


def _pairs(policy: Policy, stop: Any, shown: int) -> float:
    rule = _at(policy, stop).make()
    return float(_rows(rule.particles, shown) * rule.particles * rule.ticks())


def _at(policy: Policy, stop: Any) -> Policy:
    return Policy(policy.rule, policy.settings | {RULES[policy.rule].strength: stop})


def along(policy: Policy, question: Question, parts: Parts, task: Task) -> StrengthCurve:
    """Steer at the question's state with every strength, always on the same noise.

    Parameters
    ----------
    policy : Policy
        Its strength does not matter, its other settings do.
    question : Question
        State, noise and number of particles.
    parts, task
        With the reward's peak where the question wants it (`Question.posed`).
    """
    scene, found = Scene(), []
    for stop in grid_of(policy, question.shown):
        tried = _at(policy, stop)
        shown = _rows(tried.make().particles, question.shown)
        try:
            numbers = scene.answer(replace(question, policies=(tried,), shown=shown, peak=None), parts, task).numbers[1]
        except NonFiniteError:  # the particles ran away, and farther ones will too
            break
        nan = float("nan")
        earned = nan if numbers.earned is None else numbers.earned
        error = nan if numbers.gap_error is None else numbers.gap_error
        found.append((float(stop), numbers.shift, numbers.promised, earned, error))
    source: Source = "computed" if isinstance(task, HasTruth) else "promised"
    note = "Computed from the true reward" if source == "computed" else "Computed from the critic"
    return _curve(policy.rule, found, source, f"{note.lower()}, {HERE}", note)


def _curve(
    rule: str, points: Sequence[tuple[float, float, float, float, float]], source: Source, where: str, note: str = ""
) -> StrengthCurve:
    """Of points (strength, shift, promised, earned, error)."""
    strengths, shift, promised, earned, error = np.array(points, dtype=float).reshape(-1, 5).T
    return StrengthCurve(rule, RULES[rule].strength, strengths, shift, promised, earned, error, source, where, note)


def key_of(policy: Policy, question: Question) -> Hashable:
    """What a computed curve depends on: everything but the strength, of which only how far the dial goes."""
    strength = RULES[policy.rule].strength
    others = tuple(sorted((name, str(value)) for name, value in changed_settings(policy).items() if name != strength))
    return (
        question.task,
        question.state,
        question.peak,
        question.seed,
        question.shown,
        policy.rule,
        others,
        grid_of(policy, question.shown),
    )


def effort_of_dial(question: Question) -> Effort:
    """What all curves of a question cost."""
    guess, shapes = 0.0, []
    for policy in question.policies:
        for stop in grid_of(policy, question.shown):
            tried = replace(question, policies=(_at(policy, stop),))
            guess += effort_of(tried, "dial", 0).guess
        shapes.append((policy.rule, len(grid_of(policy, question.shown)), question.shown))
    return Effort(("dial", question.task, tuple(question.rules)), tuple(shapes), guess)


class DialArtist:
    """Computes curves in a drawing process."""

    def draw(self, asked: Question, parts: Parts, task: Task) -> list[StrengthCurve]:
        """The curve of each policy of the question."""
        posed = asked.posed(parts, task)
        return [along(policy, asked, *posed) for policy in asked.policies]


def of_ride(ride: Ride) -> StrengthCurve:
    """A measured curve, one's own or the one that comes with the package."""
    nan = float("nan")
    promised, earned = ([nan if one is None else one.mean for one in some] for some in (ride.promised, ride.earned))
    error = [nan if gap is None else (gap.high - gap.low) / 2 for gap in ride.gap]
    seeds = f"{len(ride.seeds)} {'seed' if len(ride.seeds) == 1 else 'seeds'}"
    note = f"Shipped example, {seeds}" if ride.origin else f"Your own runs, {seeds}"
    where = f"{ride.origin}; {EPISODES_OF}" if ride.origin else EPISODES_OF
    points = list(zip(ride.strength, ride.shift, promised, earned, error, strict=True))
    return _curve(ride.rule, points, "measured", where, note)


def ride_for(policy: Policy, found: Sequence[Ride]) -> Ride | None:
    """The ride of the policy's rule along its strength with the policy's other settings; None where it was not measured."""
    axis = RULES[policy.rule].strength
    others = {name: value for name, value in changed_settings(policy).items() if name != axis}
    fitting = (ride for ride in found if (ride.rule, ride.axis) == (policy.rule, axis))
    return next((ride for ride in fitting if _unusual(ride) == others and any(ride.earned)), None)


def _unusual(ride: Ride) -> dict[str, Any]:
    usual = {field.name: field.default for field in fields_of(RULES[ride.rule])}
    return {name: value for name, value in ride.settings.items() if usual.get(name) != value}


def measure(asked: tuple[Policy, int], parts: Parts, task: Task, caller: Caller) -> StrengthCurve:
    """Play episodes at some of the dial's strengths: what it earns where no formula says it.

    Parameters
    ----------
    asked : tuple of Policy and int
        The int is the seed of starts and noise, the same for all strengths.
    parts, task
    caller : Caller
        Hears the share of the episodes that are played; OvertakenError once it does not want them any more.
    """
    policy, seed = asked
    stops = stops_of(policy)
    picked = sorted({round(place) for place in np.linspace(0, len(stops) - 1, MEASURED_AT)})

    def watch(*_: Any) -> None:
        stop_where_overtaken(caller)

    found = []
    for done, place in enumerate(picked):
        rule = _at(policy, stops[place]).make()
        try:
            one = evaluate(rule, parts, task, EPISODES, seed, watch=watch)
        except NonFiniteError:
            break
        caller.progress((done + 1) / len(picked))
        promised, error = float("nan"), float("nan")
        if one.promised is not None and one.gap is not None:
            promised, error = one.promised.mean, (one.gap.high - one.gap.low) / 2
        found.append((float(stops[place]), one.shift.w2, promised, one.earned.mean, error))
    note = f"Measured here, {EPISODES} episodes at each of {len(found)} strengths"
    return _curve(policy.rule, found, "measured", EPISODES_OF, note)


def as_csv(curves: Sequence[StrengthCurve]) -> bytes:
    """One line a point: rule, strength, shift, promised, earned, their difference and its half interval."""
    head = ["rule", "strength", "shift", "promised", "earned", "gap", "gap_half_interval", "source"]
    rows = []
    for curve in curves:
        columns = (
            curve.strengths,
            curve.shift,
            curve.promised,
            curve.earned,
            curve.promised - curve.earned,
            curve.error,
        )
        for values in zip(*columns, strict=True):
            rows.append([curve.rule, *(exact(value) for value in values), curve.source])
    return csv_of(head, rows)


def title_of(rule: str) -> str:
    """The rule's title."""
    return RULES[rule].title
