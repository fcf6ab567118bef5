"""A dataset whose rows stay on disk: plain .npy columns in a folder, mapped, so that only the rows asked for are read."""

from __future__ import annotations

import io
import mmap
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from workbench.engine.data.records import Count, Name, Record, checked, read_json
from workbench.engine.data.regular import open_regular
from workbench.engine.data.transitions import Transitions
from workbench.engine.words import UserError

RECORD = "rows.json"
FORMAT = 1
RESIDENT = 128 * 2**20  # bytes of mapped pages that may gather before they are given back to the system
AROUND = 3 * 64 * 2**10  # bytes that the system maps for one row of three wide columns: 16 pages around each
MAPPED = sys.platform in ("linux", "darwin")  # where the system takes advice on mapped pages
MOST_NUMBERS = 1_000_000


class Column(Record):
    """One file of the folder."""

    bytes: Count
    modified: Count  # microseconds since 1970


class Rows(Record):
    """What ``rows.json`` says.

    Attributes
    ----------
    format, rows, observation_dim, action_dim : int
    fingerprint : str
        `Transitions.fingerprint` of the rows.
    mean, std : list of float
        (S,) of the observations.
    columns : dict
        Size and time of each column's file: one that was touched since is not trusted.
    """

    format: Count
    rows: Annotated[Count, Field(ge=1)]
    observation_dim: Annotated[Count, Field(ge=1)]
    action_dim: Annotated[Count, Field(ge=1)]
    fingerprint: Name
    mean: Annotated[list[float], Field(max_length=MOST_NUMBERS)]
    std: Annotated[list[float], Field(max_length=MOST_NUMBERS)]
    columns: dict[str, Column]


@dataclass(frozen=True)
class MappedTransitions(Transitions):
    """`Transitions` in columns on disk: the arrays are read-only maps of them. `open_rows` makes it.

    Attributes
    ----------
    folder : Path
    about : Rows
    maps : tuple of mmap
        One a column.
    """

    folder: Path
    about: Rows
    maps: tuple[mmap.mmap, ...] = field(repr=False)

    def fingerprint(self) -> str:
        """As of the same rows in memory; it was computed when they were written."""
        return self.about.fingerprint

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """As of the same rows in memory; computed when they were written."""
        return np.array(self.about.mean), np.array(self.about.std)


class Pages:
    """The pages of mapped files that are in this process' memory, kept few.

    Parameters
    ----------
    maps : sequence of mmap
        Rows are read from them one by one, in any order.
    """

    def __init__(self, maps: Sequence[mmap.mmap]) -> None:
        self._maps = list(maps)
        self._touched = 0
        if MAPPED:
            for one in maps:
                one.madvise(mmap.MADV_RANDOM)

    def add(self, one: mmap.mmap) -> None:
        """Look after another map, too."""
        self._maps.append(one)

    def read(self, rows: int) -> None:
        """Note that ``rows`` rows were read. Pages that gathered are given back to the system, which keeps them as its cache of
        files as long as nothing else needs the memory.
        """
        self._touched += rows * AROUND
        if MAPPED and self._touched > RESIDENT:
            self._touched = 0
            for one in self._maps:
                one.madvise(mmap.MADV_DONTNEED)


def column_types(observation_dim: int, action_dim: int) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
    """Type and shape of one row of each column, in the order of `Transitions`."""
    wide = {"observations": observation_dim, "actions": action_dim, "next_observations": observation_dim}
    single = np.dtype(np.float32)
    return {
        item.name: (np.dtype(bool), ())
        if item.name == "ends"
        else (single, (wide[item.name],) if item.name in wide else ())
        for item in fields(Transitions)
    }


def row_bytes(observation_dim: int, action_dim: int) -> int:
    """Bytes of one row in all columns."""
    types = column_types(observation_dim, action_dim).values()
    return sum(dtype.itemsize * int(np.prod(shape)) for dtype, shape in types)


def header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """The beginning of a .npy file; it is as long for any number of rows."""
    content = io.BytesIO()
    about = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(content, about)
    return content.getvalue()


def note_of(folder: Path, names: Iterable[str]) -> dict[str, Column]:
    """Size and time of each column's file."""
    found = {name: os.stat(folder / f"{name}.npy") for name in names}
    return {name: Column(bytes=stat.st_size, modified=stat.st_mtime_ns // 1000) for name, stat in found.items()}


def open_rows(folder: Path) -> MappedTransitions | None:
    """The rows in ``folder``; None where there are none, or where they are not as they were written."""
    try:
        about = checked(Rows, read_json(folder / RECORD))
        types = column_types(about.observation_dim, about.action_dim)
        if (
            about.format != FORMAT
            or len(about.mean) != about.observation_dim
            or len(about.std) != about.observation_dim
        ):
            return None
        if about.columns != note_of(folder, types):
            return None
        columns, maps = {}, []
        for name, (dtype, shape) in types.items():
            columns[name], mapped = _map(folder / f"{name}.npy", dtype, (about.rows, *shape))
            maps.append(mapped)
    except (OSError, UserError):
        return None
    return MappedTransitions(**columns, folder=folder, about=about, maps=tuple(maps))


def _map(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> tuple[np.ndarray, mmap.mmap]:
    """A column and its map; UserError unless the file is exactly as long as its header and its rows."""
    begin = header(dtype, shape)
    with open_regular(path) as file:
        if file.read(len(begin)) != begin or os.fstat(file.fileno()).st_size != len(begin) + dtype.itemsize * int(
            np.prod(shape)
        ):
            raise UserError(f"{path}: is not the column that it was written as")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    count = int(np.prod(shape))
    return np.frombuffer(mapped, dtype, count, len(begin)).reshape(shape), mapped
