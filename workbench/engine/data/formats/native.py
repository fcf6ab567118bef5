"""The formats that need no names of columns: this package's and OGBench's npz, and D4RL's HDF5."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from workbench.engine.data.columns import NAMES, ROWS, DataFileError
from workbench.engine.data.formats.found import ColumnNames, Found
from workbench.engine.data.hdf5 import read_layout
from workbench.engine.data.npz import COMPACT, read_arrays, regular


def is_npz(path: Path) -> bool:
    """Whether the name says npz; the reader finds out whether it is one."""
    return path.is_file() and path.suffix == ".npz"


def is_hdf5(path: Path) -> bool:
    """Whether the name says HDF5."""
    return path.is_file() and path.suffix in (".hdf5", ".h5")


def read_d4rl(path: Path, names: ColumnNames) -> Found:
    """A file in D4RL's layout; raises as `read_layout`."""
    _refuse_names(path, names)
    columns, layout = read_layout(path)
    return Found(layout.title, columns, {}, layout.notes)


def read_npz(path: Path, names: ColumnNames) -> Found:
    """A file in the plain form of this package, or in OGBench's compact one, whose rewards belong to a task."""
    _refuse_names(path, names)
    arrays = read_arrays(path)
    if "rewards" in arrays or not set(COMPACT) <= set(arrays):
        unused = [name for name in arrays if name not in NAMES]
        return Found("npz", arrays, {}, (f"arrays that are not used: {', '.join(unused)}",) if unused else ())
    compact = regular(arrays, str(path))
    rows = len(compact["actions"])
    columns = {
        "observations": compact["observations"],
        "actions": compact["actions"],
        "rewards": np.zeros(rows),
        "masks": np.ones(rows),
        "next_observations": compact["next_observations"],
        "ends": compact["terminals"],
        ROWS: compact[ROWS],
    }
    note = (
        "OGBench's files hold no rewards: they belong to a task. Train with workbench fit ogbench/<id> --data FOLDER; read "
        "without a task, rewards are 0"
    )
    return Found("OGBench npz", columns, {}, (note,))


def _refuse_names(path: Path, names: ColumnNames) -> None:
    if names != ColumnNames():
        raise DataFileError(
            f"{path}: its format names its columns itself; leave --observations, --actions and the others out"
        )
