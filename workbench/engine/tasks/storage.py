"""Generated datasets in folders: every task's data are written and found again by the task's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from workbench.engine.data.atomic import made_folder, remove_leftovers
from workbench.engine.data.footprint import KEEP, Keep
from workbench.engine.data.hdf5 import read_hdf5
from workbench.engine.data.npz import DataFileError, plain_form, plain_transitions, read_arrays, save_dataset
from workbench.engine.data.shards import SHARD, find_shards, read_shards
from workbench.engine.data.transitions import OutOfBounds, Transitions
from workbench.engine.data.unpack import Shard
from workbench.engine.tasks.collect import Tick
from workbench.engine.tasks.protocol import Task
from workbench.engine.words import UserError, counted


class DatasetExistsError(UserError):
    """The folder already holds this dataset."""


@runtime_checkable
class StoredTask(Protocol):
    """A task with a file format of its own (OGBench)."""

    def files(self, folder: str | Path) -> Mapping[str, Path]:
        """The files of the dataset in ``folder``, by split."""
        ...

    def load(self, folder: str | Path, *, out_of_bounds: OutOfBounds = "refuse") -> Transitions:
        """Read the training data, whether in one file or in shards."""
        ...

    def load_file(self, path: Path, *, out_of_bounds: OutOfBounds = "refuse") -> Transitions:
        """Read one file, such as one shard."""
        ...

    def write(
        self, folder: str | Path, rows: int | None, seed: int, *, tick: Tick | None = None, processes: int | None = None
    ) -> tuple[Path, ...]:
        """Generate and write the files, in so many processes."""
        ...


@runtime_checkable
class ShardedTask(Protocol):
    """A stored task whose data may come in shards, too."""

    def shards(self, folder: str | Path) -> tuple[Path, ...]:
        """The shards of the training data in ``folder``, in their order; none where there are none."""
        ...


@runtime_checkable
class GoalDataTask(Protocol):
    """A task whose rows get goals when all of them are read."""

    def relabel(self, data: Transitions) -> Transitions:
        """``data`` with goals."""
        ...


@runtime_checkable
class OwnDataTask(Protocol):
    """A task that brings recorded data along (Minari)."""

    def own_data(self, out_of_bounds: OutOfBounds = "refuse") -> Transitions:
        """The data as they were recorded."""
        ...


@runtime_checkable
class ScaledTask(Protocol):
    """A task whose data files hold actions in the environment's own units."""

    def to_unit(self, actions: np.ndarray) -> np.ndarray:
        """Scale them to [-1, 1]."""
        ...


FILES: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    ".npz": read_arrays,
    ".hdf5": read_hdf5,
    ".h5": read_hdf5,
}


def dataset_files(task: Task, folder: str | Path) -> tuple[Path, ...]:
    """The files of ``task``'s dataset in ``folder``, whether they exist or not; the first holds the training data."""
    if isinstance(task, StoredTask):
        return tuple(task.files(folder).values())
    return (Path(folder) / f"{task.info.name.replace('/', '-')}.npz",)


def save_generated(
    task: Task,
    folder: str | Path,
    rows: int | None,
    seed: int,
    tick: Tick | None = None,
    processes: int | None = None,
) -> tuple[Path, ...]:
    """Generate a dataset and write it into ``folder``, which is made when it is missing.

    Parameters
    ----------
    task : Task
    folder : str or Path
    rows : int or None
        Transitions; None for the task's usual size.
    seed : int
        Non-negative; the same seed gives the same files, byte for byte.
    tick : callable, optional
        Called as ``tick(done, total)`` from time to time.
    processes : int, optional
        For tasks whose simulators take long; by default as many as are worth it. It does not change the files.

    Returns
    -------
    tuple of Path
        The files that were written.

    Raises
    ------
    DatasetExistsError
        The folder already holds the dataset, or a part of it.
    UserError
        The task cannot generate data, or ``rows`` or ``seed`` are out of range.
    OSError
        The files cannot be written; none is left behind.
    """
    folder = Path(folder).expanduser()
    present = [path for path in dataset_files(task, folder) if path.exists()]
    if present:
        raise DatasetExistsError(
            f"{' and '.join(map(str, present))} already there, left untouched; choose another folder or delete it first"
        )
    if rows is not None and rows < 1:
        raise UserError(f"rows must be at least 1, got {rows}")
    if not 0 <= seed < 2**31:
        raise UserError(f"seed must be 0 to {2**31 - 1}, got {seed}")
    with made_folder(folder):
        for path in dataset_files(task, folder):
            remove_leftovers(folder, path.name)
        if isinstance(task, StoredTask):
            return task.write(folder, rows, seed, tick=tick, processes=processes)
        data = task.generate(rows, seed)
        (path,) = dataset_files(task, folder)
        save_dataset(path, data)
    if tick is not None:
        tick(len(data), len(data))
    return (path,)


def load_saved(
    task: Task, folder: str | Path, *, out_of_bounds: OutOfBounds = "refuse", keep: Keep | None = None
) -> Transitions:
    """Read what `save_generated` wrote, or files put there by hand.

    ``folder`` may also be a file: ``.npz`` or, for tasks without a format of their own, ``.hdf5`` or ``.h5`` with the columns
    of `workbench.engine.data.columns`. A folder may hold the data in shards (`find_shards`); shards that do not fit into
    memory, or all data where ``keep`` says so, are unpacked to disk once and read from there.

    Raises
    ------
    DataFileError
        No such file, or a damaged one.
    UserError
        Data that do not fit: actions outside [-1, 1], or the columns of another task; or too little disk.
    """
    folder = Path(folder).expanduser()
    stored = isinstance(task, StoredTask)
    called = f"{task.info.name} {out_of_bounds}"

    def read(paths: Sequence[Path]) -> Transitions:
        found = read_shards(
            paths,
            lambda path: _read(task, path, out_of_bounds),
            called=called,
            keep=keep or KEEP.get(),
            goals=isinstance(task, GoalDataTask),
        )
        return task.relabel(found) if isinstance(task, GoalDataTask) else found

    if folder.suffix in FILES and not folder.is_dir() and (not stored or SHARD.fullmatch(folder.name)):
        return read((folder,))
    path = dataset_files(task, folder)[0]
    if folder.is_file():
        other = ", or one of its shards" if stored else f", or a file that ends in {', '.join(FILES)}"
        raise DataFileError(f"{folder} is a file; name the folder that holds {path.name}{other}")
    if isinstance(task, ShardedTask) and (shards := () if path.exists() else task.shards(folder)):
        return read(shards)
    if isinstance(task, StoredTask):
        return read((path,)) if path.exists() else task.load(folder, out_of_bounds=out_of_bounds)
    return read((() if path.exists() else find_shards(folder)) or (path,))


def _read(task: Task, path: Path, out_of_bounds: OutOfBounds) -> Shard | Transitions:
    """The data in one file, whose format its suffix tells; actions are scaled where the task scales them."""
    if isinstance(task, StoredTask):
        return task.load_file(path, out_of_bounds=out_of_bounds)
    arrays = FILES[path.suffix](path)
    for name, needed in {"observations": task.info.observation_dim, "actions": task.info.action_dim}.items():
        if name in arrays and arrays[name].ndim == 2 and arrays[name].shape[1] != needed:
            raise DataFileError(
                f"{path}: '{name}' has {counted(arrays[name].shape[1], 'column')}, task '{task.info.name}' needs {needed}; "
                "these are other data"
            )
    if isinstance(task, ScaledTask) and "actions" in arrays:
        arrays["actions"] = task.to_unit(arrays["actions"])
    plain = plain_form(arrays, str(path))
    rows = plain_transitions(plain, str(path), out_of_bounds)
    return Shard(rows, open=not bool(plain["ends"][-1]))
