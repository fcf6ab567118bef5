"""The formats that need no names of columns: this package's and OGBench's npz, and D4RL's HDF5."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from workbench.engine.data.columns import NAMES, ROWS, Arrays, DataFileError
from workbench.engine.data.formats.found import ColumnNames, Found
from workbench.engine.data.hdf5 import read_layout
from workbench.engine.data.npz import COMPACT, SIMULATOR, read_arrays, read_outline, regular
from workbench.engine.data.outline import READ
from workbench.engine.data.shards import SHARD


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
    seen = read_outline(path, ("observations",)).get("observations", ((), 0))[0]
    picture = seen[1:] if len(seen) == 4 else ()
    arrays = read_arrays(
        path, [name for name in READ if not picture or name not in ("observations", "next_observations")]
    )
    notes: tuple[str, ...] = ()
    if picture:  # gigabytes of them, and none is needed to say what they are
        arrays["observations"] = np.zeros((seen[0], 0), dtype=np.float32)
        notes = (
            "observations are pictures, which are not read here: encode them once with a network of your own and save what "
            "it returns as 'observations' (R, S); a policy over pictures that was trained elsewhere is steered behind its own "
            "encoder by wb.adapt.dict_observations",
        )
    if "rewards" in arrays or not set(COMPACT) <= set(arrays):
        unused = [name for name in arrays if name not in NAMES]
        notes += (f"arrays that are not used: {', '.join(unused)}",) if unused else ()
        return Found("npz", arrays, {}, notes, picture)
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
    if not picture:
        notes = (_ways(path, arrays),)
    return Found("OGBench npz", columns, {}, notes, picture)


def _ways(path: Path, arrays: Arrays) -> str:
    """What can be trained on a file of OGBench, by its name and by what is in it."""
    found = SHARD.fullmatch(path.name)
    name = found["name"] if found is not None else path.stem.removesuffix("-val")
    single = re.sub(r"(-v\d+)$", r"-singletask\1", name)
    goals = f"towards goals of hindsight by workbench fit ogbench/{name} --data FOLDER"
    if any(entry in arrays for entry in SIMULATOR):
        return (
            f"OGBench's files hold no rewards. Train one task by workbench fit ogbench/{single} --data FOLDER, or {goals}; read "
            "without a task, rewards are 0"
        )
    return (
        f"OGBench's goal-conditioned file: it holds no rewards, and no states of the simulator from which they are computed. "
        f"Train {goals}; read without that, rewards are 0"
    )


def _refuse_names(path: Path, names: ColumnNames) -> None:
    if names != ColumnNames():
        raise DataFileError(
            f"{path}: its format names its columns itself; leave --observations, --actions and the others out"
        )
