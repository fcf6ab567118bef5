"""Unpacking shards once into rows on disk: streamed, resumable after a kill, and there either whole or not at all.

The rows lie in the user's cache folder, under a name made of what the shards hold and how they are read. They are written
beside it first, by one process at a time; others wait for it. What was written of whole shards is kept when the process is
killed, and the next one goes on after it; a refused shard, or a full disk, leaves nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from platformdirs import user_cache_path

from workbench.engine.data.atomic import explained, made_folder, write_atomic
from workbench.engine.data.boundaries import continues
from workbench.engine.data.footprint import Footprint, Keep, size
from workbench.engine.data.hold import HeldError, Hold
from workbench.engine.data.mapped import (
    FORMAT,
    RECORD,
    ROWS,
    MappedTransitions,
    Rows,
    header,
    open_rows,
    record_type,
    records_of,
)
from workbench.engine.data.records import Count, Record, checked, read_json
from workbench.engine.data.transitions import Transitions
from workbench.engine.words import UserError, counted

FOLDER_VARIABLE = "WORKBENCH_ROWS"
JOURNAL = "done.json"
WAIT = 0.2  # seconds between two looks at a folder that another process unpacks into
SPARE = 64 * 2**20  # bytes of disk that are left to others
SYNC_EVERY = 64 * 2**20  # bytes that are written between two notes of how far it came


class Shard(NamedTuple):
    """What is read of one file.

    Attributes
    ----------
    rows : Transitions
    open : bool
        The file does not say that its last row ends an episode: it may go on in the next one.
    """

    rows: Transitions
    open: bool = False


class Done(Record):
    """How far an unpacking came: rows of each shard that is written, and whether the last of them is open."""

    rows: list[Count]
    open: bool


def rows_folder() -> Path:
    """Where unpacked rows lie: the folder that ``WORKBENCH_ROWS`` names, else one in the user's cache folder."""
    named = os.environ.get(FOLDER_VARIABLE, "")
    return Path(named).expanduser().resolve() if named else user_cache_path("workbench") / "rows"


def unpacked(
    name: str, footprint: Footprint, count: int, read: Callable[[int], Shard], keep: Keep
) -> MappedTransitions:
    """The rows that are called ``name``, unpacked now unless they are there already.

    Parameters
    ----------
    name : str
        Of the folder; the same shards read in the same way have the same.
    footprint : Footprint
        Sizes, for the disk that is needed.
    count : int
        Number of shards.
    read : callable
        ``read(i)`` gives the i-th shard.
    keep : Keep
        Hears what is done.

    Raises
    ------
    UserError
        There is too little disk, or as ``read``; nothing is left behind.
    OSError
        The folder cannot be written; nothing is left behind.
    """
    home = rows_folder()
    place = home / name
    if (found := open_rows(place)) is not None:
        return found
    with made_folder(home), alone(home, name, keep) as work:
        if (found := open_rows(place)) is not None:  # another process made it meanwhile
            return found
        shutil.rmtree(place, ignore_errors=True)  # touched since it was written
        draft = work / "rows"
        written = sum(path.stat().st_size for path in draft.glob(ROWS)) if draft.is_dir() else 0
        check_disk(home, f"unpacking {footprint.rows:,} rows", footprint.on_disk - written)
        try:
            _unpack(draft, footprint, count, read, keep)
            draft.rename(place)
        except Exception:  # a kill, and Ctrl-C, leave what is written to the next one
            shutil.rmtree(draft, ignore_errors=True)
            raise
    found = open_rows(place)
    if found is None:
        raise UserError(f"{place}: was changed while it was written; try again")
    return found


def name_of(*parts: object) -> str:
    """A folder's name that stands for ``parts``, which JSON can hold."""
    return hashlib.sha256(json.dumps([FORMAT, *parts]).encode()).hexdigest()[:32]


@contextmanager
def alone(home: Path, name: str, keep: Keep) -> Iterator[Path]:
    """A folder that this process alone works in; waits for the one that does."""
    work, told = home / f".{name}.work", False
    while True:
        try:
            work.mkdir(exist_ok=True)
            held = Hold(work)
            break
        except HeldError as error:
            if not told:
                keep.tell(f"waiting for the rows that another process unpacks ({error})")
                told = True
            time.sleep(WAIT)
        except (FileNotFoundError, FileExistsError):
            if work.exists() and not work.is_dir():
                raise UserError(f"{work} is a file where a folder is needed; remove it") from None
            # Another was done in between and took its folder away; it can go between mkdir's try and its look, too.
    try:
        yield work
    finally:
        if not (work / "rows").exists():
            shutil.rmtree(work, ignore_errors=True)
        held.release()


def check_disk(home: Path, doing: str, needed: int) -> None:
    """Raise `UserError` unless there are ``needed`` bytes of disk, and some that are left to others."""
    free = shutil.disk_usage(home).free
    if needed + SPARE > free:
        raise UserError(
            f"{home}: {doing} needs {size(needed)} of disk, {size(free)} are free; free some, or name "
            f"a folder on a larger disk by the environment variable {FOLDER_VARIABLE}"
        )


def _unpack(draft: Path, footprint: Footprint, count: int, read: Callable[[int], Shard], keep: Keep) -> None:
    kind = record_type(footprint.observation_dim, footprint.action_dim)
    done, was_open = _taken_up(draft, kind, count)
    place = f"{size(footprint.on_disk)} in {draft.parent.parent}"
    begin = f"unpacking {footprint.rows:,} rows of {counted(count, 'shard')} to disk, {place}"
    keep.tell(f"{begin}; there already: {counted(len(done), 'shard')}" if done else begin)
    with explained(draft, footprint.on_disk), (draft / ROWS).open("r+b") as file:
        last = read_at(file, kind, sum(done) - 1, 1) if done else np.zeros(0, kind)
        unsaved = 0
        for number in range(len(done), count):
            shard = read(number)
            if was_open and continues(last["next_observations"], shard.rows.observations):
                last["ends"] = False
                write_at(file, kind, sum(done) - 1, last)
            records = records_of(shard.rows)
            write_at(file, kind, sum(done), records)
            done.append(len(records))
            was_open, last, unsaved = shard.open, records[-1:].copy(), unsaved + records.nbytes
            del shard, records
            if unsaved > SYNC_EVERY:
                _sync(file)
                write_atomic(draft / JOURNAL, Done(rows=done, open=was_open).model_dump_json().encode())
                unsaved = 0
        write_header(file, kind, sum(done))
        columns: dict[str, Any] = {name: OnDisk(file, kind, name, sum(done)) for name in kind.names or ()}
        write_about(draft, file, Transitions(**columns))
    (draft / JOURNAL).unlink(missing_ok=True)


def write_header(file: BinaryIO, kind: np.dtype, rows: int) -> None:
    """Say how many ``rows`` there are, and see to it that all of it is on disk."""
    file.seek(0)
    file.write(header(kind, rows))
    _sync(file)


def write_about(draft: Path, file: BinaryIO, rows: Transitions) -> None:
    """Write what is said of ``rows``, whose records are in ``file`` in the folder ``draft``."""
    (mean, std), fingerprint = rows.moments(), rows.fingerprint()
    stat = os.fstat(file.fileno())
    about = Rows(
        format=FORMAT,
        rows=len(rows),
        observation_dim=rows.observation_dim,
        action_dim=rows.action_dim,
        fingerprint=fingerprint,
        mean=mean.tolist(),
        std=std.tolist(),
        bytes=stat.st_size,
        modified=stat.st_mtime_ns // 1000,
    )
    write_atomic(draft / RECORD, about.model_dump_json().encode())


def _taken_up(draft: Path, kind: np.dtype, count: int) -> tuple[list[int], bool]:
    """Rows of each shard that a process which was killed had written, and whether the last of them is open; what it wrote of
    the next one is cut off.
    """
    with suppress(OSError, UserError):
        found = checked(Done, read_json(draft / JOURNAL))
        length = _place(kind, sum(found.rows))
        if (draft / ROWS).stat().st_size >= length and len(found.rows) <= count:
            os.truncate(draft / ROWS, length)
            return list(found.rows), found.open
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    (draft / ROWS).write_bytes(header(kind, 0))
    return [], False


def _place(kind: np.dtype, row: int) -> int:
    """Where in the file a row begins."""
    return len(header(kind, 0)) + row * kind.itemsize


def write_at(file: BinaryIO, kind: np.dtype, row: int, records: np.ndarray) -> None:
    """Put ``records`` at ``row`` and after it."""
    file.seek(_place(kind, row))
    file.write(records.data)


def read_at(file: BinaryIO, kind: np.dtype, row: int, count: int) -> np.ndarray:
    """``count`` records from ``row`` on, as a copy."""
    file.seek(_place(kind, row))
    return np.frombuffer(bytearray(file.read(count * kind.itemsize)), kind)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


class OnDisk:
    """A column as what passes over all rows need of an array: its blocks. A map would count as memory of the process."""

    def __init__(self, file: BinaryIO, kind: np.dtype, name: str, rows: int) -> None:
        self._file, self._kind, self._name = file, kind, name
        self.dtype, self.shape = kind[name].base, (rows, *kind[name].shape)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, last, _ = rows.indices(len(self))
        return read_at(self._file, self._kind, first, last - first)[self._name]
