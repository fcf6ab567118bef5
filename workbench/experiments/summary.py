"""Results of a store as curves: return, shift and what the critic promised against the strength, with every seed.

A curve is one rule on one task along one setting (its strength where that varies). Strengths are chosen on the choosing
episodes alone and everything shown is from the reporting episodes alone.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from workbench.engine.digits import rounded
from workbench.engine.glossary import TERM, Term
from workbench.engine.metrics.choose import Choice, Played, choose_strength
from workbench.engine.metrics.intervals import Interval, bootstrap_mean, bootstrap_runs
from workbench.engine.metrics.matched import compare_at_shift, difference_at_shift
from workbench.engine.steering.rules import RULES
from workbench.experiments.files import DamagedError
from workbench.experiments.offline import IN_SUPPORT
from workbench.experiments.reading import MEASURED, RETURNS, SUCCESS, VALUES, is_offline
from workbench.experiments.row import spell
from workbench.experiments.store import Store

# Of the reporting episodes, per seed: numbers of the glossary.
MEASURES = (
    "gain",
    "transport",
    "shift.w2",
    "shift.displacement",
    "own_shift.w2",
    "occupancy.w2",
    "support.inside",
    "support.distance",
    "promised",
    "fitted_q",
    "importance.effective",
    "earned",
    "gap",
    "mmd_bound.mmd2",
    "mmd_bound.bound",
    "success",
)
COSTS = ("network_evaluations", "ms_per_decision", "ms_alone")
Measured = tuple[dict[str, Any], dict[str, np.ndarray]]  # a result, and its episodes
# evaluation seeds, as `Played` names them: a set each, the same for all runs
CHOOSING = 0
REPORTING = 1


@dataclass(frozen=True)
class Point:
    """One strength of a curve. G seeds.

    Attributes
    ----------
    value : float
        Of the curve's axis.
    seeds : tuple of int
    per_seed : dict of str to ndarray
        (G,) each, NaN where it was not measured: ``return``, ``choose`` (return of the choosing episodes), and `MEASURES`. Of
        a curve that was measured offline the fitted-Q values stand in the place of returns.
    costs : dict of str to float
        Mean over seeds: `COSTS`, and ``training_seconds`` where the store has them.
    keys : tuple of str
        Runs of the store.
    episodes : dict of str to tuple of ndarray
        ``return`` of every episode, an array a seed; ``success``, ``promised`` and ``earned`` where the store kept them.
    """

    value: float
    seeds: tuple[int, ...]
    per_seed: dict[str, np.ndarray]
    costs: dict[str, float]
    keys: tuple[str, ...]
    episodes: dict[str, tuple[np.ndarray, ...]]
    _intervals: dict[str, Interval | None] = field(default_factory=dict, repr=False, compare=False)

    @property
    def returns(self) -> Interval:
        """Mean return over seeds, with the two-stage bootstrap over seeds and episodes."""
        found = self.interval("return")
        assert found is not None
        return found

    def interval(self, name: str) -> Interval | None:
        """Mean over seeds of ``return``, ``promised``, ``earned`` or ``gap`` with its 95% interval; None without a measurement.

        Over seeds and episodes where those were kept, else over seeds alone. It takes some milliseconds, the first time.
        """
        if name not in self._intervals:
            self._intervals[name] = self._resampled(name)
        return self._intervals[name]

    def _resampled(self, name: str) -> Interval | None:
        known = self.per_seed[name][np.isfinite(self.per_seed[name])]
        if not known.size:
            return None
        if not {"promised", "earned"} <= self.episodes.keys() and name != "return":
            return bootstrap_mean(known)
        if name == "gap":
            return bootstrap_runs(
                [p - e for p, e in zip(self.episodes["promised"], self.episodes["earned"], strict=True)]
            )
        return bootstrap_runs(self.episodes[name])


@dataclass(frozen=True)
class Curve:
    """One rule on one task.

    Attributes
    ----------
    task, rule : str
    axis : str
        Setting along which it runs.
    fixed : dict
        Other settings that tell this curve from its neighbours.
    points : tuple of Point
        By growing value.
    choice : Choice or None
        The strength that the choosing episodes prefer, and what it gives on the reporting ones; None while some lack seeds
        that others have.
    played : tuple of Played
        Every seed's episodes at every strength that all seeds have played.
    measured_on : dict
        ``episodes`` in each set, and the dataset's fingerprint as ``data``.
    settings : dict
        All settings of the rule but the strength.
    origin : str
        Where it is from, in words, when that is not one's own store.
    offline : bool
        No episode was played: what is called a return elsewhere is a fitted-Q value here, and the choice is among strengths
        that stay in support.
    """

    task: str
    rule: str
    axis: str
    fixed: dict[str, Any]
    points: tuple[Point, ...]
    choice: Choice | None
    played: tuple[Played, ...]
    measured_on: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    origin: str = ""
    offline: bool = False

    @property
    def name(self) -> str:
        """Rule and fixed settings."""
        return " ".join([self.rule, *(f"{name}={spell(value)}" for name, value in self.fixed.items())])

    @property
    def worth(self) -> Term:
        """What `Point.returns` is: the return, or offline the fitted-Q value."""
        return TERM["fitted_q" if self.offline else "return"]

    def column(self, name: str) -> np.ndarray:
        """Mean over seeds of a measure at each point, (points,); NaN where it was not measured."""
        return np.array([_mean(point.per_seed[name]) for point in self.points])


def curves(store: Store, tasks: Iterable[str] | None = None) -> list[Curve]:
    """All curves of a store, by task and rule; damaged results are left out.

    Parameters
    ----------
    store : Store
    tasks : iterable of str, optional
        Names of tasks; only their curves are read. All of them without it.

    Returns
    -------
    list of Curve
        One for each task, rule and setting apart from the strength; empty where the store has no result.
    """
    return read_curves(store, tasks)[0]


def read_curves(store: Store, tasks: Iterable[str] | None = None) -> tuple[list[Curve], dict[str, DamagedError]]:
    """As `curves`, and the runs that are left out because they are damaged, by key: why."""
    whole, damaged = store.measured()
    return curves_of(whole, tasks), damaged


def curves_of(
    whole: Iterable[Measured], tasks: Iterable[str] | None = None, rules: Collection[str] | None = None
) -> list[Curve]:
    """The curves of results with their episodes; those of some ``tasks`` and ``rules`` alone where they are given."""
    wanted = None if tasks is None else set(tasks)
    groups: dict[tuple[str, ...], list[Measured]] = {}
    for result, episodes in whole:
        job = result["job"]
        if (wanted is None or job["task"] in wanted) and (rules is None or job["rule"] in rules):
            name = (job["task"], job["rule"], str(job["data"]["fingerprint"]), str(job["episodes"]))
            values = VALUES if is_offline(result) else RETURNS  # under the names of returns from here on
            taken = {name: episodes[value] for name, value in zip(RETURNS, values, strict=True)}
            taken |= {name: episodes[name] for name in (*MEASURED, SUCCESS) if name in episodes}
            groups.setdefault(name, []).append((result, taken))
    found = [curve for name in sorted(groups) for curve in _curves_of(groups[name])]
    return sorted(_told_apart(found), key=lambda curve: (curve.task, curve.rule, str(curve.fixed)))


def _told_apart(found: list[Curve]) -> list[Curve]:
    """Curves of one name also say on how many episodes, and on which data, they were measured: no two are called alike."""
    named: dict[tuple[str, str], list[Curve]] = defaultdict(list)
    for curve in found:
        named[curve.task, curve.name].append(curve)
    apart = []
    for alike in named.values():
        for name in ("episodes", "data"):
            words = _short([curve.measured_on[name] for curve in alike])
            if len(set(words)) > 1:
                alike = [replace(c, fixed=c.fixed | {name: word}) for c, word in zip(alike, words, strict=True)]
        apart += alike
    return apart


def _short(values: list[Any]) -> list[Any]:
    """Fingerprints as short as they still differ; numbers as they are."""
    if not all(isinstance(value, str) for value in values):
        return values
    size = next(size for size in itertools.count(8) if len({value[:size] for value in values}) == len(set(values)))
    return [value[:size] for value in values]


class Matched(NamedTuple):
    """Curves of one task at the same measured shift.

    Attributes
    ----------
    at : list of float
        Shifts, action units.
    returns : dict of str to list of Interval or None
        By curve name, one entry a shift; None where a curve was not measured on both sides of it.
    differences : dict of str to list of Interval or None
        Return minus that of ``against``, paired: the same training seeds and episodes.
    against : str
        The curve whose chosen strength returns most on the choosing episodes.
    """

    at: list[float]
    returns: dict[str, list[Interval | None]]
    differences: dict[str, list[Interval | None]]
    against: str


def matched(found: list[Curve], at: Sequence[float] | None = None, count: int = 6, seed: int = 0) -> Matched | None:
    """Return of the curves of one task at the same measured shift, read off between their points; None where none can be.

    Parameters
    ----------
    found : list of Curve
        Of one task. Only seeds that have played all strengths of all curves are used; a curve with no such seed is left out.
    at : sequence of float, optional
        The shifts; ``count`` of them, evenly up to the largest, without it.
    count : int
    seed : int
        Fixes the bootstrap.
    """
    usable = [curve for curve in found if len(curve.points) > 1 and curve.played]
    runs = set.intersection(*({p.run for p in curve.played} for curve in usable)) if usable else set()
    if not runs:
        return None
    reach = [np.nanmax(curve.column("shift.w2")) for curve in usable]
    if not np.isfinite(reach).all() or max(reach) <= 0.0:
        return None
    if at is None:
        at = [rounded(x, 2) for x in np.linspace(0.0, max(reach), count + 2)[1:-1]]
    played = {curve.name: [p for p in curve.played if p.run in runs] for curve in usable}
    best = max(usable, key=lambda curve: -np.inf if curve.choice is None else curve.choice.chosen_at)
    return Matched(
        list(at),
        compare_at_shift(played, at, (REPORTING,), seed),
        difference_at_shift(played, best.name, at, (REPORTING,), seed),
        best.name,
    )


def _curves_of(whole: list[Measured]) -> list[Curve]:
    """The curves of one task and rule: along the strength where it varies, else along another number that does."""
    results, episodes = [result for result, _ in whole], {result["key"]: played for result, played in whole}
    rule = RULES.get(results[0]["job"]["rule"], None)
    flat = [_flat(result["job"]) for result in results]
    names = dict.fromkeys(name for settings in flat for name in settings)
    varied = [name for name in names if len({repr(settings.get(name)) for settings in flat}) > 1]
    numeric = [name for name in varied if all(_is_number(settings.get(name)) for settings in flat)]
    strengths = [rule.strength, f"fit.{rule.trained_strength}"] if rule is not None else []
    axis = next((name for name in [*strengths, *numeric] if name in numeric), strengths[0] if strengths else "seed")
    others = [name for name in varied if name != axis]
    groups: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for result, settings in zip(results, flat, strict=True):
        groups.setdefault(repr([settings.get(name) for name in others]), []).append((result, settings))
    found = []
    for members in groups.values():
        fixed = {name: members[0][1].get(name) for name in others}
        found.append(_curve(episodes, axis, fixed, members))
    return found


def _curve(
    episodes: dict[str, dict[str, np.ndarray]],
    axis: str,
    fixed: dict[str, Any],
    members: list[tuple[dict[str, Any], dict[str, Any]]],
) -> Curve:
    by_value: dict[float, dict[int, dict[str, Any]]] = {}
    for result, settings in members:
        by_value.setdefault(float(settings.get(axis, 0.0)), {})[result["job"]["seed"]] = result
    points = tuple(_point(value, by_value[value], episodes) for value in sorted(by_value))
    common = set.intersection(*(set(found) for found in by_value.values()))
    played = []
    for value, seed in itertools.product(sorted(by_value), sorted(common)):
        result = by_value[value][seed]
        for number, name in ((CHOOSING, "choose"), (REPORTING, "report")):
            shift = _number(result[name]["shift"].get("w2"))
            played.append(Played(value, seed, number, episodes[result["key"]][f"{name}.returns"], shift))
    offline = is_offline(members[0][0])
    allowed = played
    if offline:  # no dataset can say what actions are worth that are not like its own
        inside = {point.value: _mean(point.per_seed["support.inside"]) for point in points}
        allowed = [one for one in played if inside[one.strength] >= IN_SUPPORT]
    choice = choose_strength(allowed, (CHOOSING,), (REPORTING,)) if allowed else None
    job = members[0][0]["job"]
    on = {"episodes": job["episodes"], "data": str(job["data"]["fingerprint"] or "made by the task")}
    settings = {name: value for name, value in job["settings"].items() if name != axis}
    return Curve(job["task"], job["rule"], axis, fixed, points, choice, tuple(played), on, settings, offline=offline)


def _point(value: float, by_seed: dict[int, dict[str, Any]], episodes: dict[str, dict[str, np.ndarray]]) -> Point:
    seeds = tuple(sorted(by_seed))
    results = [by_seed[seed] for seed in seeds]
    runs = [episodes[result["key"]]["report.returns"] for result in results]
    per_seed = {
        "return": np.array([run.mean() for run in runs], dtype=np.float64),
        "choose": np.array([episodes[r["key"]]["choose.returns"].mean() for r in results], dtype=np.float64),
    }
    for name in MEASURES:
        per_seed[name] = np.array([_number(_at(result["report"], name)) for result in results])
    costs = {name: _mean(np.array([_number(r["report"].get(name)) for r in results])) for name in COSTS}
    trained = _mean(np.array([_number(r["training"].get("seconds")) for r in results]))
    costs |= {"training_seconds": trained} if np.isfinite(trained) else {}
    keys = tuple(result["key"] for result in results)
    each = {"return": tuple(runs)}
    found = [episodes[key] for key in keys]
    if all(SUCCESS in one for one in found):
        each["success"] = tuple(one[SUCCESS] for one in found)
    if all(np.isfinite(one.get(name, np.nan)).all() for one in found for name in MEASURED):
        each |= {
            name: tuple(one[at] for one in found) for name, at in (("promised", MEASURED[0]), ("earned", MEASURED[1]))
        }
    return Point(value, seeds, per_seed, costs, keys, each)


def _at(report: Any, key: str) -> Any:
    """The value that a result has for a number of the glossary (of an interval, the mean); None where it was not measured."""
    for name in key.split("."):
        report = report.get(name) if isinstance(report, dict) else None
    return report.get("mean") if isinstance(report, dict) else report


def _flat(job: dict[str, Any]) -> dict[str, Any]:
    training = {f"fit.{name}": value for name, value in job["training"].items() if name != "parts"}
    return {**job["settings"], **training}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any) -> float:
    return float(value) if _is_number(value) else float("nan")


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
