"""Many OGBench environments behind the `BatchEnv` protocol."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np

from workbench.engine.tasks.ogbench_env import clone, make_env, numpy_seeded, reset_env
from workbench.engine.tasks.protocol import StepResult
from workbench.engine.words import UserError


@lru_cache(maxsize=4)
def base_env(env_id: str) -> tuple[Any, Lock]:
    """The environment that all clones of this process share a model with, and the lock that guards the model."""
    env = make_env(env_id)
    with numpy_seeded(0) as sequence:
        reset_env(env, sequence)  # compiles the model
    return env, Lock()


class EnvBatch:
    """E episodes of one OGBench environment; satisfies `BatchEnv`.

    Environments are stepped one after the other: mujoco's Python binding gave no gain from two threads
    (0.70 ms a step of cube-single, 0.05 ms of pointmaze, either way).

    Parameters
    ----------
    env_id : str
        A registered single-task id.
    count : int
        E ≥ 1.
    seed : int
        Non-negative. Environment i's episode depends on (seed, i) only, not on E.
    horizon : int
        Steps until an episode is cut off.
    place : tuple of float, optional
        (x, y), where all episodes of a maze begin; without it where the task says.
    **options
        Of the environments, such as ``render_mode``: they are then made one by one, because a renderer belongs to its own
        model.

    Raises
    ------
    UserError
        ``count`` or ``seed`` out of range.
    """

    def __init__(
        self,
        env_id: str,
        count: int,
        seed: int,
        horizon: int,
        place: tuple[float, ...] | None = None,
        **options: Any,
    ) -> None:
        if count < 1 or seed < 0:
            raise UserError(f"{env_id}: needs count >= 1 and seed >= 0, got count={count}, seed={seed}")
        base, self._lock = base_env(env_id)
        self._envs = [make_env(env_id, **options) if options else clone(base) for _ in range(count)]
        self._seed, self._horizon, self._place = seed, horizon, place
        # Teleporting mazes draw the exit from numpy's global generator while stepping.
        self._draws = getattr(base, "_teleport_info", None) is not None
        self._observations = np.zeros((count, len(base.observation_space.low)), dtype=np.float32)
        self._damping = [base.unwrapped.model.dof_damping.copy() for _ in range(count)]
        self._steps = np.zeros(count, dtype=np.int64)

    def reset(self) -> np.ndarray:
        """Start all episodes; returns observations (E, S) float32."""
        with self._lock:
            for i, env in enumerate(self._envs):
                with numpy_seeded(self._seed, i) as sequence:
                    self._observations[i] = self._begin(i, sequence)
                if self._place is not None:
                    env.set_xy(np.asarray(self._place))
                    self._observations[i] = env.get_ob()
                self._damping[i] = env.model.dof_damping.copy()
        self._steps[:] = 0
        return self._observations.copy()

    def _begin(self, i: int, sequence: np.random.SeedSequence) -> np.ndarray:
        """Start episode i; returns its observation (S,)."""
        return reset_env(self._envs[i], sequence)[0]

    def step(self, actions: np.ndarray, active: np.ndarray) -> StepResult:
        """Apply ``actions`` (E, D) in [-1, 1] where ``active`` (E,) bool; the others stay as they are."""
        count = len(self._envs)
        rewards = np.zeros(count, dtype=np.float32)
        terminated, truncated, success = (np.zeros(count, dtype=bool) for _ in range(3))
        with self._lock:
            for i in np.flatnonzero(active).tolist():
                result = self._step_one(i, actions[i])
                self._observations[i], rewards[i], terminated[i], truncated[i], info = result
                success[i] = bool(info["success"])
        self._steps[active] += 1
        truncated |= active & ~terminated & (self._steps >= self._horizon)
        return StepResult(self._observations.copy(), rewards, terminated, truncated, success)

    def _step_one(self, i: int, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        env = self._envs[i]
        env.model.dof_damping[:] = self._damping[i]
        if self._draws:
            with numpy_seeded(self._seed, i, int(self._steps[i]) + 1):
                result: tuple[np.ndarray, float, bool, bool, dict[str, Any]] = env.step(action)
        else:
            result = env.step(action)
        self._damping[i] = env.model.dof_damping.copy()
        return result

    def picture(self, i: int) -> np.ndarray:
        """What environment i looks like, (H, W, 3) uint8; made with ``render_mode="rgb_array"``."""
        with self._lock:
            return np.asarray(self._envs[i].render())

    def close(self) -> None:
        """Drop the environments; the shared model stays for the next batch."""
        self._envs = []
