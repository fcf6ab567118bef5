"""What the page of budgets draws: the curves of a store, the reader's own settings among them, and all rules at one shift."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workbench.engine.digits import exact, rounded
from workbench.engine.glossary import TERM
from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.metrics.intervals import Interval
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.protocol import Task
from workbench.engine.words import UserError, plain
from workbench.experiments.files import DamagedError
from workbench.experiments.grid import Grid
from workbench.experiments.summary import MEASURES, Curve, matched
from workbench.experiments.summary import curves as read  # noqa: F401 -- under this name until 0.3, for scripts
from workbench.views.caller import Caller, go_on, stop_where_overtaken
from workbench.views.csv_file import csv_of
from workbench.views.fields import fields_of
from workbench.views.question import Policy, Question
from workbench.views.unmeasured import Target

HERE_EPISODES = 200
# A first sweep that takes a minute or two: three rules, each from too weak to too strong.
FIRST = ("bc", "qgf", "grad_step", "best_of_n")
STRENGTHS: dict[str, tuple[float, ...]] = {
    "qgf": (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    "grad_step": (1, 2, 5, 10, 20, 40),
    "best_of_n": (2, 4, 8, 16),
}
USUAL = Target("three_exits", "Three exits")  # what a small sweep measures
APART = 7  # stops of a slider between two strengths of a rule that has none above: for a weight a factor of five
MOST = 6
# A story is a shift that all rules are compared at, read off the measured curves.
STORIES: dict[str, tuple[str, str]] = {
    "cautious": ("Cautious", "a third of the way: what a push buys that hardly leaves the data"),
    "balanced": ("Balanced", "the shift of the best rule at the strength that its choosing episodes prefer"),
    "too_far": (
        "Too far",
        "the farthest shift that two rules reach: promised (dashed) still rises, the return has fallen",
    ),
}


def strengths_of(rule: str) -> tuple[float, ...]:
    """Values of the rule's strength from well below its default to far above; none where training sets the strength."""
    kind = RULES[rule]
    if rule in STRENGTHS or not kind.bc_at:
        return STRENGTHS.get(rule, ())
    field = next(field for field in fields_of(kind) if field.name == kind.strength)
    middle = field.stops.index(field.default)
    return tuple(stop for stop in field.stops[middle % APART :: APART] if stop)[:MOST]


def grid_of(rules: Sequence[str], target: Target = USUAL) -> Grid:
    """A small sweep, on three exits unless ``target`` says otherwise: two seeds, each rule at its strengths."""
    axes = {f"{rule}.{RULES[rule].strength}": values for rule in rules if (values := strengths_of(rule))}
    return Grid(
        tasks=(target.task,), rules=tuple(rules), axes=axes | target.axes, seeds=(0, 1), episodes=target.episodes
    )


@dataclass(frozen=True)
class Here:
    """Where one policy lies: read off the curve that has its settings, else its own evaluation, with few episodes.

    Attributes
    ----------
    policy : Policy
    task : str
    shift, transport : float
    value, low, high : float
        Mean return with its 95% interval.
    promised : float
        NaN without a critic.
    curve : str
        The curve that it was read off; "" for an evaluation of its own.
    source : str
        Whose policy was evaluated, by its name in links; "" for what was read off.
    """

    policy: Policy
    task: str
    shift: float
    value: float
    low: float
    high: float
    transport: float
    promised: float
    curve: str = ""
    source: str = ""


def on_curve(policy: Policy, shown: Sequence[Curve]) -> Here | None:
    """Where a policy lies on a measured curve of its rule with all of its other settings; None where there is no such curve.

    Between two strengths it is read off the straight line between their points, by the ratio of the strengths.
    """
    settings = policy.make().model_dump(mode="json")
    for curve in shown:
        value = settings.get(curve.axis)
        same = curve.rule == policy.rule and all(settings.get(name) == set_ for name, set_ in curve.settings.items())
        strengths = [point.value for point in curve.points]
        trained = any(name.startswith("fit.") for name in (curve.axis, *curve.fixed))
        if value is None or not same or trained or not strengths[0] <= float(value) <= strengths[-1]:
            continue
        columns = points_of(curve)
        # by ratio above 0; from 0 on evenly
        ratio = np.arcsinh(
            np.array([*strengths, float(value)]) / (min((s for s in strengths if s > 0), default=1.0) / 10)
        )
        shift, mean, low, high, transport, promised = (
            float(np.interp(ratio[-1], ratio[:-1], columns[name])) for name in HERE
        )
        return Here(policy, curve.task, shift, mean, low, high, transport, promised, curve=curve.name)
    return None


HERE = ("shift", "value", "low", "high", "transport", "promised")


def marks(question: Question, parts: Parts, task: Task, caller: Caller) -> list[Here]:
    """Evaluate every policy of a question; the caller hears the share done."""
    evaluated = []
    for number, policy in enumerate(question.policies):
        go_on(caller, number / len(question.policies))
        found = here(policy, parts, task, question.seed, lambda *_: stop_where_overtaken(caller))
        evaluated.append(replace(found, source=question.task))
    return evaluated


def here(policy: Policy, parts: Parts, task: Task, seed: int, watch: Callable[..., None] | None = None) -> Here:
    """Evaluate a policy; ValueError in the engine's words when rule and parts do not fit together."""
    found = evaluate(policy.make(), parts, task, HERE_EPISODES, seed, watch=watch)
    promised = float("nan") if found.promised is None else found.promised.mean
    mean = found.returns
    return Here(policy, task.info.name, found.shift.w2, mean.mean, mean.low, mean.high, found.transport, promised)


def points_of(curve: Curve) -> dict[str, Any]:
    """The columns of one curve's points, as both figures read them."""
    return {
        "shift": curve.column("shift.w2"),
        "value": np.array([point.returns.mean for point in curve.points]),
        "low": np.array([point.returns.low for point in curve.points]),
        "high": np.array([point.returns.high for point in curve.points]),
        "transport": curve.column("transport"),
        "promised": curve.column("promised"),
        "earned": curve.column("earned"),
        "strength": [exact(point.value) for point in curve.points],
        "label": [f"{curve.name}, {curve.axis} {exact(point.value)}" for point in curve.points],
        "seeds": [len(point.seeds) for point in curve.points],
        "key": [point.keys[0] for point in curve.points],
    }


def seed_lines(curve: Curve, x: str, y: str) -> tuple[np.ndarray, np.ndarray]:
    """Every seed's own line along the curve, as one line with NaN between them."""
    seeds = sorted({seed for point in curve.points for seed in point.seeds})
    rows = []
    for seed in seeds:
        for point in curve.points:
            if seed in point.seeds:
                place = point.seeds.index(seed)
                rows.append([point.per_seed[x][place], point.per_seed[y][place]])
        rows.append([np.nan, np.nan])
    line = np.array(rows, dtype=float).reshape(-1, 2)
    return line[:, 0], line[:, 1]


@dataclass(frozen=True)
class Match:
    """A rule's setting at a given shift.

    Attributes
    ----------
    curve : Curve
    value : float
        Of the curve's axis.
    returns, difference : Interval or None
        As `workbench.experiments.summary.matched` reads them off: the return there, and that minus the best curve's, paired.
        None where the curve's seeds have not played what the other curves' have; the difference also for the best one itself.
    """

    curve: Curve
    value: float
    returns: Interval | None
    difference: Interval | None


def match(found: Sequence[Curve], at: float) -> tuple[list[Match], list[str]]:
    """For every curve the first setting that reaches the shift ``at``, and the names of those that never do.

    Between two points the setting is interpolated (in its logarithm where both are positive).
    """
    table, matches, missing = matched(list(found), [at]), [], []
    for curve in found:
        shift, values = curve.column("shift.w2"), [point.value for point in curve.points]
        place = next((i for i in range(1, len(values)) if shift[i - 1] <= at <= shift[i]), None)
        if place is None:
            missing.append(curve.name)
            continue
        span = shift[place] - shift[place - 1]
        part = 0.0 if span == 0.0 else float((at - shift[place - 1]) / span)
        low, high = values[place - 1], values[place]
        value = low ** (1 - part) * high**part if low > 0 else low + part * (high - low)
        whole = RULES[curve.rule].model_fields.get(curve.axis)
        if whole is not None and whole.annotation is int:
            value = round(value)
        returns = None if table is None else table.returns.get(curve.name, [None])[0]
        own = table is None or curve.name == table.against
        difference = None if own or table is None else table.differences.get(curve.name, [None])[0]
        matches.append(Match(curve, rounded(value, 3), returns, difference))
    return matches, missing


def as_csv(found: Sequence[Curve]) -> bytes:
    """One line a point: rule, strength, return with its interval, and every number that was measured."""
    heads = ["task", "curve", "axis", "strength", "return", "return_low", "return_high"]
    rows = []
    for curve in found:
        columns = points_of(curve)
        for place, point in enumerate(curve.points):
            measured = [exact(columns[name][place]) for name in ("value", "low", "high")]
            measured += [exact(curve.column(name)[place]) for name in MEASURES]
            row = [curve.task, curve.name, curve.axis, point.value, *measured, len(point.seeds), columns["key"][place]]
            rows.append(row)
    return csv_of([*heads, *(TERM[name].column for name in MEASURES), "seeds", "run"], rows)


def damaged_words(damaged: Mapping[str, DamagedError], where: str) -> str:
    """The note that says how many runs are left out, and which; "" when none is."""
    if not damaged:
        return ""
    keys = ", ".join(plain(key)[:8] for key in list(damaged)[:5]) + (", …" if len(damaged) > 5 else "")
    return (
        f"{len(damaged)} damaged run{'s are' if len(damaged) > 1 else ' is'} left out: {keys}. "
        f"Why: workbench runs check {where}; put in order: workbench runs repair {where}"
    )


def words_of_choice(curve: Curve) -> str:
    """How strengths are chosen, and offline that no return was measured."""
    if curve.offline:
        return f"no return was measured; each rule at the strength of the best {curve.worth.label} within support"
    return "each rule at the strength that its choosing episodes prefer"


def story_shift(name: str, found: Sequence[Curve]) -> float:
    """The shift of a story; ValueError while too little is measured for one."""
    wide = [curve for curve in found if len(curve.points) > 1]
    if len(wide) < 2:
        raise UserError("Two rules with several strengths each are needed; run a sweep with more of them.")
    if name == "too_far":
        return float(sorted(curve.column("shift.w2").max() for curve in wide)[-2])
    chosen = [curve for curve in wide if curve.choice is not None]
    if not chosen:
        raise UserError("No rule has a chosen strength yet; let its sweep finish.")
    best = max(chosen, key=lambda curve: curve.choice.reported.mean)  # type: ignore[union-attr]
    place = [point.value for point in best.points].index(best.choice.strength)  # type: ignore[union-attr]
    return float(best.column("shift.w2")[place]) * (1 / 3 if name == "cautious" else 1.0)


def shift_of(story: str, shown: Sequence[Curve], marks: Sequence[Here]) -> float:
    """Where rules are compared: at the shift of ``story``; without one at the first mark's, else half way along all curves.

    ValueError while too little is measured.
    """
    wide = [curve for curve in shown if len(curve.points) > 1]
    at = story_shift(story or "too_far", wide)
    if not story:
        at = marks[0].shift if marks else min(float(curve.column("shift.w2").max()) for curve in wide) / 2
    return rounded(at, 4)


def read_shift(arguments: Mapping[str, str]) -> float | None:
    """The shift that the rules are compared at, in a link."""
    try:
        shift = float(arguments.get("shift", ""))
    except ValueError:
        return None
    return shift if 0.0 < shift < 1e6 else None
