"""Gymnasium environments stepped one after the other. What they return is checked, and an error says what is odd about
it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.engine.data.boxes import ActionBox, flat
from workbench.engine.tasks.protocol import StepResult
from workbench.engine.words import SaidError, shown

SUCCESS = ("success", "is_success")


def missing_gymnasium(error: ImportError) -> ImportError:
    """The error to raise where gymnasium cannot be imported."""
    return ImportError(
        f'Gymnasium tasks need an optional package ({error}); install it with: pip install "workbench[minari]"'
    )


def make_gym(env_id: str, **options: Any) -> Any:
    """One environment; without ``options`` (such as ``render_mode``) it is not rendered.

    Raises
    ------
    ValueError
        No such environment, or a package that it needs is missing.
    ImportError
        gymnasium is not installed.
    """
    try:
        import gymnasium
    except ImportError as error:
        raise missing_gymnasium(error) from error
    try:
        return gymnasium.make(env_id, **options)
    except gymnasium.error.Error as error:
        near = difflib.get_close_matches(env_id, list(gymnasium.registry), n=3, cutoff=0.6)
        hint = f"; the nearest are {', '.join(near)}" if near else ""
        raise ValueError(f"no environment '{env_id}' can be made here ({error}){hint}") from error
    except TypeError as error:
        if not options:
            raise
        raise SaidError(
            f"environment '{env_id}' cannot be made with the arguments {', '.join(options)} ({error}); another version of it "
            "took them: install that version, or register the environment under an id of its own"
        ) from error


class GymBatch:
    """E environments stepped one after the other (the `BatchEnv` protocol).

    Environment i's episode depends on (seed, i) and its actions alone, as far as the environment keeps to its seed.

    Parameters
    ----------
    env_id : str
    count : int
        E ≥ 1.
    seed : int
        Non-negative.
    box : ActionBox
    horizon : int
    **options
        Of the environments, such as ``render_mode``.

    Raises
    ------
    SaidError
        In `reset` and `step`: an environment returned something that is no observation, number or truth value.
    """

    def __init__(self, env_id: str, count: int, seed: int, box: ActionBox, horizon: int, **options: Any) -> None:
        self._id = env_id
        self._envs = [make_gym(env_id, **options) for _ in range(count)]
        words = np.random.SeedSequence(seed).generate_state(count)
        self._seeds = [int(word) for word in words]
        self._box, self._horizon = box, horizon

    def reset(self) -> np.ndarray:
        """Start all episodes; returns observations (E, S) float32."""
        self._steps = np.zeros(len(self._envs), dtype=np.int64)
        pairs = zip(self._envs, self._seeds, strict=True)
        seen = [first_observation(env.reset(seed=seed), self._id) for env, seed in pairs]
        if len({len(row) for row in seen}) > 1:
            raise self._odd(f"observations of {sorted({len(row) for row in seen})} numbers", "as many at every reset")
        self._observations = np.stack(seen)
        return self._observations.copy()

    def step(self, actions: np.ndarray, active: np.ndarray) -> StepResult:
        """Apply ``actions`` (E, D) in [-1, 1], scaled to the bounds, where ``active`` (E,) bool."""
        count = len(self._envs)
        rewards = np.zeros(count, dtype=np.float32)
        terminated, truncated, success = (np.zeros(count, dtype=bool) for _ in range(3))
        for i in np.flatnonzero(active).tolist():
            env = self._envs[i]
            action = self._box.from_unit(actions[i]).astype(env.action_space.dtype).reshape(env.action_space.shape)
            result = env.step(action)
            if not isinstance(result, tuple) or len(result) != 5:
                raise self._odd(
                    f"{_kind(result)} from step", "(observation, reward, terminated, truncated, info), Gymnasium's five"
                )
            seen, reward, over, cut, info = result
            row = observation_row(seen, self._id)
            if row.shape != self._observations[i].shape:
                raise self._odd(
                    f"an observation of {len(row)} numbers from step", f"{self._observations.shape[1]} as at its reset"
                )
            self._observations[i] = row
            with np.errstate(over="ignore"):  # the rollout refuses an infinite reward
                rewards[i] = self._number(reward, "the reward")
            terminated[i] = bool(self._number(over, "'terminated'"))
            truncated[i] = bool(self._number(cut, "'truncated'"))
            success[i] = self._success(info)
        self._steps += active
        truncated |= active & ~terminated & (self._steps >= self._horizon)
        return StepResult(self._observations.copy(), rewards, terminated, truncated, success)

    def picture(self, i: int) -> np.ndarray:
        """What environment i looks like, (H, W, 3) uint8; made with ``render_mode="rgb_array"``."""
        return np.asarray(self._envs[i].render())

    def close(self) -> None:
        """Close them all."""
        for env in self._envs:
            env.close()
        self._envs = []

    def _success(self, info: Any) -> bool:
        if not isinstance(info, Mapping):
            raise self._odd(f"{_kind(info)} as info", "a dict")
        name = next((name for name in SUCCESS if name in info), None)
        return name is not None and bool(self._number(info[name], f"info['{name}']"))

    def _number(self, value: object, what: str) -> float:
        """One number, which may be an array of one."""
        try:
            array = np.asarray(value)
        except ValueError:  # rows of several lengths
            array = np.asarray(None)
        if array.size != 1 or array.dtype.kind not in "biuf":
            found = f"an array of shape {array.shape}" if array.size != 1 else shown(value)
            raise self._odd(f"{found} as {what}", "one number")
        return float(array.reshape(()))

    def _odd(self, found: str, expected: str) -> SaidError:
        return odd_environment(self._id, found, expected)


def first_observation(result: object, env_id: str) -> np.ndarray:
    """The observation (S,) of what ``env.reset`` returned."""
    if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], Mapping):
        raise odd_environment(env_id, f"{_kind(result)} from reset", "(observation, info), Gymnasium's two")
    return observation_row(result[0], env_id)


def observation_row(observation: object, env_id: str) -> np.ndarray:
    """An observation as one row (S,) float32."""
    try:
        return flat(observation)
    except (ValueError, TypeError) as error:
        raise odd_environment(env_id, f"an odd observation ({error})", "numbers, or dicts and tuples of them") from None


def odd_environment(env_id: str, found: str, expected: str) -> SaidError:
    """The error to raise for an environment that does not keep to Gymnasium's interface."""
    return SaidError(
        f"environment '{env_id}' returned {found}; expected {expected}. Change the environment, or wrap it "
        "(gymnasium.Wrapper) and register the wrapped one"
    )


def _kind(value: object) -> str:
    return f"{len(value)} values" if isinstance(value, tuple) else f"a {type(value).__name__}"
