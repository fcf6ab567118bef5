"""Arrays of an HDF5 file that is not trusted: only plain numbers that are stored in the file itself, and no more of
them than a file of its size may hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.engine.data.columns import DataFileError
from workbench.engine.data.regular import FLOOR, open_regular
from workbench.engine.words import MissingExtraError, UserError, shown

FILTERS = {"deflate": 1, "shuffle": 2, "fletcher32": 3, "szip": 4, "scale-offset": 6, "lzf": 32000}
"""The filters that HDF5 brings itself; any other is a library that would be loaded because a file names it."""


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """``(h5py, file)``; what HDF5 complains of becomes `DataFileError`.

    Raises
    ------
    DataFileError
        No such file, a folder, or no HDF5.
    ImportError
        h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            f'HDF5 files need an optional package ({error}); install it with: pip install "workbench[minari]"'
        ) from error
    try:
        with open_regular(path):  # HDF5 opens the file by its name; that it is a regular one is known from here on
            pass
        with h5py.File(path, "r") as file:
            yield h5py, file
    except UserError as error:
        raise DataFileError(str(error)) from None
    except (FileNotFoundError, IsADirectoryError) as error:
        words = "no such file" if isinstance(error, FileNotFoundError) else "is a folder"
        raise DataFileError(f"{path}: {words}; name an .hdf5 file") from None
    except (MemoryError, KeyboardInterrupt, ImportError):
        raise
    except Exception as error:  # h5py passes on what HDF5 says, as errors of every kind
        raise DataFileError(
            f"{path}: not a readable HDF5 file ({error}); it was cut off, damaged, or is another format"
        ) from error


def child(h5py: Any, group: Any, name: str, path: Path, kind: str = "array") -> Any:
    """The array or ``kind="group"`` called ``name``, not read yet, or None where the group has no such name.

    Raises
    ------
    DataFileError
        It is a link, or is not plain numbers in the file itself.
    """
    link = group.get(name, getlink=True)  # asking whether the name is there would follow it into another file
    if link is None:
        return None
    found = group[name] if isinstance(link, h5py.HardLink) else None
    if kind == "group":
        if not isinstance(found, h5py.Group):
            raise DataFileError(f"{path}: {shown(name)} is not a group in this file; links are not followed")
        return found
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
        raise DataFileError(f"{path}: {shown(name)} is not an array in this file; links and groups are not followed")
    if found.dtype.kind not in "biuf" or found.dtype.hasobject:
        raise DataFileError(
            f"{path}: {shown(name)} has dtype {found.dtype}; it must hold real numbers, one row a time step"
        )
    if not found.shape or 0 in found.shape:
        raise DataFileError(
            f"{path}: {shown(name)} has no rows, it is a single value or empty; it must hold one row a time step"
        )
    if found.chunks is not None and math.prod(found.chunks) * found.dtype.itemsize > max(FLOOR, found.nbytes):
        raise DataFileError(
            f"{path}: {shown(name)} is stored in pieces that are larger than itself; write it without chunks"
        )
    recipe = found.id.get_create_plist()
    if any(recipe.get_filter(number)[0] not in FILTERS.values() for number in range(recipe.get_nfilters())):
        raise DataFileError(
            f"{path}: {shown(name)} is packed in an unusual way; write it with gzip, or without compression"
        )
    return found


def shapes_in(h5py: Any, file: Any, name: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays in the group ``name``, as ``name/array``; nothing is read, and links are left out."""
    link = file.get(name, getlink=True)
    group = file[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(group, h5py.Group):
        return {}
    own = [key for key in group if isinstance(group.get(key, getlink=True), h5py.HardLink)]
    found = {f"{name}/{key}": group[key] for key in own}
    return {key: item.shape for key, item in found.items() if isinstance(item, h5py.Dataset) and item.shape is not None}
