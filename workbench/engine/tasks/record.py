"""A dataset from an environment and a policy: random actions, a function, or a steering rule on trained parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.engine.data.transitions import Transitions
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import Rule
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.recorder import Recorder
from workbench.engine.tasks.rollout import check_finite, rollout
from workbench.engine.words import UserError

Policy = Callable[[np.ndarray], np.ndarray]
AT_ONCE = 16  # episodes that are played together


def played(task: Task, policy: Policy | tuple[Rule, Parts] | None, episodes: int, seed: int) -> Transitions:
    """Play ``episodes`` episodes and return their steps as a dataset.

    Parameters
    ----------
    task : Task
    policy : callable, (Rule, Parts), or None
        ``policy(observations)`` takes (E, S) float32 and returns actions (E, D) in [-1, 1]; None for uniform random actions.
    episodes : int
    seed : int
        Fixes starts and noise.

    Raises
    ------
    UserError
        The policy returned something else than finite actions (E, D), or the environment numbers that are not finite.
    """
    recorder, generator = Recorder(), np.random.default_rng(seed)
    if isinstance(policy, tuple):
        rollout(*policy, task, episodes, seed, record=recorder)
        return recorder.transitions(task.info.name)
    for first in range(0, episodes, AT_ONCE):
        count = min(AT_ONCE, episodes - first)
        env = task.environments(count, seed + first)
        try:
            seen, active, step = env.reset(), np.ones(count, dtype=bool), 0
            check_finite(task, "observation", seen, active, step, first)
            while active.any():
                random = generator.uniform(-1.0, 1.0, (count, task.info.action_dim))
                actions = random if policy is None else _checked(policy(seen.copy()), count, task.info.action_dim)
                result, step = env.step(actions.astype(np.float32), active), step + 1
                check_finite(task, "observation", result.observations, active, step, first)
                check_finite(task, "reward", result.rewards[:, None], active, step, first)
                recorder(seen, actions.astype(np.float32), active, result)
                seen, active = result.observations, active & ~(result.terminated | result.truncated)
        finally:
            env.close()
        recorder.pause()
    return recorder.transitions(task.info.name)


def _checked(actions: Any, count: int, dims: int) -> np.ndarray:
    try:
        found = np.asarray(actions, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(
            f"the policy returned {type(actions).__name__}, not an array of actions ({count}, {dims})"
        ) from None
    if found.shape != (count, dims):
        raise UserError(
            f"the policy returned the shape {found.shape}; ({count}, {dims}) is needed, one row an environment"
        )
    if not np.isfinite(found).all():
        raise UserError("the policy returned NaN or infinity")
    if np.abs(found).max() > 1.0 + 1e-5:
        raise UserError(
            f"the policy returned {float(np.abs(found).max()):.4g}; actions lie in [-1, 1] (2 (a − low)/(high − low) − 1)"
        )
    return np.clip(found, -1.0, 1.0)
