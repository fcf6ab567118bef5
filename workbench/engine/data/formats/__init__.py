"""The formats of data files: one line each. A file's content says which it is; nothing in it chooses what code runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from workbench.engine.data.columns import DataFileError
from workbench.engine.data.formats.found import ColumnNames, Found
from workbench.engine.data.formats.lerobot import is_lerobot, read_lerobot
from workbench.engine.data.formats.native import is_hdf5, is_npz, read_d4rl, read_npz
from workbench.engine.data.formats.robomimic import is_robomimic, read_robomimic
from workbench.engine.data.formats.tables import SUFFIXES, read_table
from workbench.engine.data.formats.zarr_store import is_zarr, read_zarr
from workbench.engine.data.shards import find_shards


class Format(NamedTuple):
    """How a format is recognised and read.

    Attributes
    ----------
    title : str
    recognises : callable
        ``recognises(path) -> bool``; it reads as little as it can.
    read : callable
        ``read(path, names) -> Found``.
    """

    title: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, ColumnNames], Found]


FORMATS: tuple[Format, ...] = (  # the first that recognises a file reads it
    Format("LeRobotDataset", is_lerobot, read_lerobot),
    Format("zarr", is_zarr, read_zarr),
    Format("npz", is_npz, read_npz),
    Format("robomimic HDF5", lambda path: is_hdf5(path) and is_robomimic(path), read_robomimic),
    Format("D4RL HDF5", is_hdf5, read_d4rl),
    Format("table", lambda path: path.is_file() and path.suffix in SUFFIXES, read_table),
)
PACKED = (".zip", ".tar", ".gz", ".tgz", ".zst", ".7z")


def pieces(path: Path) -> tuple[Path, ...]:
    """The files that make up the dataset at ``path``: its shards, else itself.

    Raises
    ------
    DataFileError
        There is nothing, or nothing that is recognised.
    """
    if not path.exists():
        raise DataFileError(f"{path}: no such file or folder")
    if path.is_dir() and not any(known.recognises(path) for known in FORMATS):
        shards = find_shards(path)
        if shards:
            return shards
    return (path,)


def format_of(path: Path) -> Format:
    """The format of a file or folder.

    Raises
    ------
    DataFileError
        None recognises it; the message lists what is read.
    """
    if path.suffix in PACKED:
        raise DataFileError(f"{path}: is packed; unpack it, and name what is in it")
    for known in FORMATS:
        if known.recognises(path):
            return known
    raise DataFileError(
        f"{path}: not a dataset that is recognised. Read are: .npz (OGBench's or this package's), .hdf5 (D4RL's or robomimic's "
        "layout), .parquet and .csv, folders of LeRobotDataset (meta/info.json), zarr, and shards NAME-000.npz"
    )


def read_pieces(path: Path, names: ColumnNames) -> Iterator[Found]:
    """What is in each piece of a dataset, one in memory at a time; raises as the formats' readers."""
    for piece in pieces(path):
        yield format_of(piece).read(piece, names)
