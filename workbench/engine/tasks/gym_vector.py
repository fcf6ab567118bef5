"""A vectorised Gymnasium environment of one's own (`gymnasium.vector.VectorEnv`), driven one episode each.

Whatever the environment does where an episode is over (its ``autoreset_mode``), no step crosses the reset: the last observation
is the one that the episode ended with, and what the environment does afterwards in that place is not looked at.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np

from workbench.engine.data.boxes import ActionBox, flat
from workbench.engine.data.transitions import Transitions
from workbench.engine.tasks.gym_batch import (
    SUCCESS,
    box_of,
    entries_in_words,
    is_listed,
    kind_of,
    odd_environment,
    seeds_of,
)
from workbench.engine.tasks.protocol import StepResult, TaskInfo
from workbench.engine.tasks.usual_settings import USUAL_SETTINGS
from workbench.engine.words import UserError, shown

HORIZON = 1000  # where an environment names none
MODES = {"NextStep": "next step", "SameStep": "same step", "Disabled": "disabled"}


class VectorBatch:
    """A vectorised environment as a `BatchEnv`: each of its places plays one episode.

    Parameters
    ----------
    env : gymnasium.vector.VectorEnv
        Of E places.
    name : str
        What messages call it.
    seed : int
        Each place has a seed of its own where the environment is made of single ones (sync, async); others take one for all.
    box : ActionBox
    horizon : int

    Raises
    ------
    UserError
        It does not say its autoreset mode; in `reset` and `step`: it returned something odd.
    """

    def __init__(self, env: Any, name: str, seed: int, box: ActionBox, horizon: int) -> None:
        self._env, self._name, self._seed, self._box, self._horizon = env, name, seed, box, horizon
        self._count = int(env.num_envs)
        self._mode = _mode_of(env, name)

    def reset(self) -> np.ndarray:
        """Start all episodes; returns observations (E, S) float32."""
        result = self._env.reset(seed=self._seeds())
        if not isinstance(result, tuple) or len(result) != 2:
            raise self._odd(f"{kind_of(result)} from reset", "(observations, infos)")
        self._observations = self._rows(result[0])
        self._steps = np.zeros(self._count, dtype=np.int64)
        self._over = np.zeros(self._count, dtype=bool)
        return self._observations.copy()

    def step(self, actions: np.ndarray, active: np.ndarray) -> StepResult:
        """Apply ``actions`` (E, D) in [-1, 1] where ``active`` (E,); the others take the middle of the bounds, unseen."""
        if self._mode == "disabled" and self._over.any():  # such an environment refuses to step what is over
            self._env.reset(options={"reset_mask": self._over.copy()})
        space = self._env.single_action_space
        moves = self._box.from_unit(np.where(active[:, None], actions, 0.0))
        result = self._env.step(moves.astype(space.dtype).reshape(self._count, *space.shape))
        if not isinstance(result, tuple) or len(result) != 5:
            raise self._odd(f"{kind_of(result)} from step", "(observations, rewards, terminations, truncations, infos)")
        seen, rewards, over, cut, infos = result
        terminated, truncated = (
            self._column(flags, what).astype(bool) for flags, what in ((over, "terminations"), (cut, "truncations"))
        )
        self._over = terminated | truncated
        rows = self._rows(seen)
        if self._mode == "same step":
            for i in np.flatnonzero(self._over & active):
                rows[i] = self._last(infos, int(i))
        self._observations = np.where(active[:, None], rows, self._observations)
        self._steps += active
        with np.errstate(over="ignore"):  # the rollout refuses an infinite reward
            paid = np.where(active, self._column(rewards, "rewards"), 0.0).astype(np.float32)
        late = ~terminated & (self._steps >= self._horizon)
        return StepResult(
            self._observations.copy(),
            paid,
            terminated & active,
            (truncated | late) & active,
            self._success(infos) & active,
        )

    def close(self) -> None:
        """Close it."""
        self._env.close()

    def _seeds(self) -> list[int] | int:
        from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

        if isinstance(self._env.unwrapped, (SyncVectorEnv, AsyncVectorEnv)):
            return seeds_of(self._seed, self._count)
        return seeds_of(self._seed, 1)[0]

    def _rows(self, observations: Any) -> np.ndarray:
        try:
            rows = flat(observations, self._count)
        except (UserError, ValueError, TypeError) as error:
            raise self._odd(
                f"odd observations ({error})", f"numbers, or dicts and tuples of them, for {self._count} places"
            ) from None
        return np.array(rows)  # the environment may write into its own array at the next step

    def _last(self, infos: Any, place: int) -> np.ndarray:
        """What the episode in ``place`` ended with; the returned observation is the next episode's first."""
        final = infos.get("final_obs") if isinstance(infos, Mapping) else None
        found = _at(final, place)
        if found is None:
            raise self._odd(
                f"no infos['final_obs'] for place {place}, whose episode is over",
                "the last observation there, as the mode 'same step' has it",
            )
        row = flat(found)
        if row.shape != self._observations[place].shape:
            raise self._odd(
                f"a last observation of {len(row)} numbers", f"{self._observations.shape[1]} as at its reset"
            )
        return row

    def _success(self, infos: Any) -> np.ndarray:
        if not isinstance(infos, Mapping):
            raise self._odd(f"{kind_of(infos)} as infos", "a dict")
        success = np.zeros(self._count, dtype=bool)
        final = infos.get("final_info")
        for where in (infos, final if isinstance(final, Mapping) else {}):
            name = next((name for name in SUCCESS if name in where), None)
            if name is not None:
                said = where.get(f"_{name}", np.ones(self._count, dtype=bool))
                success |= np.asarray(said, dtype=bool) & self._column(where[name], f"infos['{name}']").astype(bool)
        return success

    def _column(self, values: Any, what: str) -> np.ndarray:
        array = np.asarray(values)
        if array.dtype.kind == "O" and array.shape == (self._count,):  # places that said nothing hold None
            array = np.array([0.0 if value is None else value for value in array])
        if array.size != self._count or array.dtype.kind not in "biuf":
            raise self._odd(
                f"{what} of shape {array.shape} and dtype {array.dtype}", f"one number for each of {self._count} places"
            )
        return array.reshape(self._count)

    def _odd(self, found: str, expected: str) -> UserError:
        return odd_environment(self._name, found, expected)


class VectorTask:
    """A vectorised environment of one's own as a task: `evaluate`, `rollout` and recording take it like any other.

    Parameters
    ----------
    make : callable
        ``make(count)`` returns a `gymnasium.vector.VectorEnv` of ``count`` places.
    name : str
        What to call it.

    Raises
    ------
    UserError
        On first use: its actions cannot be steered, it has another number of places, or it does not say its autoreset mode.

    Examples
    --------
    >>> import gymnasium, workbench as wb
    >>> task = wb.VectorTask(lambda count: gymnasium.make_vec("Pendulum-v1", count), "pendulums")
    >>> task.info.action_dim
    1
    """

    def __init__(self, make: Callable[[int], object], name: str = "vector environment") -> None:
        self._make, self._name = make, name

    @cached_property
    def space(self) -> tuple[ActionBox, int, int, str]:
        """Bounds of the actions, S, the horizon, and how an observation becomes one row; made once for this."""
        env = self._made(1)
        try:
            box = box_of(env.single_action_space, self._name)
            limit = env.spec.max_episode_steps if env.spec is not None else None
            horizon = int(limit or HORIZON)
            size = VectorBatch(env, self._name, 0, box, horizon).reset().shape[1]
            one = env.single_observation_space.sample()
        finally:
            env.close()
        return box, size, horizon, entries_in_words(one)

    @cached_property
    def info(self) -> TaskInfo:
        """Sizes, read from the environment."""
        box, size, horizon, entries = self.space
        summary = f"a vectorised environment; actions are scaled to [-1, 1]{entries}"
        return TaskInfo(self._name, self._name, size, len(box.low), horizon, summary, extra="minari")

    def to_unit(self, actions: np.ndarray) -> np.ndarray:
        """Actions of a data file, in the environment's units, scaled to [-1, 1]."""
        return self.space[0].to_unit(actions)

    def training_defaults(self, critic: str = "iql") -> dict[str, Any]:
        """Those of every Gymnasium environment."""
        return USUAL_SETTINGS | {"critic": critic}

    def environments(self, count: int, seed: int) -> VectorBatch:
        """The environment with ``count`` places."""
        box, _, horizon, _ = self.space
        return VectorBatch(self._made(count), self._name, seed, box, horizon)

    def generate(self, rows: int | None, seed: int) -> Transitions:
        """Nothing is generated here: UserError says where data come from."""
        raise UserError(f"{self._name} has no data of its own; give Transitions or a file: wb.train(task, data=...)")

    def _made(self, count: int) -> Any:
        env: Any = self._make(count)
        if env.num_envs != count:
            raise UserError(
                f"{self._name}: make({count}) returned an environment of {env.num_envs} places; it must have {count}"
            )
        return env


def is_vectorised(env_id: str) -> bool:
    """Whether this id stands for a vectorised environment alone."""
    module, colon, name = env_id.rpartition(":")
    if colon:
        with contextlib.suppress(ImportError):  # making the environment says what is wrong
            importlib.import_module(module)
    elif not is_listed(env_id):
        return False
    import gymnasium

    spec = gymnasium.registry.get(name)
    return spec is not None and spec.entry_point is None and spec.vector_entry_point is not None


def make_vectorised(env_id: str, arguments: Mapping[str, Any], count: int) -> Any:
    """The vectorised environment of this id with ``count`` places; UserError where it cannot be made."""
    import gymnasium

    try:
        return gymnasium.make_vec(env_id, count, vectorization_mode="vector_entry_point", **arguments)
    except (gymnasium.error.Error, ImportError, AssertionError, TypeError) as error:
        raise UserError(
            f"vectorised environment '{env_id}' cannot be made with {count} places"
            f"{f' and the arguments {chr(44).join(arguments)}' if arguments else ''} ({error}); check its arguments, or install "
            "what it needs"
        ) from error


def _mode_of(env: Any, name: str) -> str:
    """What the environment does where an episode is over."""
    said = (env.metadata or {}).get("autoreset_mode")
    mode = MODES.get(str(said.value if isinstance(said, Enum) else said))
    if mode is None:
        raise UserError(
            f"{name}: does not say what happens where an episode is over (metadata['autoreset_mode'] is {shown(said)}); set it: "
            "metadata = {'autoreset_mode': gymnasium.vector.AutoresetMode.NEXT_STEP}, or SAME_STEP with infos['final_obs'], or "
            "DISABLED"
        )
    return mode


def _at(values: Any, place: int) -> Any:
    """What ``values`` hold for one place: an array of observations, or a dict or tuple of such arrays."""
    if values is None:
        return None
    if isinstance(values, Mapping):
        return {name: value[place] for name, value in values.items() if not str(name).startswith("_")}
    if isinstance(values, tuple):
        return tuple(value[place] for value in values)
    return values[place]
