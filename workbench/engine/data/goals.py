"""Goal-conditioned data: every row gets a goal by hindsight, which stands behind its observation.

Source: OGBench (arXiv 2410.20092), the published defaults of its value-based agents: a row's goal is its own state with
probability 0.2, a later state of its trajectory with 0.5 (so many steps later as a geometric distribution of the discount
says, at most the last), any state of the dataset with 0.3. The reward is 0 where the goal is the row's own state, which ends
there, and −1 elsewhere. Every row has a goal of its own, which is what a look at the data shows; a training draws goals anew
with every minibatch, from its own generator, so that it is repeated bit for bit. In the published code the policy's goals are
others than the critic's; here both learn from the same minibatch, so that every critic and rule can be used.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from workbench.engine.data.transitions import BLOCK, Transitions, n_step

CURRENT = 0.2
TRAJECTORY = 0.5
RANDOM = 0.3
RATIOS = f"their own state ({CURRENT:.0%}), a later one of the trajectory ({TRAJECTORY:.0%}), any ({RANDOM:.0%})"


@dataclass(frozen=True)
class GoalTransitions(Transitions):
    """`Transitions` whose observations (R, 2·S) are state and goal. ``ends`` are those of trajectories alone: a row that is at
    its goal is followed by others, whose goals are others.

    Attributes
    ----------
    goal_rows : ndarray
        (R,) int64, the row whose state is the goal.
    discount : float
        γ of the geometric distribution of later states.
    """

    goal_rows: np.ndarray
    discount: float

    def fingerprint(self) -> str:
        """Of the arrays and the goals."""
        digest = hashlib.sha256(super().fingerprint().encode())
        for first in range(0, len(self), BLOCK):
            digest.update(self.goal_rows[first : first + BLOCK].tobytes())
        return digest.hexdigest()

    @cached_property
    def _last_rows(self) -> np.ndarray:
        """The last row of each trajectory, in their order."""
        return np.flatnonzero(self.ends)

    def final(self, rows: np.ndarray) -> np.ndarray:
        """The last row (M,) of the trajectory of each of ``rows`` (M,)."""
        return np.asarray(self._last_rows[np.searchsorted(self._last_rows, rows)])

    def returns(
        self, steps: int, discount: float, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `n_step`, towards the goal of the row where a return begins, until that is reached."""
        _, _, last = n_step(self, steps, discount, rows)
        first = np.arange(len(self)) if rows is None else rows
        length, ahead = last - first + 1, self.goal_rows[first] - first
        reached = (ahead >= 0) & (ahead < length)
        paid = np.concatenate(([0.0], -np.cumsum(discount ** np.arange(steps))))  # of 0 to n steps of −1
        rewards = paid[np.where(reached, ahead, length)]
        discounts = np.where(reached, 0.0, discount**length)
        return rewards.astype(np.float32), discounts.astype(np.float32), last

    def aimed(self, rows: np.ndarray, goals: np.ndarray, steps: int) -> tuple[GoalTransitions, np.ndarray]:
        """The ``rows`` (M,) towards other ``goals`` (M,), rows too: small data that hold what returns of so many steps read.

        Returns
        -------
        (data, places (M,))
            ``data`` of M windows, and the row of each at which its return begins.
        """
        size = self.observation_dim // 2
        states = Transitions(
            observations=self.observations[:, :size],
            actions=self.actions,
            rewards=self.rewards,
            masks=self.masks,
            next_observations=self.next_observations[:, :size],
            ends=self.ends,
        )
        way = Way(rows, self.final(rows), goals, states.observations[goals])
        return towards(states, rows, way, steps, self.discount)

    def after(self, last: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """As of `Transitions`, with the goal of the row where the return began."""
        size = self.observation_dim // 2
        goals = self.observations[slice(None) if rows is None else rows, size:]
        return np.concatenate((self.next_observations[last, :size], goals), 1)

    def settled(self, reach: np.ndarray, last: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """As of `Transitions`: where the goal was reached within the chunk."""
        ahead = self.goal_rows[rows] - rows
        return np.asarray((ahead >= 0) & (ahead < reach))


@dataclass(frozen=True)
class Way:
    """Where returns begin, and where they are to lead: numbers of rows in the whole dataset.

    Attributes
    ----------
    rows, final, goals : ndarray
        (M,), the last rows of their trajectories, and the rows whose states are the goals.
    seen : ndarray
        (M, S), the goals' states.
    """

    rows: np.ndarray
    final: np.ndarray
    goals: np.ndarray
    seen: np.ndarray


def towards(
    states: Transitions, places: np.ndarray, way: Way, steps: int, discount: float
) -> tuple[GoalTransitions, np.ndarray]:
    """Windows of ``steps`` rows and one more towards the goals of ``way``; `GoalTransitions.aimed` says of what use they are.

    Parameters
    ----------
    states : Transitions
        Rows without goals: all, or those that are needed.
    places : ndarray
        (M,), where in them the rows of ``way`` stand; what follows these stands behind them.
    way : Way
    steps : int
    discount : float
    """
    count = steps + 1
    ahead = np.arange(count)
    reach = np.minimum(ahead, (way.final - way.rows)[:, None])  # (M, count): past the end the last row stands again
    at_goal = way.rows[:, None] + reach == way.goals[:, None]
    away = way.goals - way.rows
    inside = (away >= 0) & (away <= np.minimum(way.final - way.rows, steps))
    first, flat = np.arange(len(way.rows)) * count, (places[:, None] + reach).ravel()
    seen = np.repeat(way.seen, count, axis=0)
    found = GoalTransitions(
        observations=np.concatenate((states.observations[flat], seen), 1),
        actions=states.actions[flat],
        rewards=at_goal.ravel().astype(np.float32) - 1.0,
        masks=(~at_goal).ravel().astype(np.float32),
        next_observations=np.concatenate((states.next_observations[flat], seen), 1),
        ends=(way.rows[:, None] + reach == way.final[:, None]).ravel() | (np.tile(ahead, len(way.rows)) == steps),
        goal_rows=np.repeat(np.where(inside, first + away, -1), count),
        discount=discount,
    )
    return found, first


def goals_in_memory(data: Transitions, discount: float, seed: int = 0) -> GoalTransitions:
    """``data`` (R rows of S observations, whose rewards are not read) with a goal in every row, held in memory.

    Parameters
    ----------
    data : Transitions
    discount : float
        γ of the geometric distribution of later states.
    seed : int
        The same one gives the same goals.
    """
    here, marked = np.arange(len(data)), np.flatnonzero(data.ends)
    final = marked[np.searchsorted(marked, here)]
    goals = np.concatenate(
        [
            draw.of(here[first : first + BLOCK], final[first : first + BLOCK])
            for first, draw in zip(range(0, len(data), BLOCK), own_draws(len(data), discount, seed), strict=True)
        ]
    )
    at_goal = goals == here
    return GoalTransitions(
        observations=np.concatenate((data.observations, data.observations[goals]), 1),
        actions=data.actions,
        rewards=at_goal.astype(np.float32) - 1.0,
        masks=(~at_goal).astype(np.float32),
        next_observations=np.concatenate((data.next_observations, data.observations[goals]), 1),
        ends=data.ends,
        goal_rows=goals,
        discount=discount,
    )


@dataclass(frozen=True)
class OwnDraw:
    """What was drawn for the rows of a block: the kind of goal, how many steps later, and which of all rows (M,)."""

    kind: np.ndarray
    later: np.ndarray
    any_row: np.ndarray

    def of(self, rows: np.ndarray, final: np.ndarray) -> np.ndarray:
        """The goals (M,) of ``rows``, whose trajectories end at ``final``."""
        return np.asarray(np.choose(self.kind, (rows, np.minimum(rows + self.later, final), self.any_row)))


def own_draws(rows: int, discount: float, seed: int) -> Iterator[OwnDraw]:
    """The draws of the rows' own goals, `BLOCK` rows at a time: as if each kind were drawn for all rows, one after the other."""
    kinds: tuple[Callable[[np.random.Generator, int], np.ndarray], ...] = (
        lambda rng, count: rng.geometric(1.0 - discount, count),
        lambda rng, count: rng.choice(3, count, p=(CURRENT, TRAJECTORY, RANDOM)),
        lambda rng, count: rng.integers(0, rows, count),
    )
    counts = [min(BLOCK, rows - first) for first in range(0, rows, BLOCK)]
    rng, streams = np.random.default_rng(seed), []
    for draw in kinds[:-1]:
        streams.append(copy.deepcopy(rng))
        for count in counts:
            draw(rng, count)
    streams.append(rng)
    for count in counts:
        later, kind, any_row = (draw(stream, count) for draw, stream in zip(kinds, streams, strict=True))
        yield OwnDraw(kind, later, any_row)


def draw_goals(rows: np.ndarray, final: np.ndarray, count: int, discount: float, noise: np.ndarray) -> np.ndarray:
    """A goal for each of ``rows`` (M,) by OGBench's ratios: a row (M,) of ``count``.

    Parameters
    ----------
    rows, final : ndarray
        (M,), and the last rows of their trajectories.
    count : int
        Rows of the dataset.
    discount : float
    noise : ndarray
        (M, 3) in [0, 1): which kind of goal, how much later, and which of all.
    """
    kind, later, any_row = noise.T
    steps = np.ones(len(rows)) if discount == 0.0 else 1.0 + np.floor(np.log1p(-later) / np.log(discount))
    ahead = np.minimum(rows + np.minimum(steps, count).astype(np.int64), final)
    which = np.searchsorted((CURRENT, CURRENT + TRAJECTORY), kind, side="right")
    return np.asarray(np.choose(which, (rows, ahead, np.minimum((any_row * count).astype(np.int64), count - 1))))
