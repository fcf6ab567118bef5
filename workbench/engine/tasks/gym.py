"""Any Gymnasium environment with continuous actions: ``gym/<id>``, ``minari/<dataset>`` and ``d4rl/<dataset>``.

The environment's actions between their bounds are scaled to [-1, 1], where all policies here act, and back. The tasks differ
in where their data come from: a file that is named with ``--data``, Minari's folder, D4RL's own files.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine.data.boxes import ActionBox, flat
from workbench.engine.data.hdf5 import read_hdf5
from workbench.engine.data.minari_data import MinariData, read_minari
from workbench.engine.data.npz import DataFileError, plain_transitions
from workbench.engine.data.transitions import OutOfBounds, Transitions
from workbench.engine.tasks.collect import Tick
from workbench.engine.tasks.protocol import StepResult, TaskInfo

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
        raise _missing(error) from error
    try:
        return gymnasium.make(env_id, **options)
    except gymnasium.error.Error as error:
        near = difflib.get_close_matches(env_id, list(gymnasium.registry), n=3, cutoff=0.6)
        hint = f"; the nearest are {', '.join(near)}" if near else ""
        raise ValueError(f"no environment '{env_id}' can be made here ({error}){hint}") from error


def _missing(error: ImportError) -> ImportError:
    return ImportError(
        f'Gymnasium tasks need an optional package ({error}); install it with: pip install "workbench[minari]"'
    )


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
    """

    def __init__(self, env_id: str, count: int, seed: int, box: ActionBox, horizon: int, **options: Any) -> None:
        self._envs = [make_gym(env_id, **options) for _ in range(count)]
        words = np.random.SeedSequence(seed).generate_state(count)
        self._seeds = [int(word) for word in words]
        self._box, self._horizon = box, horizon

    def reset(self) -> np.ndarray:
        """Start all episodes; returns observations (E, S) float32."""
        self._steps = np.zeros(len(self._envs), dtype=np.int64)
        pairs = zip(self._envs, self._seeds, strict=True)
        self._observations = np.stack([flat(env.reset(seed=seed)[0]) for env, seed in pairs])
        return self._observations.copy()

    def step(self, actions: np.ndarray, active: np.ndarray) -> StepResult:
        """Apply ``actions`` (E, D) in [-1, 1], scaled to the bounds, where ``active`` (E,) bool."""
        count = len(self._envs)
        rewards = np.zeros(count, dtype=np.float32)
        terminated, truncated, success = (np.zeros(count, dtype=bool) for _ in range(3))
        for i in np.flatnonzero(active).tolist():
            env = self._envs[i]
            action = self._box.from_unit(actions[i]).astype(env.action_space.dtype).reshape(env.action_space.shape)
            seen, rewards[i], terminated[i], truncated[i], info = env.step(action)
            self._observations[i] = flat(seen)
            success[i] = bool(info.get("success", info.get("is_success", False)))
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


class GymTask:
    """``gym/<id>``: a Gymnasium environment; its data come from a file (``--data FILE.hdf5`` or ``FILE.npz``).

    Parameters
    ----------
    env_id : str
    """

    prefix = "gym"
    renders = True  # see `film`

    def __init__(self, env_id: str) -> None:
        self.env_id = env_id

    @staticmethod
    def check_listed(identifier: str) -> None:
        """Refuse what Gymnasium does not list (`make_listed`): its ``MODULE:ID`` imports any module of this machine."""
        try:
            import gymnasium
        except ImportError as error:
            raise _missing(error) from error
        if identifier not in gymnasium.registry:
            raise ValueError(
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
        env = make_gym(self.env_id)
        try:
            space = env.action_space
            if not hasattr(space, "low") or space.dtype.kind != "f":
                raise ValueError(
                    f"{self.name}: its actions are {space}; only continuous actions (a Box of floats) can be steered"
                )
            box = ActionBox(space.low, space.high, self.name)
            size = len(flat(env.reset(seed=0)[0]))
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
        return GymBatch(self.env_id, count, seed, box, horizon, **options)

    def generate(self, rows: int | None, seed: int) -> Transitions:
        """Nothing is generated here: ValueError says where data come from."""
        raise ValueError(
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
    DataFileError, ValueError
        As `read_minari`.
    """

    prefix = "minari"

    @staticmethod
    def check_listed(identifier: str) -> None:
        """Refuse what is no dataset's name (`make_listed`): one with ``..`` or a leading slash reads anywhere."""
        if not MINARI_PATTERN.fullmatch(identifier):
            raise ValueError(f"minari/{identifier[:60]}: not the name of a dataset, such as mujoco/hopper/medium-v0")

    def __init__(self, dataset: str) -> None:
        super().__init__(dataset)
        self._data: MinariData = read_minari(dataset)

    @cached_property
    def _space(self) -> tuple[ActionBox, int, int]:
        size = self._data.arrays["observations"].shape[1]
        if not self._data.environment:
            return self._data.box, size, HORIZON
        box, found, horizon = GymTask(self._data.environment)._space
        if found != size or len(box.low) != len(self._data.box.low):
            raise DataFileError(
                f"{self.name}: {size} observation and {len(self._data.box.low)} action columns, but its environment "
                f"{self._data.environment} has {found} and {len(box.low)}; another version of it was recorded"
            )
        return self._data.box, size, horizon

    def environments(self, count: int, seed: int, **options: Any) -> GymBatch:
        """As `GymTask`; ValueError when the dataset names no environment."""
        if not self._data.environment:
            raise ValueError(f"{self.name}: the dataset names no environment; it can be trained on, not played")
        box, _, horizon = self._space
        return GymBatch(self._data.environment, count, seed, box, horizon, **options)

    def generate(self, rows: int | None, seed: int) -> Transitions:
        """The dataset as it is stored, or its first ``rows`` rows."""
        arrays = {name: array[:rows] for name, array in self._data.arrays.items()}
        return plain_transitions(arrays | {"actions": self._data.box.to_unit(arrays["actions"])}, self.name)


class D4RLTask(GymTask):
    """``d4rl/<dataset>``: D4RL's locomotion data, from the folder that ``--data`` names, in Gymnasium's environments.

    Parameters
    ----------
    dataset : str
        Such as ``hopper-medium-v2``; the file is ``hopper_medium-v2.hdf5``, D4RL's own name, or ``hopper-medium-v2.hdf5``.

    Raises
    ------
    ValueError
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
            raise ValueError(
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
        path = self.files(folder)["train"]
        arrays = read_hdf5(path)
        return plain_transitions(arrays | {"actions": self.to_unit(arrays["actions"])}, str(path), out_of_bounds)

    def write(self, folder: str | Path, rows: int | None, seed: int, *, tick: Tick | None = None) -> tuple[Path, ...]:
        """D4RL's data are not made here: ValueError says what to do."""
        raise ValueError(
            f"{self.name}: D4RL's data are not generated here; put its file {self.files(folder)['train'].name} into {folder}"
        )
