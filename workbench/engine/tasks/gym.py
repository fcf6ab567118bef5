"""Any Gymnasium environment with continuous actions: ``gym/<id>``, ``minari/<dataset>`` and ``d4rl/<dataset>``.

The environment's actions between their bounds are scaled to [-1, 1], where all policies here act, and back. The tasks differ
in where their data come from: a file that is named with ``--data``, Minari's folder, D4RL's own files.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from workbench.engine.data.boxes import ActionBox
from workbench.engine.data.hdf5 import read_hdf5
from workbench.engine.data.minari_data import MinariData, read_minari
from workbench.engine.data.npz import DataFileError, plain_transitions
from workbench.engine.data.transitions import OutOfBounds, Transitions
from workbench.engine.tasks.collect import Tick
from workbench.engine.tasks.gym_batch import GymBatch, first_observation, make_gym, missing_gymnasium
from workbench.engine.tasks.protocol import TaskInfo
from workbench.engine.words import UserError, counted

HORIZON = 1000  # where an environment names none
DEFAULTS: dict[str, Any] = {
    "hidden": (256, 256, 256),
    "steps": 50_000,
    "batch_size": 256,
    "learning_rate": 3e-4,
    "discount": 0.99,
    "tau": 0.005,
    "critic": "iql",
}
# D4RL's locomotion data came from older versions of these environments; observations and actions are the same.
D4RL = {"halfcheetah": "HalfCheetah-v5", "hopper": "Hopper-v5", "walker2d": "Walker2d-v5"}
MINARI_PATTERN = re.compile(
    r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*-v\d+"
)  # names of folders below one; none leads out of it
D4RL_PATTERN = re.compile(r"(?P<body>[a-z0-9]+)[-_](?P<kind>[a-z_-]+)-v(?P<version>\d)")


class GymTask:
    """``gym/<id>``: a Gymnasium environment; its data come from a file (``--data FILE.hdf5`` or ``FILE.npz``).

    Parameters
    ----------
    env_id : str
    **arguments
        Of the environment.
    """

    prefix = "gym"

    def __init__(self, env_id: str, **arguments: Any) -> None:
        self.env_id, self._arguments = env_id, arguments

    @classmethod
    def open(cls, identifier: str) -> Self:
        """The task of this name in its family."""
        return cls(identifier)

    @staticmethod
    def check_listed(identifier: str) -> None:
        """Refuse what Gymnasium does not list (`make_listed`): its ``MODULE:ID`` imports any module of this machine."""
        try:
            import gymnasium
        except ImportError as error:
            raise missing_gymnasium(error) from error
        if identifier not in gymnasium.registry:
            raise UserError(
                f"gym/{identifier[:60]}: not an environment that Gymnasium lists here. A name with a module is taken on "
                "the command line alone, where it is your own: workbench steer RUN"
            )

    @property
    def name(self) -> str:
        """``gym/<id>``."""
        return f"{self.prefix}/{self.env_id}"

    @cached_property
    def _space(self) -> tuple[ActionBox, int, int]:
        """Bounds of the actions, S, and the horizon; the environment is made once for this."""
        env = make_gym(self.env_id, **self._arguments)
        try:
            space = env.action_space
            if not hasattr(space, "low") or space.dtype.kind != "f":
                raise UserError(
                    f"{self.name}: its actions are {space}; only continuous actions (a Box of floats) can be steered"
                )
            box = ActionBox(space.low, space.high, self.name)
            size = len(first_observation(env.reset(seed=0), self.env_id))
            limit = env.spec.max_episode_steps if env.spec is not None else None
        finally:
            env.close()
        return box, size, int(limit or HORIZON)

    @cached_property
    def info(self) -> TaskInfo:
        """Sizes, read from the environment."""
        box, size, horizon = self._space
        summary = f"Gymnasium's {self.env_id}; actions are scaled to [-1, 1]"
        return TaskInfo(self.name, self.env_id, size, len(box.low), horizon, summary, extra="minari")

    def to_unit(self, actions: np.ndarray) -> np.ndarray:
        """Actions of a data file, in the environment's units, scaled to [-1, 1]."""
        box = self._space[0]
        if actions.ndim != 2 or actions.shape[1] != len(box.low):
            return actions  # the door says what is wrong
        return box.to_unit(actions)

    def training_defaults(self, critic: str = "iql") -> dict[str, Any]:
        """The papers' ordinary settings with smaller networks; not measured here."""
        return DEFAULTS | {"critic": critic}

    def environments(self, count: int, seed: int, **options: Any) -> GymBatch:
        """``count`` environments, the first of them the same for every ``count``."""
        box, _, horizon = self._space
        return GymBatch(self.env_id, count, seed, box, horizon, **self._arguments | options)

    def pictured(self, seed: int) -> GymBatch:
        """One environment that renders pictures (`HasRenderer`)."""
        return self.environments(1, seed, render_mode="rgb_array")

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

    def environments(self, count: int, seed: int, **options: Any) -> GymBatch:
        """As `GymTask`; UserError when the dataset names no environment, or arguments that are not taken from data."""
        recorded = self._recorded
        if not recorded.id:
            raise UserError(f"{self.name}: the dataset names no environment; it can be trained on, not played")
        if recorded.refused:
            raise UserError(
                f"{self.name}: was recorded in {recorded.id} with "
                f"{counted(len(recorded.refused), 'argument')} ({', '.join(recorded.refused)}) that are not "
                "plain numbers or names and so are not taken from a dataset. Train on it (workbench fit), and play in an "
                "environment that you registered with these arguments yourself: save the data as a file, and name "
                "gym/ID --data FILE"
            )
        box, _, horizon = self._space
        return GymBatch(recorded.id, count, seed, box, horizon, **recorded.options() | options)

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


class D4RLTask(GymTask):
    """``d4rl/<dataset>``: D4RL's locomotion data, from the folder that ``--data`` names, in Gymnasium's environments.

    Parameters
    ----------
    dataset : str
        Such as ``hopper-medium-v2``; the file is ``hopper_medium-v2.hdf5``, D4RL's own name, or ``hopper-medium-v2.hdf5``.

    Raises
    ------
    UserError
        Not one of D4RL's locomotion datasets.
    """

    prefix = "d4rl"

    @staticmethod
    def check_listed(identifier: str) -> None:
        """Refuse what is not one of D4RL's locomotion datasets (`make_listed`)."""
        D4RLTask(identifier)

    def __init__(self, dataset: str) -> None:
        found = D4RL_PATTERN.fullmatch(dataset)
        if found is None or found["body"] not in D4RL:
            raise UserError(
                f"d4rl/{dataset}: environments are here for {', '.join(D4RL)} (such as hopper-medium-v2); "
                "use other files with an environment of your own: workbench fit gym/ID --data FILE.hdf5"
            )
        super().__init__(D4RL[found["body"]])
        self._dataset = dataset

    @property
    def name(self) -> str:
        """``d4rl/<dataset>``."""
        return f"{self.prefix}/{self._dataset}"

    def files(self, folder: str | Path) -> Mapping[str, Path]:
        """The file, by D4RL's own name if that is there."""
        body, _, rest = self._dataset.replace("_", "-").partition("-")
        kind, _, version = rest.rpartition("-")
        own = Path(folder).expanduser() / f"{body}_{kind.replace('-', '_')}-{version}.hdf5"
        return {"train": own if own.exists() else own.with_name(f"{self._dataset}.hdf5")}

    def load(self, folder: str | Path, *, out_of_bounds: OutOfBounds = "refuse") -> Transitions:
        """Read the file in ``folder``; raises as `read_hdf5`."""
        return self.load_file(self.files(folder)["train"], out_of_bounds=out_of_bounds)

    def load_file(self, path: Path, *, out_of_bounds: OutOfBounds = "refuse") -> Transitions:
        """Read one file; raises as `read_hdf5`."""
        arrays = read_hdf5(path)
        return plain_transitions(arrays | {"actions": self.to_unit(arrays["actions"])}, str(path), out_of_bounds)

    def write(self, folder: str | Path, rows: int | None, seed: int, *, tick: Tick | None = None) -> tuple[Path, ...]:
        """D4RL's data are not made here: UserError says what to do."""
        raise UserError(
            f"{self.name}: D4RL's data are not generated here; put its file {self.files(folder)['train'].name} into {folder}"
        )
