"""Goal-conditioned data: every row gets a goal by hindsight, which stands behind its observation.

Source: OGBench (arXiv 2410.20092), the published defaults of its value-based agents: a row's goal is its own state with
probability 0.2, a later state of its trajectory with 0.5 (so many steps later as a geometric distribution of the discount
says, at most the last), any state of the dataset with 0.3. The reward is 0 where the goal is the row's own state, which ends
there, and −1 elsewhere. Every row has a goal of its own, which is what a look at the data shows; a training draws goals anew
with every minibatch, from its own generator, so that it is repeated bit for bit. In the published code the policy's goals are
others than the critic's; here both learn from the same minibatch, so that every critic and rule can be used.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from workbench.engine.data.mapped import MappedTransitions
from workbench.engine.data.transitions import Transitions, n_step
from workbench.engine.words import UserError

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
        return hashlib.sha256(super().fingerprint().encode() + self.goal_rows.tobytes()).hexdigest()

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
        size, count = self.observation_dim // 2, steps + 1
        final = final_rows(self.ends)[rows]
        ahead = np.arange(count)
        which = np.minimum(rows[:, None] + ahead, final[:, None])  # (M, count): past the end the last row stands again
        at_goal = which == goals[:, None]
        first = np.arange(len(rows)) * count
        away = goals - rows
        inside = (away >= 0) & (away <= np.minimum(final - rows, steps))
        flat = which.ravel()
        seen = np.broadcast_to(self.observations[goals, :size][:, None], (*which.shape, size)).reshape(-1, size)
        found = GoalTransitions(
            observations=np.concatenate((self.observations[flat, :size], seen), 1),
            actions=self.actions[flat],
            rewards=at_goal.ravel().astype(np.float32) - 1.0,
            masks=(~at_goal).ravel().astype(np.float32),
            next_observations=np.concatenate((self.next_observations[flat, :size], seen), 1),
            ends=(which == final[:, None]).ravel() | (np.tile(ahead, len(rows)) == steps),
            goal_rows=np.repeat(np.where(inside, first + away, -1), count),
            discount=self.discount,
        )
        return found, first

    def after(self, last: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """As of `Transitions`, with the goal of the row where the return began."""
        size = self.observation_dim // 2
        goals = self.observations[slice(None) if rows is None else rows, size:]
        return np.concatenate((self.next_observations[last, :size], goals), 1)

    def settled(self, reach: np.ndarray, last: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """As of `Transitions`: where the goal was reached within the chunk."""
        ahead = self.goal_rows[rows] - rows
        return np.asarray((ahead >= 0) & (ahead < reach))


def with_goals(data: Transitions, discount: float, seed: int = 0) -> GoalTransitions:
    """Give every row of ``data`` (R rows of S observations, whose rewards are not read) a goal.

    Parameters
    ----------
    data : Transitions
    discount : float
        γ of the geometric distribution of later states.
    seed : int
        The same one gives the same goals.

    Raises
    ------
    UserError
        The rows lie on disk: goals are looked up among all of them.
    """
    if isinstance(data, MappedTransitions):
        raise UserError(
            "goal-conditioned data are held in memory, since a goal may be any of their states; put fewer shards into a folder "
            "of their own, and name that (or, where memory is left, --rows-in memory)"
        )
    rng, rows = np.random.default_rng(seed), len(data)
    here = np.arange(rows)
    final = final_rows(data.ends)
    later = np.minimum(here + rng.geometric(1.0 - discount, rows), final)
    kind = rng.choice(3, rows, p=(CURRENT, TRAJECTORY, RANDOM))
    goals = np.choose(kind, (here, later, rng.integers(0, rows, rows)))
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


def final_rows(ends: np.ndarray) -> np.ndarray:
    """The last row (R,) of each row's trajectory."""
    marked = np.flatnonzero(ends)
    return np.asarray(marked[np.searchsorted(marked, np.arange(len(ends)))])


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
