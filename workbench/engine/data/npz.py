"""The npz door: datasets to and from files, in OGBench's own compact form and in the plain form of `Transitions`.

A data file may come from anyone, so that nothing in it is ever unpickled, and no array is allocated before the headers of
all agree with the archive's table of contents, with each other's rows, and with the size of the file.

Compact form (OGBench): ``observations`` (M, S), ``actions`` (M, D), ``terminals`` (M,), and the simulator's ``qpos``,
``qvel``, ``button_states``. The last row of each trajectory, where terminals is 1, holds the last state; its action has
no effect. Plain form (this package): ``observations``, ``actions``, ``rewards``, one of ``masks`` and ``terminals``, and
optionally ``next_observations``, ``timeouts``, ``ends``; see `workbench.engine.data.columns`.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from workbench.engine.data.atomic import write_atomic
from workbench.engine.data.columns import ROWS, WIDE, Arrays, plain_from_d4rl
from workbench.engine.data.columns import DataFileError as DataFileError
from workbench.engine.data.regular import RATIO, open_regular, too_much
from workbench.engine.data.transitions import OutOfBounds, Place, Transitions, make_transitions
from workbench.engine.words import UserError, counted, shown

PLAIN = ("observations", "actions", "rewards", "masks", "next_observations", "ends")
COMPACT = ("observations", "actions", "terminals")
SIMULATOR = ("qpos", "qvel", "button_states")  # what OGBench's relabelling of rewards reads
MAX_BYTES = 16 * 2**30
EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's first date: the same arrays always give the same file
READABLE = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_arrays(
    path: str | Path,
    names: Iterable[str] = (*PLAIN, "terminals", "timeouts", *SIMULATOR),
    *,
    max_bytes: int = MAX_BYTES,
) -> Arrays:
    """Read the arrays called ``names``, as far as the file has them.

    Parameters
    ----------
    path : str or Path
        An npz file; it is not trusted.
    names : iterable of str
        Other members of the file are ignored.
    max_bytes : int
        Refuse files that unpack to more than this many bytes.

    Raises
    ------
    DataFileError
        No such file, not an npz archive, truncated or damaged, arrays of objects (which are pickles), too large.
    """
    path = Path(path)
    with _opened(path) as file:
        return read_archive(file, path.stat().st_size, str(path), names, max_bytes)


def read_outline(path: Path, names: Iterable[str]) -> dict[str, tuple[tuple[int, ...], int]]:
    """Shape and checksum of the arrays called ``names``, as far as the file has them; no row is read. Raises as `read_arrays`."""
    with _opened(path) as file, _archive(file, str(path)) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        return {
            name: (_shape(archive, members[name], str(path)), members[name].CRC) for name in names if name in members
        }


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file; whatever is wrong with it becomes `DataFileError`."""
    try:
        with open_regular(path) as file:
            yield file
    except UserError as error:
        raise DataFileError(str(error)) from None
    except FileNotFoundError as error:
        raise DataFileError(
            f"{path}: no such file; make one with `workbench generate TASK --out DIR`, or check the path"
        ) from error
    except IsADirectoryError as error:
        raise DataFileError(f"{path}: is a folder, an .npz file was expected; name the file in it") from error
    except OSError as error:
        raise DataFileError(f"{path}: cannot be read ({error}); check the file and its permissions") from error


def read_archive(
    file: IO[bytes], stored: int, source: str, names: Iterable[str] | None = None, max_bytes: int = MAX_BYTES
) -> Arrays:
    """As `read_arrays`, from an open file of ``stored`` bytes that messages call ``source``; all its arrays without ``names``."""
    with _archive(file, source) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        wanted = {name: members[name] for name in dict.fromkeys(members if names is None else names) if name in members}
        shapes = {name: _shape(archive, info, source) for name, info in wanted.items()}
        check_sizes(source, sum(info.file_size for info in wanted.values()), stored, max_bytes)
        check_rows(source, shapes)
        return {name: _read_member(archive, info) for name, info in wanted.items()}


@contextmanager
def _archive(file: IO[bytes], source: str) -> Iterator[zipfile.ZipFile]:
    """The archive in ``file``; the errors of a damaged one become `DataFileError`."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except DataFileError:
        raise
    except zipfile.BadZipFile as error:
        raise DataFileError(
            f"{source}: not a readable npz archive ({error}); it was cut off, damaged, or is another format. "
            "Copy or generate it again"
        ) from error
    except (EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise DataFileError(
            f"{source}: the archive is damaged or packed in an unusual way ({error}); write it with numpy.savez"
        ) from error
    except (OSError, MemoryError):
        raise
    except Exception as error:  # zipfile and its decoders answer damage with errors of every kind
        raise DataFileError(f"{source}: the archive is damaged ({error!r}); copy or generate it again") from error


def check_sizes(source: str, declared: int, stored: int, most: int = MAX_BYTES) -> None:
    """Raise `DataFileError` when arrays of ``declared`` bytes are more than a file of ``stored`` bytes may hold."""
    if declared > most:
        raise DataFileError(f"{source}: unpacks to {declared:,} bytes, the limit is {most:,} (max_bytes raises it)")
    if too_much(declared, stored):
        raise DataFileError(
            f"{source}: unpacks to {declared:,} bytes, {declared // max(stored, 1):,} for each of the {stored:,} in the file; "
            f"at most {RATIO} are read. Save it anew with less compression: numpy.savez, or h5py without filters"
        )


def check_rows(source: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `DataFileError` unless all arrays have as many rows as 'actions', or as the first."""
    first = "actions" if "actions" in shapes else next(iter(shapes), "")
    for name, shape in shapes.items():
        if shape[0] != shapes[first][0]:
            raise DataFileError(
                f"{source}: '{name}' has {shape[0]} rows but '{first}' has {shapes[first][0]}; "
                "the file was put together wrongly, save it again"
            )


def _shape(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: str) -> tuple[int, ...]:
    """The shape of an array, of which nothing but the header is read."""
    name = info.filename.removesuffix(".npy")
    try:
        with archive.open(info) as stream:
            version = np.lib.format.read_magic(stream)
            if version not in READABLE:
                raise UserError(f"npy version {version}")
            shape, _, dtype = READABLE[version](stream)
            header = stream.tell()
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError):
        raise  # the archive's, not the header's
    except Exception as error:  # a header is a Python literal, which Python's parser refuses with errors of every kind
        raise DataFileError(f"{source}: '{name}' is not a plain array ({error}); write it with numpy.savez") from error
    if dtype.hasobject:
        raise DataFileError(
            f"{source}: '{name}' holds Python objects, which are pickles and could run code; they are never loaded. "
            "Convert it to numbers (array.astype('float32')) and save again"
        )
    counts = all(type(size) is int and 0 <= size < 2**48 for size in shape)  # True is an int too
    if dtype.kind not in "biuf" or not shape or 0 in shape[1:] or not counts:
        raise DataFileError(
            f"{source}: '{name}' has dtype {dtype} and shape {shown(shape)}; it must hold real numbers, one row a time step"
        )
    needed = header + math.prod(shape) * dtype.itemsize
    if needed != info.file_size:
        raise DataFileError(
            f"{source}: '{name}' claims shape {shown(shape)} of {dtype}, {needed:,} bytes, but {info.file_size:,} are stored; "
            "the file is damaged, copy or generate it again"
        )
    return tuple(shape)


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an npz file atomically: after an error the old file, or none, is there.

    The same arrays give the same bytes, whenever they are written.

    Parameters
    ----------
    path : str or Path
        Its folder must exist.
    arrays : mapping
        Arrays of numbers, by name.

    Raises
    ------
    DataFileError
        An array of objects.
    OSError
        The disk is full, or the folder cannot be written; nothing half-written is left.
    """
    path = Path(path)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays.items():
            if array.dtype.hasobject:
                raise DataFileError(f"{path}: '{name}' holds Python objects; only arrays of numbers are saved")
            with archive.open(zipfile.ZipInfo(f"{name}.npy", EPOCH), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)
    write_atomic(path, content.getvalue())


def save_dataset(path: str | Path, data: Transitions) -> None:
    """Write ``data`` in the plain form; raises as `write_arrays`."""
    write_arrays(path, {name: getattr(data, name) for name in PLAIN})


def load_dataset(path: str | Path, *, out_of_bounds: OutOfBounds = "refuse") -> Transitions:
    """Read and check a dataset in the plain form; what is missing is derived as `plain_from_d4rl` says.

    Parameters
    ----------
    path : str or Path
    out_of_bounds : {"refuse", "clip"}
        What to do with actions outside [-1, 1].

    Raises
    ------
    DataFileError
        As `read_arrays`, or an array is missing.
    UserError
        As `make_transitions`: wrong shapes, NaN, actions out of bounds.
    """
    return plain_transitions(read_arrays(path), str(path), out_of_bounds)


def plain_transitions(
    arrays: Arrays, source: str, out_of_bounds: OutOfBounds = "refuse", place: Place | None = None
) -> Transitions:
    """`Transitions` from arrays in the plain form; ``source`` names them in messages, ``place`` their rows."""
    arrays = plain_form(arrays, source)
    return make_transitions(
        arrays["observations"],
        arrays["actions"],
        arrays["rewards"],
        arrays["masks"],
        arrays["next_observations"],
        arrays["ends"],
        out_of_bounds=out_of_bounds,
        source=source,
        place=place or row_of(arrays[ROWS]),
    )


def plain_form(arrays: Arrays, source: str) -> Arrays:
    """What `plain_from_d4rl` makes of a file's arrays, unless they are that already; raises `DataFileError`."""
    if ROWS in arrays:
        return arrays
    _require(arrays, ("observations", "actions", "rewards"), source)
    if "masks" not in arrays and "terminals" not in arrays:
        raise DataFileError(f"{source}: has neither 'masks' nor 'terminals'; one must say where episodes terminated")
    for name in WIDE:
        if name in arrays and arrays[name].ndim != 2:
            raise DataFileError(f"{source}: '{name}' must have 2 dimensions, got shape {arrays[name].shape}")
    return plain_from_d4rl(arrays, source)


def row_of(rows: np.ndarray) -> Place:
    """The name of a row in messages, where row i of the arrays is row ``rows[i]`` of the file."""
    return lambda row: f"row {int(rows[row])}"


def regular(arrays: Arrays, source: str) -> Arrays:
    """Transitions from the compact form, as ``ogbench.load_dataset`` makes them.

    Parameters
    ----------
    arrays : dict
        The compact form, M rows.
    source : str
        What to call the data in messages.

    Returns
    -------
    dict
        ``observations``, ``actions``, ``next_observations`` float32, ``terminals`` float32 (1 on the last transition of
        a trajectory), the simulator's arrays, and ``rows``, each one's number in the file; R rows, M minus the number of
        trajectories.

    Raises
    ------
    DataFileError
        A missing array, wrong shapes, NaN, or a trajectory without end.
    """
    _require(arrays, COMPACT, source)
    arrays = {name: arrays[name] for name in (*COMPACT, *SIMULATOR) if name in arrays}
    rows = len(arrays["actions"])
    for name, array in arrays.items():
        dims = 2 if name in ("observations", "actions", *SIMULATOR) else 1
        if array.ndim != dims or len(array) != rows:
            raise DataFileError(
                f"{source}: '{name}' has shape {array.shape}, expected {counted(dims, 'dimension')} and "
                f"{counted(rows, 'row')} as in 'actions'; the file was put together wrongly, save it again"
            )
        if not np.isfinite(array).all():
            bad = int(np.flatnonzero(~np.isfinite(array.reshape(rows, -1)).all(1))[0])
            raise DataFileError(f"{source}: '{name}' has NaN or infinity, first in row {bad}; drop that trajectory")
    if rows < 2:
        raise DataFileError(
            f"{source}: {counted(rows, 'row')} cannot hold a transition; a trajectory needs at least two"
        )
    last = arrays["terminals"].astype(bool)
    if not last[-1]:
        raise DataFileError(
            f"{source}: the last row does not end a trajectory ('terminals' is 0 there); cut it or set it to 1"
        )
    keep = ~last
    if not keep.any():
        raise DataFileError(f"{source}: 'terminals' is 1 in every row, so that there is no transition; is it inverted?")
    # An action outside its row's trajectory has no effect and is dropped here, with the last state's row.
    result = {
        "observations": arrays["observations"][keep].astype(np.float32, copy=False),
        "actions": arrays["actions"][keep].astype(np.float32, copy=False),
        "next_observations": arrays["observations"][np.flatnonzero(keep) + 1].astype(np.float32, copy=False),
        "terminals": last[np.flatnonzero(keep) + 1].astype(np.float32),
    }
    result.update({name: arrays[name][keep] for name in SIMULATOR if name in arrays})
    result[ROWS] = np.flatnonzero(keep)
    return result


def _require(arrays: Arrays, names: tuple[str, ...], source: str) -> None:
    missing = [name for name in names if name not in arrays]
    if missing:
        compact = set(COMPACT) <= set(arrays) and "next_observations" not in arrays
        cure = (
            "it is in OGBench's compact form, whose rewards depend on the task: load it through its task "
            "(workbench fit TASK --data DIR)"
            if compact
            else f"it needs {', '.join(names)}"
        )
        raise DataFileError(f"{source}: lacks {', '.join(map(repr, missing))}; {cure}")
