"""Gymnasium environments stepped one after the other. What they return is checked, and an error says what is odd about
it.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.engine.data.boxes import ActionBox, flat
from workbench.engine.tasks.protocol import StepResult
from workbench.engine.words import MissingExtraError, UserError, shown

SUCCESS = ("success", "is_success")
LEFT = "tasks_to_complete"  # FrankaKitchen's info: what is left to do
# Prefixes of what gymnasium-robotics has; it is imported for these alone.
ROBOTICS = re.compile(r"(AntMaze|PointMaze|FrankaKitchen|AdroitHand|Fetch|Hand(Reach|Manipulate))")
OF_D4RL = re.compile(r"(antmaze|maze2d|kitchen|pen|door|hammer|relocate|halfcheetah|hopper|walker2d|ant)-[a-z-]+-v\d$")


def missing_gymnasium(error: ImportError) -> MissingExtraError:
    """The error to raise where gymnasium cannot be imported."""
    return MissingExtraError(
        f'Gymnasium tasks need an optional package ({error}); install it with: pip install "workbench[minari]"'
    )


def is_listed(env_id: str) -> bool:
    """Whether Gymnasium lists this environment; gymnasium-robotics adds its own where it is installed.

    Raises
    ------
    ImportError
        gymnasium is not installed.
    """
    try:
        import gymnasium
    except ImportError as error:
        raise missing_gymnasium(error) from error
    if env_id not in gymnasium.registry and ROBOTICS.match(env_id):
        with contextlib.suppress(ImportError):
            gymnasium.register_envs(importlib.import_module("gymnasium_robotics"))
    return env_id in gymnasium.registry


def make_gym(env_id: str, **options: Any) -> Any:
    """One environment; without ``options`` (such as ``render_mode``) it is not rendered.

    Raises
    ------
    UserError
        No such environment, or a package that it needs is missing.
    ImportError
        gymnasium is not installed.
    """
    is_listed(env_id)
    import gymnasium

    try:
        return gymnasium.make(env_id, **options)
    except gymnasium.error.Error as error:
        raise UserError(f"no environment '{env_id}' can be made here ({error}){_instead(env_id)}") from error
    except ImportError as error:  # of the module that the name says, or of one that it needs
        raise UserError(
            f"environment '{env_id}' cannot be imported ({error}); install it, or check its name{_instead(env_id)}"
        ) from error
    except AssertionError as error:
        raise UserError(
            f"environment '{env_id}' cannot be made: a check of its own failed{f' ({error})' if str(error) else ''}"
            f"{_kitchen(env_id) or '; check its arguments, or install a version of its simulator that it runs with'}"
        ) from error
    except TypeError as error:
        if not options:
            raise
        raise UserError(
            f"environment '{env_id}' cannot be made with the arguments {', '.join(options)} ({error}); another version of it "
            "took them: install that version, or register the environment under an id of its own"
        ) from error


def _instead(env_id: str) -> str:
    """What may be meant by an id that cannot be made."""
    import gymnasium

    if OF_D4RL.match(env_id):
        return f"; it is an id of D4RL's own package, whose data and environment are here as d4rl/{env_id}"
    if ROBOTICS.match(env_id) and importlib.util.find_spec("gymnasium_robotics") is None:
        return '; gymnasium-robotics has such environments: pip install "workbench[robotics]"'
    stem = env_id.rpartition("-v")[0]
    versions = {
        int(version): name
        for name in gymnasium.registry
        for base, _, version in [name.rpartition("-v")]
        if stem and base == stem and version.isdigit() and name != env_id
    }
    if versions:
        return f"; {versions[max(versions)]} takes its place"
    near = difflib.get_close_matches(env_id, list(gymnasium.registry), n=3, cutoff=0.6)
    return f"; the nearest are {', '.join(near)}" if near else ""


def _kitchen(env_id: str) -> str:
    if not env_id.startswith("FrankaKitchen"):
        return ""
    return (
        ": gymnasium-robotics compares joint types in a way that newer MuJoCos answer with no; it runs with MuJoCo 3.3: "
        "pip install mujoco==3.3.0. Without it train on the data and measure offline: workbench measure offline RUN"
    )


def box_of(space: Any, name: str) -> ActionBox:
    """The bounds of an action space; UserError where it is no box of floats, with the way out."""
    import gymnasium

    if isinstance(space, gymnasium.spaces.Box) and np.issubdtype(space.dtype, np.floating):
        return ActionBox(space.low, space.high, name)
    kinds = {
        gymnasium.spaces.Discrete: "choose among them by numbers: a wrapper whose action_space is a Box of one score for each, "
        "and whose action() returns scores.argmax()",
        gymnasium.spaces.MultiDiscrete: "a wrapper whose action_space is a Box with a score for each choice",
        gymnasium.spaces.MultiBinary: "a wrapper whose action_space is a Box, and whose action() returns (a > 0)",
        gymnasium.spaces.Dict: "a wrapper whose action_space is one Box, and whose action() cuts it into the dict's entries "
        "(gymnasium.spaces.utils.flatten_space and unflatten, where all of them are boxes)",
        gymnasium.spaces.Tuple: "a wrapper whose action_space is one Box, and whose action() cuts it into the tuple's entries "
        "(gymnasium.spaces.utils.flatten_space and unflatten, where all of them are boxes)",
    }
    way = next((words for kind, words in kinds.items() if isinstance(space, kind)), "a wrapper with a Box of floats")
    raise UserError(
        f"{name}: its actions are {shown(space)}; only continuous actions (a Box of floats) can be steered. The way out is "
        f"{way}: gymnasium.ActionWrapper, registered under an id of its own"
    )


def entries_in_words(observation: object) -> str:
    """The end of a summary: how an observation that is a dict or tuple becomes one row; "" for an array."""
    if isinstance(observation, Mapping):
        parts = [f"{name} ({flat(observation[name]).size})" for name in sorted(observation)]
    elif isinstance(observation, tuple):
        parts = [f"entry {number} ({flat(entry).size})" for number, entry in enumerate(observation)]
    else:
        return ""
    return f"; an observation is one row of {', '.join(parts)}, in this order"


class GymBatch:
    """E environments stepped one after the other (the `BatchEnv` protocol).

    Environment i's episode depends on (seed, i) and its actions alone, as far as the environment keeps to its seed.

    Parameters
    ----------
    env_id : str
        What messages call them.
    envs : list
        E ≥ 1 Gymnasium environments.
    seed : int
        Non-negative.
    box : ActionBox
    horizon : int

    Raises
    ------
    UserError
        In `reset` and `step`: an environment returned something that is no observation, number or truth value.
    """

    def __init__(self, env_id: str, envs: Sequence[Any], seed: int, box: ActionBox, horizon: int) -> None:
        self._id, self._envs = env_id, list(envs)
        self._seeds = seeds_of(seed, len(self._envs))
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
                    f"{kind_of(result)} from step",
                    "(observation, reward, terminated, truncated, info), Gymnasium's five",
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
            raise self._odd(f"{kind_of(info)} as info", "a dict")
        name = next((name for name in SUCCESS if name in info), None)
        if name is None and isinstance(info.get(LEFT), list):
            return not info[LEFT]
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

    def _odd(self, found: str, expected: str) -> UserError:
        return odd_environment(self._id, found, expected)


def seeds_of(seed: int, count: int) -> list[int]:
    """A seed for each of ``count`` environments; the first ones are the same for every ``count``."""
    return [int(word) for word in np.random.SeedSequence(seed).generate_state(count)]


def first_observation(result: object, env_id: str) -> np.ndarray:
    """The observation (S,) of what ``env.reset`` returned."""
    if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], Mapping):
        raise odd_environment(env_id, f"{kind_of(result)} from reset", "(observation, info), Gymnasium's two")
    return observation_row(result[0], env_id)


def observation_row(observation: object, env_id: str) -> np.ndarray:
    """An observation as one row (S,) float32."""
    try:
        return flat(observation)
    except (ValueError, TypeError) as error:
        raise odd_environment(env_id, f"an odd observation ({error})", "numbers, or dicts and tuples of them") from None


def odd_environment(env_id: str, found: str, expected: str) -> UserError:
    """The error to raise for an environment that does not keep to Gymnasium's interface."""
    return UserError(
        f"environment '{env_id}' returned {found}; expected {expected}. Change the environment, or wrap it "
        "(gymnasium.Wrapper) and register the wrapped one"
    )


def kind_of(value: object) -> str:
    """What a value is called in messages about it."""
    return f"{len(value)} values" if isinstance(value, tuple) else f"a {type(value).__name__}"
