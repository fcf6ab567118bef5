"""The ground that an agent moves on, beside the stages: its map, and the episodes that start where the agent stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import Rule
from workbench.engine.tasks.floor import Floor, HasFloor, floor_of
from workbench.engine.tasks.outcomes import names_of_outcomes, outcomes
from workbench.engine.tasks.protocol import BatchEnv, Task, TaskInfo
from workbench.engine.tasks.rollout import rollout
from workbench.engine.words import UserError
from workbench.views.caller import Caller, OvertakenError
from workbench.views.question import Question, behaviour_of

ROWS = 4096  # episodes × particles at most


@dataclass(frozen=True)
class Play:
    """Episodes of one rule from one state.

    Attributes
    ----------
    paths : ndarray
        (E, steps + 1, 2) positions; an episode that ended stays where it ended.
    returns : ndarray
        (E,).
    ending : str
        A kind of ending, in words.
    share : float
        Of the episodes that ended so.
    """

    paths: np.ndarray
    returns: np.ndarray
    ending: str
    share: float

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(self.returns.mean())

    @property
    def error(self) -> float:
        """Half of the 95% interval of the mean return."""
        return float(1.96 * self.returns.std(ddof=1) / np.sqrt(len(self.returns)))


def plan(floor: Floor) -> dict[str, Any]:
    """The map, for the browser."""
    told = ("view", "blocks", "deadly", "labels", "goals", "limits")
    return {name: value for name, value in asdict(floor).items() if name in told}


def ending_of(task: Task) -> str:
    """The kind of ending whose share stands under the stages; "" for a task without a ground."""
    floor = floor_of(task)
    return "" if floor is None else names_of_outcomes(task)[floor.told]


class _Placed:
    """A task whose episodes all begin in one state and end after so many steps."""

    def __init__(self, task: HasFloor, info: TaskInfo, state: tuple[float, ...]) -> None:
        self._task, self._state, self.info = task, state, info

    def environments(self, count: int, seed: int) -> BatchEnv:
        """All in the same state."""
        return self._task.environments_at(self._state, count, seed)


def play(
    rule: Rule,
    parts: Parts,
    task: Task,
    state: tuple[float, ...],
    seed: int,
    episodes: int,
    overtaken: Callable[[], bool] = lambda: False,
) -> Play:
    """Play episodes from ``state``; the same seed gives two rules with the same number of particles the same noise.

    ``overtaken`` is asked before every step; when it says so, `OvertakenError` ends the episodes.
    """
    if not isinstance(task, HasFloor):
        raise UserError(f"{task.info.title} has no ground, so its episodes cannot begin at a place that you choose")
    floor = task.floor
    paths: list[np.ndarray] = []

    def watch(observations: np.ndarray, moved: np.ndarray) -> None:
        if overtaken():
            raise OvertakenError
        paths.append(observations[:, :2].copy())

    record = rollout(rule, parts, _Placed(task, task.info, state), episodes, seed, watch=watch, most_steps=floor.steps)
    names, kinds = outcomes(task, record)
    share = float((kinds == floor.told).mean())
    return Play(np.stack(paths, 1).astype(np.float32), record.returns, names[floor.told], share)


def episodes(question: Question, parts: Parts, task: Task, caller: Caller) -> list[Play]:
    """Play the behaviour flow and every policy from the question's state; fewer episodes where they draw many particles."""
    rules = [policy.make() for policy in question.policies]
    floor = floor_of(task)
    assert floor is not None
    count = min(floor.episodes, max(4, ROWS // max(rule.particles for rule in rules)))
    return [
        play(rule, parts, task, question.state, question.seed, count, caller.overtaken)
        for rule in (behaviour_of(rules[0]), *rules)
    ]
