"""Data for OGBench's cube tasks: its plan oracle moves random cubes to random places ("play"). No torch here."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from workbench.engine.tasks.collect import Arrays, Generator, end_of_trajectory
from workbench.engine.tasks.ogbench_env import make_env, numpy_seeded, reset_env

PLAN_NOISE = 0.1
PLAN_NOISE_SMOOTHING = 0.5


@lru_cache(maxsize=1)
def _collector(env_id: str) -> tuple[Any, Any]:
    env = make_env(env_id, mode="data_collection", terminate_at_goal=False, visualize_info=False)
    from ogbench.manipspace.oracles.plan.cube_plan import CubePlanOracle

    env.reset(seed=0)  # compiles the model, which the oracle reads
    return env, CubePlanOracle(env=env, noise=PLAN_NOISE, noise_smoothing=PLAN_NOISE_SMOOTHING)


def episode(env_id: str, steps: int, entropy: tuple[int, ...]) -> Arrays:
    """One trajectory of play in the environment ``env_id``.

    The oracle plans to pick a cube and to place it at a random target, follows the plan with temporally correlated
    noise, and plans anew when it is done, whether the cube arrived or not.

    Parameters
    ----------
    env_id : str
        A goal-conditioned environment, such as "cube-single-v0".
    steps : int
        Transitions; one row more is returned.
    entropy : tuple of int
        Names the random stream.

    Returns
    -------
    dict
        ``observations`` (steps + 1, S), ``actions`` (steps + 1, 5) in [-1, 1], ``qpos``, ``qvel`` float32,
        ``terminals`` bool.
    """
    env, oracle = _collector(env_id)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("observations", "actions", "qpos", "qvel")}
    with numpy_seeded(*entropy) as sequence:
        observation, info = reset_env(env, sequence)
        oracle.reset(observation, info)
        for _ in range(steps + 1):
            action = np.asarray(oracle.select_action(observation, info), dtype=np.float32)
            columns["observations"].append(observation)
            columns["actions"].append(action)
            columns["qpos"].append(info["qpos"])
            columns["qvel"].append(info["qvel"])
            observation, _, _, _, info = env.step(action)
            if oracle.done:
                observation, info = env.set_new_target()
                oracle.reset(observation, info)
    arrays = {name: np.asarray(column, dtype=np.float32) for name, column in columns.items()}
    return {**arrays, "terminals": end_of_trajectory(steps + 1)}


PLAY = Generator(episode, rows=100_000, rows_per_process=4_000)
