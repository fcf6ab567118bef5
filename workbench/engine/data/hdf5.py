"""The HDF5 door: datasets in D4RL's layout.

The columns are those of `workbench.engine.data.columns`, at the top of the file. A data file may come from anyone: arrays
of plain numbers stored in the file itself are read, links to other files are not followed, and nothing is unpickled.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from workbench.engine.data.columns import NAMES, Arrays, DataFileError, check_columns, plain_from_d4rl
from workbench.engine.data.npz import MAX_BYTES, check_sizes
from workbench.engine.data.regular import FLOOR, open_regular
from workbench.engine.words import MissingExtraError, UserError

FILTERS = (
    1,
    2,
    3,
    4,
    6,
    32000,
)  # deflate, shuffle, fletcher32, szip, scale-offset, lzf; others are libraries to be loaded


def read_hdf5(path: str | Path, *, max_bytes: int = MAX_BYTES) -> Arrays:
    """Arrays in the plain form (`workbench.engine.data.npz`) from a file in D4RL's layout; see `plain_from_d4rl`.

    Raises
    ------
    DataFileError
        No such file, not HDF5, an array is missing, has the wrong shape, is no array of numbers, or lies in another file.
    ImportError
        h5py is not installed.
    """
    path = Path(path)
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            f'HDF5 files need an optional package ({error}); install it with: pip install "workbench[minari]"'
        ) from error
    try:
        with open_regular(path):  # HDF5 opens the file by its name; that it is one is known from here on
            pass
        with h5py.File(path, "r") as file:
            arrays = {name: found for name in NAMES if (found := _find(h5py, file, name, path)) is not None}
            check_sizes(str(path), sum(array.nbytes for array in arrays.values()), path.stat().st_size, max_bytes)
            check_columns({name: array.shape for name, array in arrays.items()}, str(path))
            columns = {name: array[()] for name, array in arrays.items()}
    except UserError as error:
        raise DataFileError(str(error)) from None
    except (FileNotFoundError, IsADirectoryError) as error:
        words = "no such file" if isinstance(error, FileNotFoundError) else "is a folder"
        raise DataFileError(f"{path}: {words}; name an .hdf5 file") from None
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # h5py passes on what HDF5 says, as errors of every kind
        raise DataFileError(
            f"{path}: not a readable HDF5 file ({error}); it was cut off, damaged, or is another format"
        ) from error
    return plain_from_d4rl(columns, str(path))


def _find(h5py: Any, file: Any, name: str, path: Path) -> Any:
    """The dataset ``name`` of the file, not read yet, or None; DataFileError when it is not plain numbers in the file itself."""
    link = file.get(name, getlink=True)  # asking whether the name is there would follow it into another file
    if link is None:
        return None
    array = file[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(array, h5py.Dataset) or array.is_virtual or array.external:
        raise DataFileError(f"{path}: '{name}' is not an array in this file; links and groups are not followed")
    if array.dtype.kind not in "biuf" or array.dtype.hasobject:
        raise DataFileError(f"{path}: '{name}' has dtype {array.dtype}; it must hold real numbers, one row a time step")
    if not array.shape or 0 in array.shape:
        raise DataFileError(
            f"{path}: '{name}' has no rows, it is a single value or empty; it must hold one row a time step"
        )
    if array.chunks is not None and math.prod(array.chunks) * array.dtype.itemsize > max(FLOOR, array.nbytes):
        raise DataFileError(
            f"{path}: '{name}' is stored in pieces that are larger than itself; write it without chunks"
        )
    recipe = array.id.get_create_plist()
    if any(recipe.get_filter(number)[0] not in FILTERS for number in range(recipe.get_nfilters())):
        raise DataFileError(f"{path}: '{name}' is packed in an unusual way; write it with gzip, or without compression")
    return array
