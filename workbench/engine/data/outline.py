"""What a data file declares of itself, before any row is read: shapes, and a mark that changes with its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.engine.data.columns import WIDE, DataFileError
from workbench.engine.data.footprint import Footprint
from workbench.engine.data.hdf5_arrays import child, opened
from workbench.engine.data.npz import PLAIN, SIMULATOR, read_outline
from workbench.engine.words import counted

CHECKED = ("observations", "actions")
READ = (*PLAIN, "terminals", "timeouts", *SIMULATOR)


@dataclass(frozen=True)
class Outline:
    """Shapes of a file's arrays by their names.

    Attributes
    ----------
    shapes : dict
    mark : list of str or int
        Of an npz file the checksums of its arrays, which stay the same wherever it lies; of another file its size and time.
    """

    shapes: Mapping[str, tuple[int, ...]]
    mark: list[str | int]


def outline(path: Path) -> Outline:
    """The outline of an npz or HDF5 file.

    Raises
    ------
    DataFileError
        It cannot be read.
    """
    if path.suffix == ".npz":
        found = read_outline(path, READ)
        marks = [part for name, (shape, checksum) in found.items() for part in (name, str(shape), checksum)]
        return Outline({name: shape for name, (shape, _) in found.items()}, list(marks))
    with opened(path) as (h5py, file):
        arrays = {name: array for name in WIDE if (array := child(h5py, file, name, path)) is not None}
        shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    stat = path.stat()
    return Outline(shapes, [str(path.resolve()), stat.st_size, stat.st_mtime_ns])


def footprint_of(outlines: Sequence[Outline], goals: bool = False) -> Footprint | None:
    """What the files will take together, with ``goals`` for their rows or without; None where one has not both observations and
    actions as rows of numbers, which its reader says.
    """
    shapes = [[found.shapes.get(name, ()) for name in CHECKED] for found in outlines]
    if any(len(shape) != 2 for pair in shapes for shape in pair):
        return None
    rows = [acted[0] for _, acted in shapes]
    return Footprint(sum(rows), shapes[0][0][1], shapes[0][1][1], max(rows), goals)


def check_alike(paths: Sequence[Path], outlines: Sequence[Outline], number: int) -> None:
    """Raise `DataFileError` where the file ``number`` has other columns than the first."""
    for name in CHECKED:
        first, found = (outlines[i].shapes.get(name, ()) for i in (0, number))
        if len(first) == len(found) == 2 and first[1] != found[1]:
            raise DataFileError(
                f"{paths[number]}: '{name}' has {counted(found[1], 'column')}, {first[1]} in {paths[0].name}; "
                "these are shards of different data"
            )
