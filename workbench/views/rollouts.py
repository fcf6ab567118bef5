"""Episodes at two strengths: what is asked, what was played, and the arrays that the figures draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.engine.digits import exact
from workbench.engine.metrics.evaluate import Evaluation, evaluate
from workbench.engine.metrics.intervals import Interval, bootstrap_mean
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.tasks.latency import Latency, Way
from workbench.engine.tasks.outcomes import outcomes
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.rollout import Episodes
from workbench.views.caller import NOBODY, Caller, OvertakenError, Waiting, go_on
from workbench.views.csv_file import csv_of

BINS = 12


@dataclass(frozen=True)
class Order:
    """What to play: one rule at two values of its strength, on the same starts and noise.

    Attributes
    ----------
    task, rule : str
    settings : dict
        Of the first policy.
    other : Any
        The second policy's strength; all its other settings are the first one's.
    episodes, seed : int
    delay : int
        Environment steps that a decision takes.
    way : str
        What is played meanwhile.
    """

    task: str
    rule: str
    settings: dict[str, Any] = field(default_factory=dict)
    other: Any = None
    episodes: int = 300
    seed: int = 0
    delay: int = 0
    way: Way = "rtc"

    def latency(self) -> Latency:
        """How long a decision takes."""
        return Latency(delay=self.delay, way=self.way) if self.delay else Latency()

    def rules(self) -> tuple[Rule, Rule]:
        """Both rules; UserError says which setting is wrong."""
        strength = RULES[self.rule].strength
        first = make_rule(self.rule, **self.settings)
        other = getattr(first, strength) if self.other is None else self.other
        return first, make_rule(self.rule, **(self.settings | {strength: other}))


@dataclass(frozen=True)
class Played:
    """What one policy's episodes gave.

    Attributes
    ----------
    rule : Rule
    paths : ndarray
        (E, steps + 1, S) observations; NaN after the end.
    names : tuple of str
        Kinds of ending, best first.
    kinds : ndarray
        (E,) indices into ``names``.
    measured : Evaluation
        All numbers of these episodes.
    """

    rule: Rule
    paths: np.ndarray
    names: tuple[str, ...]
    kinds: np.ndarray
    measured: Evaluation

    @property
    def record(self) -> Episodes:
        """The episodes."""
        return self.measured.record

    @property
    def strength(self) -> str:
        """The strength in words, as in "weight 0.3"."""
        name = self.rule.strength
        return f"{name.replace('_', ' ')} {exact(getattr(self.rule, name))}"


def play(
    rule: Rule,
    parts: Parts,
    task: Task,
    episodes: int,
    seed: int,
    latency: Latency | None = None,
    caller: Caller = NOBODY,
) -> Played:
    """Play ``episodes`` with ``rule`` and record them whole; the caller hears the share done."""
    frames: list[np.ndarray] = []

    def watch(observations: np.ndarray, moved: np.ndarray) -> None:
        # episodes of a thousand steps end late: steps count as progress too
        go_on(caller, min(1.0, max(1.0 - float(moved.mean()), len(frames) / task.info.horizon)))
        frames.append(np.where(moved[:, None], observations, np.nan).astype(np.float32))

    def patient(done: int, total: int) -> None:
        if caller.overtaken():  # while the behaviour policy's own episodes are played
            raise OvertakenError

    measured = evaluate(rule, parts, task, episodes, seed, tick=patient, watch=watch, latency=latency)
    names, kinds = outcomes(task, measured.record)
    return Played(rule, np.stack(frames, 1), names, kinds, measured)


def play_both(order: Order, parts: Parts, task: Task, caller: Caller) -> tuple[Played, Played]:
    """Play the order's two policies; the caller hears the share done."""
    played = []
    for number, rule in enumerate(order.rules()):

        def hear(share: float, number: int = number) -> None:
            caller.progress((number + share) / 2)

        half = Waiting(hear, caller.overtaken)
        played.append(play(rule, parts, task, order.episodes, order.seed, order.latency(), half))
    return played[0], played[1]


def difference(both: tuple[Played, Played]) -> Interval:
    """Return of the second minus that of the first, episode by episode from the same starts and noise."""
    first, second = (played.record.returns for played in both)
    return bootstrap_mean(second - first, both[0].measured.seed)


def lines_of(played: Played, kind: int, axes: tuple[int, int] = (0, 1)) -> tuple[np.ndarray, np.ndarray]:
    """Paths of the episodes that ended in ``kind`` as one line (P,), (P,) with NaN between them."""
    chosen = _on(axes, played.paths[played.kinds == kind])
    gap = np.full((len(chosen), 1, 2), np.nan, dtype=np.float32)
    line = np.concatenate((chosen, gap), 1).reshape(-1, 2)
    # an ended episode is NaN to the end: one NaN is enough for a gap, the rest would only travel
    empty = np.isnan(line[:, 0])
    keep = ~(empty & np.concatenate(([False], empty[:-1])))
    return line[keep, 0], line[keep, 1]


def ends_of(played: Played, axes: tuple[int, int] = (0, 1)) -> np.ndarray:
    """Last positions (E, 2)."""
    last = played.record.lengths
    return _on(axes, played.paths[np.arange(len(last)), last])


def _on(axes: tuple[int, int], observations: np.ndarray) -> np.ndarray:
    """Two numbers (…, 2) of observations (…, S); 0 for one that there is not."""
    missing = max(0, max(axes) + 1 - observations.shape[-1])
    wide = np.pad(observations, [(0, 0)] * (observations.ndim - 1) + [(0, missing)])
    return np.asarray(wide[..., list(axes)])


@dataclass(frozen=True)
class ByStart:
    """Shares and times over bins of the first start coordinate; NaN where no episode began.

    Attributes
    ----------
    centres : ndarray
        (bins,)
    counts : ndarray
        (bins,) episodes.
    shares : ndarray
        (kinds, bins).
    steps : ndarray
        (bins,) mean steps of the episodes that ended best.
    """

    centres: np.ndarray
    counts: np.ndarray
    shares: np.ndarray
    steps: np.ndarray


def by_start(played: Played, low: float, high: float, bins: int = BINS) -> ByStart:
    """Sort episodes by where they began, from ``low`` to ``high``."""
    edges = np.linspace(low, high, bins + 1)
    place = np.clip(np.digitize(played.record.starts[:, 0], edges) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.stack(
            [np.bincount(place[played.kinds == k], minlength=bins) / counts for k in range(len(played.names))]
        )
        best = played.kinds == 0
        steps = np.bincount(place[best], played.record.lengths[best], bins) / np.bincount(place[best], minlength=bins)
    return ByStart((edges[:-1] + edges[1:]) / 2, counts, shares, steps)


def start_range(*all_played: Played) -> tuple[float, float]:
    """From the least to the greatest first start coordinate, widened where all begin in one place."""
    first = np.concatenate([played.record.starts[:, 0] for played in all_played])
    low, high = float(first.min()), float(first.max())
    return (low, high) if high - low > 1e-6 else (low - 0.5, high + 0.5)


def as_csv(all_played: tuple[Played, ...]) -> bytes:
    """One line an episode: policy, strength, start, ending, return, steps."""
    rows = []
    columns = all_played[0].record.starts.shape[1]
    for number, played in enumerate(all_played):
        for episode, start in enumerate(played.record.starts):
            ending = played.names[played.kinds[episode]]
            value, steps = played.record.returns[episode], played.record.lengths[episode]
            strength = getattr(played.rule, played.rule.strength)
            rows.append(["AB"[number], strength, episode, *map(float, start), ending, float(value), int(steps)])
    starts = (f"start_{i}" for i in range(columns))
    return csv_of(["policy", "strength", "episode", *starts, "ending", "return", "steps"], rows)
