"""Data for OGBench's arm: its oracles move cubes, press buttons, pull the drawer and slide the window. No torch here.

"play": plans with temporally correlated noise, followed to their end. "noisy": closed-loop oracles with fresh noise in every
action, whose size differs between trajectories, and now and then a random action. Source: OGBench's own collection (arXiv
2410.20092), whose oracles and noise these are.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, Literal

import numpy as np

from workbench.engine.tasks.collect import Arrays, Generator, trajectory
from workbench.engine.tasks.ogbench_env import make_env, numpy_seeded, reset_env

Kind = Literal["play", "noisy"]
NOISE = 0.1  # of a plan; the most of a closed loop's, whose trajectories have 0 to this
PLAN_SMOOTHING = 0.5
RANDOM = 0.1  # share of random actions in "noisy"
NOISE_SHAPE = np.array([1.0, 1.0, 1.0, 3.0, 10.0])  # position, yaw, gripper
# How often a cube is put on another one: from and to, by the number of cubes in the environment's name.
STACKED = {"single": (0.0, 0.0), "double": (0.0, 0.25), "triple": (0.05, 0.35), "quadruple": (0.1, 0.5)}
BLOCK = slice(14, 17)  # the scene's cube in qpos


@lru_cache(maxsize=1)
def _collector(env_id: str, kind: Kind) -> tuple[Any, dict[str, Any]]:
    """The environment, and the oracle of every target that it sets."""
    env = make_env(env_id, mode="data_collection", terminate_at_goal=False, visualize_info=False)
    from ogbench.manipspace.oracles.markov import button_markov, cube_markov, drawer_markov, window_markov
    from ogbench.manipspace.oracles.plan import button_plan, cube_plan, drawer_plan, window_plan

    env.reset(seed=0)  # compiles the model, which the oracles read
    closed = {"gripper_always_closed": True} if env_id.startswith("puzzle") else {}
    if kind == "play":
        how: dict[str, Any] = {"env": env, "noise": NOISE, "noise_smoothing": PLAN_SMOOTHING}
        made: dict[str, Any] = {
            "cube": lambda: cube_plan.CubePlanOracle(**how),
            "button": lambda: button_plan.ButtonPlanOracle(**how, **closed),
            "drawer": lambda: drawer_plan.DrawerPlanOracle(**how),
            "window": lambda: window_plan.WindowPlanOracle(**how),
        }
    else:
        made = {
            "cube": lambda: cube_markov.CubeMarkovOracle(env=env),
            "button": lambda: button_markov.ButtonMarkovOracle(env=env, **closed),
            "drawer": lambda: drawer_markov.DrawerMarkovOracle(env=env),
            "window": lambda: window_markov.WindowMarkovOracle(env=env),
        }
    wanted = {"cube": ("cube",), "puzzle": ("button",)}.get(env_id.split("-")[0], tuple(made))
    return env, {name: made[name]() for name in wanted}


def episode(kind: Kind, env_id: str, steps: int, entropy: tuple[int, ...]) -> Arrays:
    """One trajectory in the environment ``env_id``.

    An oracle that is done, whether it got there or not, is followed by that of a new random target. A trajectory of the scene
    whose cube left what a camera sees is made again.

    Parameters
    ----------
    kind : {"play", "noisy"}
    env_id : str
        A goal-conditioned environment, such as "cube-single-v0".
    steps : int
        Transitions; one row more is returned.
    entropy : tuple of int
        Names the random stream.

    Returns
    -------
    dict
        ``observations`` (steps + 1, S), ``actions`` (steps + 1, 5) in [-1, 1], ``qpos``, ``qvel`` float32, where there are
        buttons ``button_states`` int64, ``terminals`` bool.
    """
    env, oracles = _collector(env_id, kind)
    stacking = STACKED.get(env_id.split("-")[1], (0.0, 0.0))
    with numpy_seeded(*entropy) as sequence:
        arrays = _collected(env, oracles, kind, stacking, steps, sequence)
        while env_id.startswith("scene") and not _is_seen(arrays["qpos"]):
            arrays = _collected(env, oracles, kind, stacking, steps, sequence.spawn(1)[0])
    return arrays


def _collected(
    env: Any,
    oracles: dict[str, Any],
    kind: Kind,
    stacking: tuple[float, float],
    steps: int,
    sequence: np.random.SeedSequence,
) -> Arrays:
    observation, info = reset_env(env, sequence)
    low, high = stacking
    stacked = low if low == high else np.random.uniform(low, high)  # noqa: NPY002 -- the generator that OGBench uses
    spread = np.random.uniform(0.0, NOISE) if kind == "noisy" else 0.0  # noqa: NPY002
    oracle = oracles[info["privileged/target_task"]]
    oracle.reset(observation, info)
    buttons = "button_states" in info
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("observations", "actions", "qpos", "qvel")}
    pressed: list[np.ndarray] = []
    for _ in range(steps + 1):
        if kind == "noisy" and np.random.rand() < RANDOM:  # noqa: NPY002
            action = env.action_space.sample()
        else:
            action = np.asarray(oracle.select_action(observation, info), dtype=np.float64)
            if kind == "noisy":
                action = action + np.random.normal(0.0, spread * NOISE_SHAPE)  # noqa: NPY002
        action = np.clip(action, -1.0, 1.0).astype(np.float32)
        for name, value in (
            ("observations", observation),
            ("actions", action),
            ("qpos", info["qpos"]),
            ("qvel", info["qvel"]),
        ):
            columns[name].append(value)
        if buttons:
            pressed.append(np.array(info["button_states"], dtype=np.int64))
        observation, _, _, _, info = env.step(action)
        if oracle.done:
            observation, info = env.set_new_target(p_stack=stacked)
            oracle = oracles[info["privileged/target_task"]]
            oracle.reset(observation, info)
    more = {"button_states": np.stack(pressed)} if buttons else {}
    return trajectory(columns["observations"], columns["actions"], columns["qpos"], columns["qvel"], **more)


def _is_seen(qpos: np.ndarray) -> bool:
    """Whether the scene's cube stayed in view: never far to the right, and far to the left in the drawer alone."""
    block = qpos[:, BLOCK]
    left = (block[:, 1] <= -0.3) & ((block[:, 2] < 0.06) | (block[:, 2] > 0.08))
    return not bool((block[:, 1] >= 0.29).any() or left.any())


MADE = {kind: Generator(partial(episode, kind), rows=100_000, rows_per_process=4_000) for kind in ("play", "noisy")}
