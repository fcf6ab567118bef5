"""The room of three exits beside the stages: its map, and the episodes that start where the agent stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.run import act
from workbench.engine.tasks import three_exits as task_file
from workbench.ui.scene import Question, behaviour_of

START = (-0.45, -0.8, 0.0, 0.4)  # a driver here goes left; a strong push goes straight up, into lava
EPISODES = 48
ROWS = 4096  # episodes × particles at most
LIMIT = 0.97


@dataclass(frozen=True)
class Play:
    """Episodes of one rule from one state.

    Attributes
    ----------
    paths : ndarray
        (E, steps + 1, 2) positions; an episode that ended stays where it ended.
    returns : ndarray
        (E,).
    crashed : float
        Share of the episodes that ended in lava.
    """

    paths: np.ndarray
    returns: np.ndarray
    crashed: float

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(self.returns.mean())

    @property
    def error(self) -> float:
        """Half of the 95% interval of the mean return."""
        return float(1.96 * self.returns.std(ddof=1) / np.sqrt(len(self.returns)))


def plan() -> dict[str, Any]:
    """The map, for the browser."""
    return {
        "wall": task_file.WALL,
        "pillar": task_file.PILLAR,
        "exits": task_file.EXITS,
        "radius": task_file.EXIT_RADIUS,
    }


def stand(state: tuple[float, ...]) -> tuple[float, ...]:
    """The nearest state to ``state`` (x, y, vx/0.06, vy/0.06) that is not in lava, velocities inside ±2."""
    x, y, *velocity = state
    x, y = min(max(x, -LIMIT), LIMIT), min(max(y, -LIMIT), LIMIT)
    left, right, low, high = task_file.PILLAR
    if left < x < right and low < y < high:
        ways = {(left, y): x - left, (right, y): right - x, (x, low): y - low, (x, high): high - y}
        x, y = min(ways, key=lambda place: ways[place])
    return (x, y, *(min(max(v, -2.0), 2.0) for v in velocity))


class OvertakenError(Exception):
    """The episodes are no longer wanted."""


def play(
    rule: Rule,
    parts: Parts,
    state: tuple[float, ...],
    seed: int,
    episodes: int = EPISODES,
    overtaken: Callable[[], bool] = lambda: False,
) -> Play:
    """Play episodes from ``state``; the same seed gives two rules with the same number of particles the same noise.

    ``overtaken`` is asked before every step; when it says so, `OvertakenError` ends the episodes.
    """
    start = np.tile(np.asarray(state, dtype=np.float64), (episodes, 1))
    room = task_file.Room(start[:, :2], start[:, 2:] * task_file.SPEED)
    generator = torch.Generator().manual_seed(seed)
    active, returns, crashed = np.ones(episodes, dtype=bool), np.zeros(episodes), np.zeros(episodes, dtype=bool)
    seen, paths = room.reset(), [room.position.copy()]
    while active.any():
        if overtaken():
            raise OvertakenError
        noise = draw_noise(episodes, rule.particles, parts.action_dim, generator, rule.extra_draws())
        rows = torch.from_numpy(np.flatnonzero(active))
        actions = np.zeros((episodes, parts.action_dim), dtype=np.float32)
        actions[active] = act(rule, parts, torch.from_numpy(seen[active]), noise.states(rows)).numpy()
        result = room.step(actions, active)
        returns += result.rewards
        crashed |= result.terminated & (result.rewards == 0.0)
        active = active & ~(result.terminated | result.truncated)
        seen = result.observations
        paths.append(room.position.copy())
    return Play(np.stack(paths, 1).astype(np.float32), returns, float(crashed.mean()))


def episodes(question: Question, parts: Parts, overtaken: Callable[[], bool]) -> list[Play]:
    """Play the behaviour flow and every policy from the question's state; fewer episodes where they draw many particles."""
    rules = [policy.make() for policy in question.policies]
    count = min(EPISODES, max(4, ROWS // max(rule.particles for rule in rules)))
    return [
        play(rule, parts, question.state, question.seed, count, overtaken) for rule in (behaviour_of(rules[0]), *rules)
    ]
