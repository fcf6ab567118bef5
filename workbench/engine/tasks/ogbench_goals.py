"""OGBench's goal-conditioned datasets: ``ogbench/pointmaze-medium-navigate-v0`` and all others with states.

Trained with hindsight goals (`workbench.engine.data.goals`), played towards the five goals of the environment.
"""

from __future__ import annotations

import difflib
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine.data.columns import ROWS
from workbench.engine.data.footprint import KEEP
from workbench.engine.data.goals import RATIOS, GoalTransitions
from workbench.engine.data.hindsight import with_goals
from workbench.engine.data.npz import regular, row_of
from workbench.engine.data.transitions import OutOfBounds, Transitions, make_transitions
from workbench.engine.tasks.collect import Arrays
from workbench.engine.tasks.ogbench import KINDS, PREFIX, Names, OGBenchTask, Split
from workbench.engine.tasks.ogbench_batch import EnvBatch, base_env
from workbench.engine.tasks.ogbench_env import horizon_of, require_ogbench, reset_env
from workbench.engine.tasks.protocol import TaskInfo
from workbench.engine.words import UserError

PATTERN = re.compile(r"(?P<env>.+)-(?P<kind>[a-z]+)(?P<version>-v\d+)")


def known_goal_tasks() -> tuple[str, ...]:
    """All goal-conditioned datasets with states, as this installation of ogbench registers their environments.

    Raises
    ------
    MissingExtraError
        ogbench is not installed.
    """
    require_ogbench()
    import gymnasium

    names = []
    for env_id in gymnasium.registry:
        found = re.fullmatch(r"(([a-z]+)(?:-[a-z0-9]+)*)(-v\d+)", env_id)
        if found and found[2] in KINDS and "singletask" not in env_id and "oraclerep" not in env_id:
            names += [f"{PREFIX}{found[1]}-{kind}{found[3]}" for kind in KINDS[found[2]]]
    return tuple(names)


class GoalTask(OGBenchTask):
    """A goal-conditioned dataset and its environment; observations are state and goal, one behind the other.

    Parameters
    ----------
    name : str
        Such as "ogbench/cube-single-play-v0".

    Raises
    ------
    UserError
        Not a known dataset; names the nearest ones.
    MissingExtraError
        ogbench is not installed.
    """

    def __init__(self, name: str) -> None:
        short, known = name.removeprefix(PREFIX), known_goal_tasks()
        found = PATTERN.fullmatch(short)
        if found is None or f"{PREFIX}{short}" not in known:
            near = difflib.get_close_matches(f"{PREFIX}{short}", known, n=3, cutoff=0.3)
            raise UserError(f"{name}: not a goal-conditioned dataset of OGBench; the nearest are {', '.join(near)}")
        env = f"{found['env']}{found['version']}"
        self.names = Names(f"{PREFIX}{short}", env.split("-")[0], found["kind"], env, env, short)

    @cached_property
    def info(self) -> TaskInfo:
        """Sizes, read from the environment (which is made once)."""
        env, _ = base_env(self.names.env)
        return TaskInfo(
            name=self.names.task,
            title=f"OGBench {self.names.env.removesuffix('-v0')} ({self.names.kind}), any goal",
            observation_dim=2 * int(env.observation_space.shape[0]),
            action_dim=int(env.action_space.shape[0]),
            horizon=horizon_of(self.names.env),
            summary="Reach the goal that is observed beside the state: reward −1 a step until then, and the episode ends there.",
            extra="ogbench",
        )

    def environments(self, count: int, seed: int, **options: Any) -> EnvBatch:
        """``count`` environments, which play the five goals in turn; ``options`` as in `EnvBatch`."""
        return GoalEnvBatch(self.names.env, count, seed, horizon_of(self.names.env), **options)

    def generate(self, rows: int | None, seed: int, **options: Any) -> Transitions:
        """As of `OGBenchTask`, with hindsight goals."""
        return self.relabel(super().generate(rows, seed, **options))

    def load(self, folder: str | Path, *, split: Split = "train", out_of_bounds: OutOfBounds = "refuse") -> Transitions:
        """As of `OGBenchTask`, with hindsight goals."""
        return self.relabel(super().load(folder, split=split, out_of_bounds=out_of_bounds))

    def relabel(self, data: Transitions) -> GoalTransitions:
        """``data`` as `load_file` reads them, with a goal in every row."""
        KEEP.get().tell(f"goals by hindsight: of the rows, {RATIOS}; reward 0 at the goal, −1 elsewhere")
        return with_goals(data, float(self.training_defaults()["discount"]))

    def load_file(self, path: Path, *, out_of_bounds: OutOfBounds = "refuse") -> Transitions:
        """The rows of one file, before they get goals: states alone, and no reward."""
        return super().load_file(path, out_of_bounds=out_of_bounds)

    def _transitions(self, arrays: Arrays, source: str, out_of_bounds: OutOfBounds) -> Transitions:
        data = regular(arrays, source)
        self._check_sizes(data, source, simulator=False)
        rows = len(data["actions"])
        return make_transitions(
            data["observations"],
            data["actions"],
            np.full(rows, -1.0),
            np.ones(rows),
            data["next_observations"],
            data["terminals"] > 0,
            out_of_bounds=out_of_bounds,
            source=source,
            place=row_of(data[ROWS]),
        )


class GoalEnvBatch(EnvBatch):
    """`EnvBatch` whose episode i is played towards goal 1 + i mod 5, which stands behind each observation; the reward is −1
    until it is reached.
    """

    def __init__(self, env_id: str, count: int, seed: int, horizon: int, **options: Any) -> None:
        super().__init__(env_id, count, seed, horizon, **options)
        self._goals = np.zeros_like(self._observations)
        self._observations = np.concatenate((self._observations, self._goals), 1)

    def _begin(self, i: int, sequence: np.random.SeedSequence) -> np.ndarray:
        env = self._envs[i]
        seen, info = reset_env(env, sequence, options={"task_id": 1 + i % len(env.task_infos)})
        self._goals[i] = info["goal"]
        return np.concatenate((seen, self._goals[i]))

    def _step_one(self, i: int, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        seen, _, terminated, truncated, info = super()._step_one(i, action)
        return np.concatenate((seen, self._goals[i])), float(info["success"]) - 1.0, terminated, truncated, info
