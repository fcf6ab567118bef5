"""The HDF5 door: datasets in D4RL's layout.

The columns are those of `workbench.engine.data.columns`, at the top of the file. A data file may come from anyone: arrays
of plain numbers stored in the file itself are read, links to other files are not followed, and nothing is unpickled.
"""

from __future__ import annotations

from pathlib import Path

from workbench.engine.data.columns import NAMES, Arrays, check_columns, plain_from_d4rl
from workbench.engine.data.d4rl_layout import Layout, as_recorded, layout_of
from workbench.engine.data.hdf5_arrays import child, opened, shapes_in
from workbench.engine.data.npz import MAX_BYTES, check_sizes


def read_hdf5(path: str | Path, *, max_bytes: int = MAX_BYTES) -> Arrays:
    """Arrays in the plain form (`workbench.engine.data.npz`) from a file in D4RL's layout; see `plain_from_d4rl`.

    Raises
    ------
    DataFileError
        No such file, not HDF5, an array is missing, has the wrong shape, is no array of numbers, or lies in another file.
    ImportError
        h5py is not installed.
    """
    return read_layout(path, max_bytes=max_bytes)[0]


def read_layout(path: str | Path, *, max_bytes: int = MAX_BYTES) -> tuple[Arrays, Layout]:
    """As `read_hdf5`, and which of D4RL's families the file is of (`workbench.engine.data.d4rl_layout`)."""
    path = Path(path)
    with opened(path) as (h5py, file):
        arrays = {name: array for name in NAMES if (array := child(h5py, file, name, path)) is not None}
        check_sizes(str(path), sum(array.nbytes for array in arrays.values()), path.stat().st_size, max_bytes)
        shapes = {name: array.shape for name, array in arrays.items()}
        check_columns(shapes, str(path))
        layout = layout_of(shapes | shapes_in(h5py, file, "infos"))
        columns = {name: array[()] for name, array in arrays.items()}
    return plain_from_d4rl(as_recorded(columns, layout, str(path)), str(path)), layout
