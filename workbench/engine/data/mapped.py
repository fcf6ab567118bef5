"""A dataset whose rows stay on disk, in one .npy file of records: what is asked for is read, and nothing else.

Minibatches read their records from the file, one piece a row. The columns are maps of the same file for whoever needs all of
them: their pages belong to the system's cache of files, which gives them up when memory is needed.
"""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from workbench.engine.data.records import Count, Name, Record, checked, read_json
from workbench.engine.data.regular import open_regular
from workbench.engine.data.transitions import Transitions
from workbench.engine.words import UserError

RECORD = "rows.json"
ROWS = "rows.npy"
FORMAT = 1
MOST_NUMBERS = 1_000_000


class Rows(Record):
    """What ``rows.json`` says.

    Attributes
    ----------
    format, rows, observation_dim, action_dim : int
    fingerprint : str
        `Transitions.fingerprint` of the rows.
    mean, std : list of float
        (S,) of the observations.
    bytes, modified : int
        Size of the file of rows, and when it was written (microseconds since 1970): one that was touched since is not trusted.
    """

    format: Count
    rows: Annotated[Count, Field(ge=1)]
    observation_dim: Annotated[Count, Field(ge=1)]
    action_dim: Annotated[Count, Field(ge=1)]
    fingerprint: Name
    mean: Annotated[list[float], Field(max_length=MOST_NUMBERS)]
    std: Annotated[list[float], Field(max_length=MOST_NUMBERS)]
    bytes: Count
    modified: Count


class Descriptor:
    """An open file, which is closed when nobody reads from it any more."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)


class Opened(NamedTuple):
    """Records on disk: what is said of them, a read-only map of them, and their open file."""

    about: Rows
    records: np.ndarray
    file: Descriptor


@dataclass(frozen=True)
class MappedTransitions(Transitions):
    """`Transitions` on disk: the arrays are read-only maps. `open_rows` makes it.

    Attributes
    ----------
    folder : Path
    opened : Opened
        Their records.
    """

    folder: Path
    opened: Opened = field(repr=False)

    @property
    def about(self) -> Rows:
        """What was written about them."""
        return self.opened.about

    def fingerprint(self) -> str:
        """As of the same rows in memory; it was computed when they were written."""
        return self.about.fingerprint

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """As of the same rows in memory; computed when they were written."""
        return np.array(self.about.mean), np.array(self.about.std)

    def windows(self, rows: np.ndarray, length: int) -> tuple[Transitions, np.ndarray]:
        """Copies of the ``length`` rows from each of ``rows`` (M,) on, one window behind the other, and where in them each of the
        rows is (M,). At the end of the data a window begins earlier.
        """
        length = min(length, len(self))
        first = np.minimum(rows, len(self) - length)
        found = read_records(self.opened, first, length, self.folder)
        return columns_of(found), np.arange(len(rows)) * length + rows - first


def record_type(observation_dim: int, action_dim: int) -> np.dtype:
    """One row as a record, with the columns of `Transitions` in their order."""
    single, seen = np.float32, (observation_dim,)
    return np.dtype(
        [
            ("observations", single, seen),
            ("actions", single, (action_dim,)),
            ("rewards", single),
            ("masks", single),
            ("next_observations", single, seen),
            ("ends", np.bool_),
        ],
        align=True,
    )


def goal_type(observation_dim: int, _: int = 0) -> np.dtype:
    """The goal of a row as a record; ``observation_dim`` counts state and goal."""
    single, seen = np.float32, (observation_dim // 2,)
    return np.dtype(
        [("goal", np.int64), ("final", np.int64), ("rewards", single), ("masks", single), ("seen", single, seen)],
        align=True,
    )


def records_of(rows: Transitions) -> np.ndarray:
    """``rows`` as records (R,)."""
    records = np.zeros(len(rows), record_type(rows.observation_dim, rows.action_dim))
    for item in fields(Transitions):
        records[item.name] = getattr(rows, item.name)
    return records


def columns_of(records: np.ndarray) -> Transitions:
    """Views of ``records`` as columns."""
    return Transitions(**{item.name: records[item.name] for item in fields(Transitions)})


def header(kind: np.dtype, rows: int) -> bytes:
    """The beginning of the .npy file; it is as long for any number of rows."""
    content = io.BytesIO()
    about = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": (rows,)}
    np.lib.format.write_array_header_1_0(content, about)
    return content.getvalue()


def open_records(folder: Path, kind_of: Callable[[int, int], np.dtype] = record_type) -> Opened | None:
    """The records in ``folder``, of the type that ``kind_of`` S and D gives; None where there are none, or where they are not
    as they were written.
    """
    try:
        about = checked(Rows, read_json(folder / RECORD))
        if (
            about.format != FORMAT
            or len(about.mean) != about.observation_dim
            or len(about.std) != about.observation_dim
        ):
            return None
        kind = kind_of(about.observation_dim, about.action_dim)
        begin = header(kind, about.rows)
        with open_regular(folder / ROWS) as file:
            stat = os.fstat(file.fileno())
            whole = stat.st_size == about.bytes == len(begin) + about.rows * kind.itemsize
            if not whole or stat.st_mtime_ns // 1000 != about.modified or file.read(len(begin)) != begin:
                return None
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            records = np.frombuffer(mapped, kind, about.rows, len(begin))
            return Opened(about, records, Descriptor(os.dup(file.fileno())))
    except (OSError, UserError):
        return None


def read_records(opened: Opened, rows: np.ndarray, length: int, folder: Path) -> np.ndarray:
    """Copies of the ``length`` records from each of ``rows`` (M,) on, one window behind the other, read from the file."""
    each = opened.records.dtype.itemsize
    begin = opened.about.bytes - len(opened.records) * each
    read = [os.pread(opened.file.number, length * each, begin + each * row) for row in rows.tolist()]
    found = np.frombuffer(b"".join(read), opened.records.dtype)
    if len(found) != length * len(rows):
        raise UserError(f"{folder / ROWS}: became shorter while it was read; begin again")
    return found


def open_rows(folder: Path) -> MappedTransitions | None:
    """The rows in ``folder``; None where there are none, or where they are not as they were written."""
    opened = open_records(folder)
    if opened is None:
        return None
    columns = columns_of(opened.records)
    found = {item.name: getattr(columns, item.name) for item in fields(Transitions)}
    return MappedTransitions(**found, folder=folder, opened=opened)
