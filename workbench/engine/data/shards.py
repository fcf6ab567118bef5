"""A dataset in several files, NAME-000.npz, NAME-001.npz …: read one after the other, in the order of their numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from workbench.engine.data.columns import DataFileError
from workbench.engine.data.npz import MAX_BYTES
from workbench.engine.data.transitions import Transitions
from workbench.engine.words import counted

SHARD = re.compile(r"(?P<name>.+)-(?P<number>\d{1,9})(?P<suffix>\.(npz|hdf5|h5))")
COLUMNS = ("observations", "actions", "rewards", "masks", "next_observations", "ends")


def find_shards(folder: Path, name: str | None = None) -> tuple[Path, ...]:
    """The shards in ``folder``, by number; those of validation (``-val``) are left out.

    Parameters
    ----------
    folder : Path
    name : str, optional
        What stands before the number; without it all shards in the folder must have the same.

    Raises
    ------
    DataFileError
        Shards of several datasets, or one number twice.
    """
    if not folder.is_dir():
        return ()
    found = [(shard, path) for path in folder.iterdir() if (shard := SHARD.fullmatch(path.name)) is not None]
    found = [pair for pair in found if not pair[0]["name"].endswith("-val") and name in (None, pair[0]["name"])]
    names = sorted({shard["name"] for shard, _ in found})
    if len(names) > 1:
        raise DataFileError(
            f"{folder}: holds shards of {', '.join(names[:4])}; put each dataset into a folder of its own"
        )
    found.sort(key=lambda pair: int(pair[0]["number"]))
    numbers = [int(shard["number"]) for shard, _ in found]
    if len(set(numbers)) < len(numbers):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        raise DataFileError(f"{folder}: shard {twice} is there twice; leave one of them")
    return tuple(path for _, path in found)


def read_shards(
    paths: Sequence[Path], read: Callable[[Path], Transitions], *, max_bytes: int = MAX_BYTES
) -> Transitions:
    """All shards as one dataset; no episode goes on from one into the next.

    One shard is unpacked at a time. Memory: all transitions in float32, the largest column once more, and one shard twice
    (as stored, and checked).

    Raises
    ------
    DataFileError
        As ``read``; the shards differ in their columns; or together they are more than ``max_bytes``.
    """
    parts: dict[str, list[np.ndarray]] = {name: [] for name in COLUMNS}
    total = 0
    for path in paths:
        shard = read(path)
        for name in COLUMNS:
            column = getattr(shard, name)
            if parts[name] and column.shape[1:] != parts[name][0].shape[1:]:
                raise DataFileError(
                    f"{path}: '{name}' has {counted(column.shape[1], 'column')}, {parts[name][0].shape[1]} in {paths[0].name}; "
                    "these are shards of different data"
                )
            parts[name].append(column)
            total += column.nbytes
        if total > max_bytes:
            raise DataFileError(
                f"{path}: the shards up to this one are {total:,} bytes in memory, the limit is {max_bytes:,}; put fewer of "
                "them into a folder of their own, and name that"
            )
    return Transitions(**{name: np.concatenate(parts.pop(name)) for name in COLUMNS})
