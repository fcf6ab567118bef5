"""What a data file declares of itself, before any row is read: shapes, and a mark that changes with its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.engine.data.columns import WIDE, DataFileError
from workbench.engine.data.footprint import Footprint
from workbench.engine.data.hdf5_arrays import child, opened
from workbench.engine.data.npz import PLAIN, SIMULATOR, read_outline

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


def footprint_of(paths: Sequence[Path], outlines: Sequence[Outline]) -> Footprint | None:
    """What the files will take together; None where one has not both observations and actions as rows of numbers, which its
    reader says.

    Raises
    ------
    DataFileError
        They differ in their columns.
    """
    first = outlines[0].shapes
    for path, found in zip(paths, outlines, strict=True):
        for name in ("observations", "actions"):
            shape = found.shapes.get(name, ())
            if len(shape) != 2 or len(first.get(name, ())) != 2:
                return None
            if shape[1] != first[name][1]:
                raise DataFileError(
                    f"{path}: '{name}' has {shape[1]} column(s), {first[name][1]} in {paths[0].name}; "
                    "these are shards of different data"
                )
    rows = [found.shapes["actions"][0] for found in outlines]
    return Footprint(sum(rows), first["observations"][1], first["actions"][1], max(rows))
