"""A dataset in several files, NAME-000.npz, NAME-001.npz …: read one after the other, in the order of their numbers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from workbench.engine.data.boundaries import continues
from workbench.engine.data.columns import DataFileError, refuse_pictures
from workbench.engine.data.footprint import Keep
from workbench.engine.data.npz import MAX_BYTES
from workbench.engine.data.outline import check_alike, footprint_of, outline
from workbench.engine.data.transitions import Transitions
from workbench.engine.data.unpack import Shard, name_of, unpacked
from workbench.engine.words import UserError, counted

SHARD = re.compile(r"(?P<name>.+)-(?P<number>\d{1,9})(?P<suffix>\.(npz|hdf5|h5))")
WORTH_SAYING = 256 * 2**20  # bytes of memory
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


def missing_shards(paths: Sequence[Path]) -> str:
    """The numbers that are not there between 0 and the last shard's, such as "3, 7 to 9"; "" where all are."""
    numbers = {int(shard["number"]) for path in paths if (shard := SHARD.fullmatch(path.name)) is not None}
    holes, last = [], max(numbers, default=-1)
    for first, after in pairwise(sorted({-1, *numbers, last + 1})):
        if after - first > 1:
            holes.append(f"{first + 1}" if after - first == 2 else f"{first + 1} to {after - 1}")
    return ", ".join(holes[:10]) + (" …" if len(holes) > 10 else "")


def read_shards(
    paths: Sequence[Path],
    read: Callable[[Path], Shard | Transitions],
    *,
    called: str = "",
    keep: Keep | None = None,
    max_bytes: int = MAX_BYTES,
    goals: bool = False,
) -> Transitions:
    """All shards as one dataset, in memory or on disk; an episode goes on into the next shard where that follows.

    One shard is unpacked at a time. The rows stand in the order of the shards' numbers, and in each shard in its own.
    Memory: as `Footprint` says.

    Parameters
    ----------
    paths : sequence of Path
        In their order.
    read : callable
        ``read(path)`` gives one; rows alone where it ends with an episode.
    called : str
        How they are read, such as the task: rows on disk are found again by it and by the files' checksums.
    keep : Keep, optional
        Where the rows shall lie; in memory without it.
    max_bytes : int
        Of the rows in memory.
    goals : bool
        The rows get goals afterwards, which take memory or disk too.

    Raises
    ------
    DataFileError
        As ``read``; the shards differ in their columns; or together they are more than ``max_bytes``.
    UserError
        There is too little disk.
    """
    keep = Keep("memory") if keep is None else keep
    if len(paths) > 1 and (missing := missing_shards(paths)):
        warnings.warn(
            f"{paths[0].parent}: shards are missing between those that are there: {missing}. If that is wrong, copy them too: "
            "other rows are another dataset",
            UserWarning,
            stacklevel=2,
        )
    outlines = [outline(path) for path in paths]
    for path, found in zip(paths, outlines, strict=True):
        refuse_pictures(found.shapes.get("observations", ()), str(path))
    footprint = footprint_of(outlines, goals)

    def one(number: int) -> Shard:
        check_alike(paths, outlines, number)
        try:
            found = read(paths[number])
        except UserError as error:
            if len(paths) == 1:
                raise
            raise DataFileError(f"shard {number + 1} of {len(paths)}: {error}") from error
        return found if isinstance(found, Shard) else Shard(found)

    where = keep.where
    if where == "auto":
        large = footprint is not None and (not footprint.fits() or footprint.on_disk > max_bytes)
        where = "disk" if large and len(paths) > 1 else "memory"
    if footprint is not None and (len(paths) > 1 or footprint.in_memory > WORTH_SAYING):
        kept = "on disk" if where == "disk" else "in memory"
        keep.tell(f"{footprint.rows:,} rows in {counted(len(paths), 'file')}, kept {kept}: {footprint.in_words()}")
    if where == "disk" and footprint is not None:
        for number in range(len(paths)):  # before hours of unpacking
            check_alike(paths, outlines, number)
        name = name_of(called, [[path.name, found.mark] for path, found in zip(paths, outlines, strict=True)])
        return unpacked(name, footprint, len(paths), one, keep)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in COLUMNS}
    total, before = 0, None
    for number, path in enumerate(paths):
        shard = one(number)
        total += sum(getattr(shard.rows, name).nbytes for name in COLUMNS)
        if total > max_bytes:
            raise DataFileError(
                f"{path}: the shards up to this one are {total:,} bytes in memory, the limit is {max_bytes:,}; leave the rows on "
                "disk (--rows-in disk), or put fewer of them into a folder of their own, and name that"
            )
        if before is not None and before.open and continues(before.rows.next_observations, shard.rows.observations):
            parts["ends"][-1][-1] = False
        for name in COLUMNS:
            parts[name].append(getattr(shard.rows, name))
        before = shard
    return Transitions(**{name: np.concatenate(parts.pop(name)) for name in COLUMNS})
