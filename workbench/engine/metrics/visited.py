"""The states that a policy visits: where shift is measured, and how far the steered way itself leaves the behaviour's.

Shapes: E episodes, M visited states, P sampled states, S observation dimensions.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from workbench.engine.metrics.shift import sliced_wasserstein2
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules.bc import BC
from workbench.engine.tasks.latency import Latency
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.rollout import Episodes, Tick, rollout

Source = Literal["dataset", "behaviour episodes", "given"]

# of the behaviour policy, where no dataset says what it visits
HOME_EPISODES = 32
HOME_SEED = 0
POOL = 256  # states kept of these
MOST = 65_536  # visited states that are held at a time
# states of each side of an occupancy shift; halvings that give its floor
COMPARED = 2048
SPLITS = 8


class States(NamedTuple):
    """Where a number was measured.

    Attributes
    ----------
    rows : Tensor
        (P, S), not normalised.
    source : {"dataset", "behaviour episodes", "given"}
    """

    rows: Tensor
    source: Source


@dataclass(frozen=True)
class Visited:
    """Every state at which a policy decided in its episodes; where they are very many, only every 2nd, 4th, … step of
    each episode.

    Attributes
    ----------
    rows : ndarray
        (M, S).
    episode : ndarray
        (M,) the episode that each state is of.
    """

    rows: np.ndarray
    episode: np.ndarray

    def sample(self, count: int, seed: int) -> np.ndarray:
        """States (count, S) drawn evenly, each at most once while there are enough."""
        rng = np.random.default_rng(seed)
        return self.rows[rng.choice(len(self.rows), count, replace=count > len(self.rows))]


@dataclass
class Watcher:
    """Watches a `rollout` and keeps the states at which decisions were made.

    Parameters
    ----------
    chunk : int
        Environment steps of one decision.
    latency : Latency
        When decisions are made.
    """

    chunk: int = 1
    latency: Latency = field(default_factory=Latency)
    _seen: list[tuple[int, np.ndarray, np.ndarray]] = field(default_factory=list)
    _count: int = 0  # states kept
    _before: np.ndarray | None = None
    _step: int = 0
    _stride: int = 1

    def __call__(self, observations: np.ndarray, moved: np.ndarray) -> None:
        """Keep the observations at which decisions were made: those before the step of the environments that ``moved``.

        `rollout` calls this after each step (``watch``).
        """
        if self._before is not None:
            decision = self.latency.schedule(self.chunk).decision(self._step - 1)
            if decision is not None and decision % self._stride == 0:
                self._seen.append((decision, self._before[moved], np.flatnonzero(moved)))
                self._count += int(moved.sum())
                if self._count > MOST and len(self._seen) > 1:
                    self._stride *= 2
                    self._seen = [kept for kept in self._seen if kept[0] % self._stride == 0]
                    self._count = sum(len(rows) for _, rows, _ in self._seen)
        self._before, self._step = observations.copy(), self._step + 1

    @property
    def visited(self) -> Visited:
        """What was seen so far."""
        return Visited(
            np.concatenate([rows for _, rows, _ in self._seen]), np.concatenate([who for _, _, who in self._seen])
        )


class Home(NamedTuple):
    """The behaviour policy's own episodes: the same starts and noise as those of the rule beside it."""

    record: Episodes
    visited: Visited


@dataclass(frozen=True)
class OccupancyShift:
    """How far the states of the steered episodes lie from those of the behaviour policy's.

    Attributes
    ----------
    w2 : float
        Sliced Wasserstein-2 distance between the visited states, each coordinate in standard deviations of the behaviour
        states; the square of ``floor`` is taken off before the root, 0 where nothing is left.
    floor : float or None
        What two sets of as many behaviour episodes measure by chance, estimated from two halves of them. None for a
        single episode, where nothing is taken off.
    """

    w2: float
    floor: float | None


def behaviour_states(parts: Parts, task: Task) -> States:
    """A fixed sample of the states that the behaviour policy visits, the same for every rule.

    Rows of the dataset where the parts bring them (every run does); else of 32 episodes of the behaviour flow, played once for
    these parts and this task and kept.
    """
    if parts.behaviour_states is not None:
        return States(parts.behaviour_states.to(parts.device), "dataset")
    home = behaviour_episodes(parts, task, HOME_EPISODES, HOME_SEED, BC())
    return States(torch.from_numpy(home.visited.sample(POOL, HOME_SEED)).to(parts.device), "behaviour episodes")


class _Kept(NamedTuple):
    parts: weakref.ref[Parts]
    task: weakref.ref[Task]
    name: tuple[int, ...]
    home: Home


_KEPT: list[_Kept] = []
_MOST_KEPT = 8


def is_kept(parts: Parts, task: Task, episodes: int, seed: int, rule: Rule) -> bool:
    """Whether `behaviour_episodes` has these already."""
    return _find(parts, task, _name(episodes, seed, rule)) is not None


def behaviour_episodes(
    parts: Parts, task: Task, episodes: int, seed: int, rule: Rule, tick: Tick | None = None
) -> Home:
    """Play the behaviour flow from the starts, and with the noise, that ``rule`` meets with the same ``seed``.

    The latest few are kept while their parts and their task live, so that many rules are compared with the same episodes.
    """
    name = _name(episodes, seed, rule)
    if (home := _find(parts, task, name)) is not None:
        return home
    watcher = Watcher(parts.chunk)
    unsteered = BC(particles=rule.particles, flow_steps=rule.flow_steps)
    record = rollout(unsteered, parts, task, episodes, seed, tick, watcher)
    return keep(parts, task, episodes, seed, rule, Home(record, watcher.visited))


def keep(parts: Parts, task: Task, episodes: int, seed: int, rule: Rule, home: Home) -> Home:
    """Remember the behaviour policy's episodes."""
    _KEPT.append(_Kept(weakref.ref(parts), weakref.ref(task), _name(episodes, seed, rule), home))
    _KEPT[:] = [entry for entry in _KEPT if entry.parts() is not None and entry.task() is not None][-_MOST_KEPT:]
    return home


def _name(episodes: int, seed: int, rule: Rule) -> tuple[int, ...]:
    return episodes, seed, rule.particles, rule.flow_steps


def _find(parts: Parts, task: Task, name: tuple[int, ...]) -> Home | None:
    return next(
        (entry.home for entry in list(_KEPT) if entry.parts() is parts and entry.task() is task and entry.name == name),
        None,
    )


def occupancy_shift(steered: Visited, home: Visited, scale: np.ndarray, seed: int) -> OccupancyShift:
    """Sliced W2 between visited states, in units of ``scale`` (S,).

    Both sides are thinned to as many states, at most 2048, by the same draw: equal episodes read exactly 0. The floor comes from
    halves of the behaviour *episodes* (states of one episode belong together); W2² by chance falls as one over their number, so
    that of the whole is half of that between halves.
    """
    rng = np.random.default_rng(seed)
    count = min(COMPARED, len(steered.rows), len(home.rows))
    square = _distance2(_thin(steered.rows, count, seed), _thin(home.rows, count, seed), scale, seed)
    names = np.unique(home.episode)
    if len(names) < 2:
        return OccupancyShift(float(np.sqrt(square)), None)
    floors = []
    for _ in range(SPLITS):
        first = np.isin(home.episode, rng.permutation(names)[: len(names) // 2])
        one, two = home.rows[first], home.rows[~first]
        each = max(1, min(count // 2, len(one), len(two)))
        floors.append(_distance2(_thin(one, each, seed), _thin(two, each, seed), scale, seed))
    floor = float(np.mean(floors)) / 2.0
    return OccupancyShift(float(np.sqrt(max(square - floor, 0.0))), float(np.sqrt(floor)))


def scale_of(states: Tensor) -> np.ndarray:
    """Standard deviation (S,) of each coordinate of behaviour states (P, S); 1 where one does not vary."""
    spread = states.double().std(0, correction=0).cpu().numpy()
    return np.where(spread > 0.0, spread, 1.0)


def _thin(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    return rows if len(rows) == count else rows[np.random.default_rng(seed).permutation(len(rows))[:count]]


def _distance2(x: np.ndarray, y: np.ndarray, scale: np.ndarray, seed: int) -> float:
    return sliced_wasserstein2(x.astype(np.float64) / scale, y.astype(np.float64) / scale, seed) ** 2
