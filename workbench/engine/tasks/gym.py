"""Any Gymnasium environment with continuous actions: ``gym/<id>`` and ``minari/<dataset>``.

The environment's actions between their bounds are scaled to [-1, 1], where all policies here act, and back. The tasks differ
in where their data come from: a file that is named with ``--data``, or Minari's folder.
"""

from __future__ import annotations

import re
import warnings
from functools import cached_property, partial
from typing import Any, Self

import numpy as np

from workbench.engine.data.boxes import ActionBox
from workbench.engine.data.minari_data import MinariData, read_minari
from workbench.engine.data.npz import DataFileError, plain_transitions
from workbench.engine.data.recorded_env import is_plain_argument
from workbench.engine.data.transitions import OutOfBounds, Transitions
from workbench.engine.tasks.gym_arguments import parse_arguments, spelled
from workbench.engine.tasks.gym_batch import GymBatch, box_of, entries_in_words, first_observation, is_listed, make_gym
from workbench.engine.tasks.gym_vector import VectorBatch, VectorTask, is_vectorised, make_vectorised
from workbench.engine.tasks.protocol import TaskInfo
from workbench.engine.tasks.usual_settings import USUAL_SETTINGS
from workbench.engine.words import UserError

HORIZON = 1000  # where an environment names none
MINARI_PATTERN = re.compile(
    r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*-v\d+"
)  # names of folders below one; none leads out of it


class GymTask:
    """``gym/<id>``: a Gymnasium environment; its data come from a file (``--data FILE.hdf5`` or ``FILE.npz``).

    Parameters
    ----------
    env_id : str
    **arguments
        Of the environment; ``gym/<id>,size=3,mode=hard`` gives them by name.
    """

    prefix = "gym"

    def __init__(self, env_id: str, **arguments: Any) -> None:
        self.env_id, self._arguments = env_id, arguments

    @classmethod
    def open(cls, identifier: str) -> Self:
        """The task of this name in its family."""
        env_id, arguments = parse_arguments(identifier)
        return cls(env_id, **arguments)

    @staticmethod
    def check_listed(identifier: str) -> None:
        """Refuse what Gymnasium does not list (`make_listed`): its ``MODULE:ID`` imports any module of this machine."""
        env_id, arguments = parse_arguments(identifier)
        if not is_listed(env_id):
            raise UserError(
                f"gym/{env_id[:60]}: not an environment that Gymnasium lists here. A name with a module is taken on "
                "the command line alone, where it is your own: workbench steer RUN"
            )
        odd = [name for name, value in arguments.items() if not is_plain_argument(name, value)]
        if odd:
            raise UserError(
                f"gym/{env_id[:60]}: the argument {odd[0][:60]} is no plain number or name; such arguments are taken on the "
                "command line alone"
            )

    @property
    def name(self) -> str:
        """``gym/<id>``, and its arguments."""
        return f"{self.prefix}/{self.env_id}{spelled(self._arguments)}"

    def make(self, **options: Any) -> Any:
        """One environment; ``options`` such as ``render_mode`` go to it beside the task's own arguments."""
        return make_gym(self.env_id, **self._arguments | options)

    @cached_property
    def _vector(self) -> VectorTask | None:
        """The task by its vectorised environment, where its id stands for nothing else (``vector_entry_point``)."""
        if not is_vectorised(self.env_id):
            return None
        return VectorTask(partial(make_vectorised, self.env_id, self._arguments), self.name)

    @cached_property
    def _found(self) -> tuple[ActionBox, int, int, str]:
        """Bounds of the actions, S, the horizon, and how an observation becomes one row; made once for this."""
        if self._vector is not None:
            return self._vector.space
        env = self.make()
        try:
            box = box_of(env.action_space, self.name)
            seen = env.reset(seed=0)
            size = len(first_observation(seen, self.env_id))
            limit = env.spec.max_episode_steps if env.spec is not None else None
        finally:
            env.close()
        return box, size, int(limit or HORIZON), entries_in_words(seen[0])

    @cached_property
    def _space(self) -> tuple[ActionBox, int, int]:
        return self._found[:3]

    @cached_property
    def info(self) -> TaskInfo:
        """Sizes, read from the environment."""
        box, size, horizon = self._space
        summary = f"Gymnasium's {self.env_id}; actions are scaled to [-1, 1]{self._found[3]}"
        return TaskInfo(self.name, self.env_id, size, len(box.low), horizon, summary, extra="minari")

    def to_unit(self, actions: np.ndarray) -> np.ndarray:
        """Actions of a data file, in the environment's units, scaled to [-1, 1]."""
        box = self._space[0]
        if actions.ndim != 2 or actions.shape[1] != len(box.low):
            return actions  # the door says what is wrong
        return box.to_unit(actions)

    def training_defaults(self, critic: str = "iql") -> dict[str, Any]:
        """The papers' ordinary settings with smaller networks; not measured here."""
        return USUAL_SETTINGS | {"critic": critic}

    def environments(self, count: int, seed: int, **options: Any) -> GymBatch | VectorBatch:
        """``count`` environments; the first of them are the same for every ``count``, unless they are vectorised."""
        if self._vector is not None:
            return self._vector.environments(count, seed)
        return self._single(count, seed, **options)

    def _single(self, count: int, seed: int, **options: Any) -> GymBatch:
        box, _, horizon = self._space
        return GymBatch(self.name, [self.make(**options) for _ in range(count)], seed, box, horizon)

    def pictured(self, seed: int) -> GymBatch:
        """One environment that renders pictures (`HasRenderer`)."""
        if self._vector is not None:
            raise UserError(
                f"{self.name}: a vectorised environment is not shown in pictures; register a single one to see it"
            )
        return self._single(1, seed, render_mode="rgb_array")

    def generate(self, rows: int | None, seed: int) -> Transitions:
        """Nothing is generated here: UserError says where data come from."""
        raise UserError(
            f"task '{self.name}' has no data of its own; name a file: workbench fit {self.name} --data FILE.hdf5 --out RUN"
        )


class MinariTask(GymTask):
    """``minari/<dataset>``: a dataset of Minari's local storage, and the environment that it names.

    Parameters
    ----------
    dataset : str
        Such as ``mujoco/hopper/medium-v0``.

    Raises
    ------
    DataFileError, UserError
        As `read_minari`.
    """

    prefix = "minari"

    @staticmethod
    def check_listed(identifier: str) -> None:
        """Refuse what is no dataset's name (`make_listed`): one with ``..`` or a leading slash reads anywhere."""
        if not MINARI_PATTERN.fullmatch(identifier):
            raise UserError(f"minari/{identifier[:60]}: not the name of a dataset, such as mujoco/hopper/medium-v0")

    def __init__(self, dataset: str) -> None:
        super().__init__(dataset)
        self._data: MinariData = read_minari(dataset)
        self._recorded = self._data.environment
        if self._recorded.wrappers:
            warnings.warn(
                f"{self.name}: was recorded through {', '.join(self._recorded.wrappers)}, which a dataset's description cannot "
                "bring along; if they change observations, actions or rewards, register the wrapped environment yourself",
                UserWarning,
                stacklevel=2,
            )

    @cached_property
    def _space(self) -> tuple[ActionBox, int, int]:
        size, recorded = self._data.arrays["observations"].shape[1], self._recorded
        if not recorded.id or recorded.refused:
            return self._data.box, size, recorded.horizon or HORIZON
        box, found, horizon = GymTask(recorded.id, **recorded.options())._space
        if found != size or len(box.low) != len(self._data.box.low):
            raise DataFileError(
                f"{self.name}: {size} observation and {len(self._data.box.low)} action columns, but its environment "
                f"{recorded.id} has {found} and {len(box.low)}; another version of it was recorded"
            )
        return self._data.box, size, horizon

    @cached_property
    def info(self) -> TaskInfo:
        """Sizes, of data and environment, and the arguments that this was recorded with."""
        box, size, horizon = self._space
        summary = f"Minari's {self.env_id}; actions are scaled to [-1, 1]{self._recorded.in_words()}"
        return TaskInfo(self.name, self.env_id, size, len(box.low), horizon, summary, extra="minari")

    def _single(self, count: int, seed: int, **options: Any) -> GymBatch:
        """UserError when the dataset names no environment, or arguments that are not taken from data."""
        recorded = self._recorded
        if not recorded.id:
            raise UserError(f"{self.name}: the dataset names no environment; it can be trained on, not played")
        if recorded.refused:
            raise UserError(
                f"{self.name}: was recorded in {recorded.id} with arguments that are not plain numbers or names "
                f"({', '.join(recorded.refused)}) and so are not taken from a dataset. Train on it (workbench fit), and play in "
                "an environment that you registered with these arguments yourself: save the data as a file, and name "
                "gym/ID --data FILE"
            )
        box, _, horizon = self._space
        made = [make_gym(recorded.id, **recorded.options() | options) for _ in range(count)]
        return GymBatch(recorded.id, made, seed, box, horizon)

    def own_data(self, out_of_bounds: OutOfBounds = "refuse") -> Transitions:
        """The dataset as it is stored."""
        return self._transitions(None, out_of_bounds)

    def generate(self, rows: int | None, seed: int) -> Transitions:
        """The dataset as it is stored, or its first ``rows`` rows."""
        return self._transitions(rows, "refuse")

    def _transitions(self, rows: int | None, out_of_bounds: OutOfBounds) -> Transitions:
        arrays = {name: array[:rows] for name, array in self._data.arrays.items()}
        scaled = arrays | {"actions": self._data.box.to_unit(arrays["actions"])}
        return plain_transitions(scaled, self.name, out_of_bounds, self._data.place)
