"""zarr folders in the layout of Diffusion Policy: ``data/{state, action, …}`` (R, …) and ``meta/episode_ends`` (E,).

Source: Diffusion Policy's ReplayBuffer. What describes an array is read and checked here first, before zarr opens it: a
description may name a codec that unpickles, a codec of any library, or pieces of any size.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from workbench.engine.data.columns import DataFileError
from workbench.engine.data.formats.found import MOST_BYTES, ColumnNames, Found
from workbench.engine.data.records import read_json
from workbench.engine.data.regular import FLOOR, RATIO
from workbench.engine.words import MissingExtraError, UserError, shown

CODECS = {"blosc", "zlib", "gzip", "zstd", "lz4", "bz2", "lzma", "bytes", "crc32c"}
MOST_ENTRIES = 1000
MOST_FILES = 5_000_000
MOST_EPISODES = 100_000_000
OBSERVED = ("state", "obs", "observation", "observations", "agent_pos", "keypoint")
ACTIONS = ("action", "actions")
NUMBERS = {
    "bool",
    "float16",
    "float32",
    "float64",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr group, of version 2 or 3."""
    return path.is_dir() and any((path / name).is_file() for name in (".zgroup", "zarr.json"))


def read_zarr(path: Path, names: ColumnNames) -> Found:
    """All episodes; ``meta/episode_ends`` holds the number of rows up to each one's end.

    Rewards are ``data/reward`` where it is there. An episode's last row terminates where ``data/terminal`` (or ``done``, with a
    reward above zero) is 1; else the recording stopped there.

    Raises
    ------
    DataFileError
        The layout is another one, an array holds other things than numbers, or is packed in a way that is not read here.
    ImportError
        zarr is not installed.
    """
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError(
            f'zarr folders need an optional package ({error}); install it with: pip install "workbench[data]"'
        ) from error
    stored = _stored(path)
    if (path / ".zgroup").is_file() and (path / "zarr.json").is_file():
        raise DataFileError(
            f"{path}: is described twice, by .zgroup and by zarr.json; delete the one that is not its own"
        )
    folder = path / "data"
    if not folder.is_dir():
        raise DataFileError(
            f"{path}: has no group 'data'; Diffusion Policy's layout has data/state, data/action, meta/episode_ends"
        )
    entries = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    if len(entries) > MOST_ENTRIES:
        raise DataFileError(f"{path}: 'data' has {len(entries):,} entries; {MOST_ENTRIES:,} are read at most")
    shapes = {name: _checked(folder / name) for name in entries}
    rows = [name for name, shape in shapes.items() if len(shape) <= 2]
    pictures = [name for name in entries if name not in rows]
    seen = _chosen(names.observations, [name for name in OBSERVED if name in rows][:1], rows, "observations", path)
    acted = _chosen(names.actions, [name for name in ACTIONS if name in rows][:1], rows, "actions", path)
    reward = names.reward or next((name for name in ("reward", "rewards") if name in rows), "")
    done = names.terminal or next((name for name in ("terminal", "terminals", "done", "dones") if name in rows), "")
    used = [*seen, *acted, *filter(None, (reward, done))]
    _chosen(tuple(used), [], rows, "columns", path)
    length = shapes[acted[0]][0]
    size = _checked(path / "meta" / "episode_ends")
    if len(size) != 1 or not 0 < size[0] <= MOST_EPISODES:
        raise DataFileError(f"{path}: meta/episode_ends has shape {size}; it must hold one number an episode")
    declared = sum(math.prod(shapes[name]) * 8 for name in used)
    if declared > MOST_BYTES or (declared > FLOOR and declared > RATIO * stored):
        raise DataFileError(
            f"{path}: declares {declared:,} bytes, and {stored:,} are stored; it is damaged, or too large to be read"
        )
    try:
        # Only the descriptions that were checked: not a copy of all of them at the root, nor one of the other version.
        version: Literal[2, 3] = 2 if (path / ".zgroup").is_file() else 3
        group = zarr.open_group(str(path), mode="r", zarr_format=version, use_consolidated=False)
        ends = np.asarray(group["meta/episode_ends"]).astype(np.int64)
        arrays = {name: np.asarray(group[f"data/{name}"]) for name in used}
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # zarr and its codecs raise what they like
        raise DataFileError(f"{path}: cannot be read ({type(error).__name__}: {error}); copy it again") from error
    for name, array in arrays.items():
        if len(array) != length:
            raise DataFileError(f"{path}: data/{name} has {len(array):,} rows, data/{acted[0]} {length:,}")
    if (np.diff(ends, prepend=0) <= 0).any() or ends[-1] != length:
        raise DataFileError(
            f"{path}: meta/episode_ends must grow and end at the number of rows, {length:,}; it ends at {int(ends[-1]):,}"
        )
    last = np.zeros(length, dtype=bool)
    last[ends - 1] = True
    notes = []
    rewards = arrays[reward].reshape(length).astype(np.float64) if reward else np.zeros(length)
    if not reward:
        notes.append(
            "there is no data/reward, rewards are read as 0: the behaviour flow can be learned, a critic cannot"
        )
    ended = arrays[done].reshape(length) != 0 if done else np.zeros(length, dtype=bool)
    if done.startswith("done"):
        ended = ended & (rewards > 0)
    terminals = ended & last
    notes.append(
        f"{int((last & ~terminals).sum()):,} of {len(ends):,} episodes stop without a termination: these are read as time "
        "limits, and bootstrapped"
    )
    if pictures:
        notes.append(
            f"pictures are left out: {', '.join(map(shown, pictures))}; encode them with a network of your own first"
        )
    left = [name for name in rows if name not in used]
    if left:
        notes.append(f"arrays that are not used: {', '.join(map(shown, left))}; choose with --observations")
    columns = {
        "observations": np.concatenate([arrays[name].reshape(length, -1) for name in seen], 1),
        "actions": np.concatenate([arrays[name].reshape(length, -1) for name in acted], 1),
        "rewards": rewards,
        "terminals": terminals,
        "timeouts": last & ~terminals,
    }
    called = {"observations": _spelled(seen, shapes), "actions": _spelled(acted, shapes)}
    return Found("zarr, Diffusion Policy's layout", columns, called, tuple(notes))


def rows_in(path: Path) -> tuple[str, ...]:
    """The entries of ``data`` that hold rows of numbers, by name; raises as `read_zarr`."""
    folder = path / "data"
    _stored(path)
    entries = sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
    return tuple(name for name in entries[:MOST_ENTRIES] if len(_checked(folder / name)) <= 2)


def _chosen(wanted: tuple[str, ...], usual: list[str], rows: list[str], role: str, path: Path) -> tuple[str, ...]:
    missing = [name for name in wanted if name not in rows]
    if missing:
        raise DataFileError(
            f"{path}: 'data' has no rows of numbers {shown(missing[0])}; it has {', '.join(map(shown, rows))}"
        )
    if not wanted and not usual:
        raise DataFileError(
            f"{path}: nothing in 'data' looks like {role}; name it: --{role} NAME. It has {', '.join(map(shown, rows))}"
        )
    return wanted or tuple(usual)


def _stored(path: Path) -> int:
    """Bytes of all files; DataFileError for a link, through which other files would be read."""
    total = count = 0
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            found = Path(folder) / name
            if found.is_symlink():
                raise DataFileError(f"{found}: is a link; put the file itself there")
        count += len(files)
        if count > MOST_FILES:
            raise DataFileError(f"{path}: more than {MOST_FILES:,} files; write it in larger pieces")
        total += sum((Path(folder) / name).stat().st_size for name in files)
    return total


def _checked(folder: Path) -> tuple[int, ...]:
    """The shape of the array in ``folder``, whose description names plain numbers and known codecs, in pieces of a sane size."""
    try:
        old = (folder / ".zarray").is_file()
        if old and (folder / "zarr.json").is_file():
            raise UserError("is described twice, by .zarray and by zarr.json; delete the one that is not its own")
        about: Any = read_json(folder / (".zarray" if old else "zarr.json"))
        if not isinstance(about, dict) or (not old and about.get("node_type") != "array"):
            raise UserError("is no description of an array")
        shape = _whole(about.get("shape"))
        if old:
            kind, chunk = (
                str(np.dtype(about["dtype"])) if isinstance(about.get("dtype"), str) else "",
                _whole(about.get("chunks")),
            )
            compressor = about.get("compressor")
            codecs = [compressor] if compressor is not None else []
            if about.get("filters"):
                codecs += list(about["filters"])
            names = [codec.get("id") for codec in codecs]
        else:
            grid = about["chunk_grid"]
            kind, chunk = str(about.get("data_type")), _whole(grid["configuration"]["chunk_shape"])
            names = [codec.get("name") for codec in about["codecs"]]
        known = np.dtype(kind).newbyteorder("=").name if old and kind else kind
        if known not in NUMBERS:
            raise UserError(f"holds {shown(about.get('dtype', about.get('data_type')))}, not plain numbers")
        strange = [name for name in names if name not in CODECS]
        if strange:
            raise UserError(f"is packed with {shown(strange[0])}; {', '.join(sorted(CODECS))} are read")
        if len(chunk) != len(shape) or 0 in chunk or math.prod(chunk) * 8 > max(FLOOR, 64 * math.prod(shape)):
            raise UserError("is stored in pieces that are larger than itself")
    except OSError:
        raise DataFileError(f"{folder}: is no zarr array, or is missing") from None
    except UserError as error:
        raise DataFileError(f"{folder}: {error}") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataFileError(
            f"{folder}: its description is damaged ({type(error).__name__}: {shown(str(error))})"
        ) from None
    return shape


def _whole(value: object) -> tuple[int, ...]:
    if (
        not isinstance(value, list)
        or not 0 < len(value) <= 8
        or not all(type(n) is int and 0 <= n < 2**40 for n in value)
    ):
        raise UserError(f"has the shape {shown(value)}")
    return tuple(value)


def _spelled(entries: tuple[str, ...], shapes: dict[str, tuple[int, ...]]) -> tuple[str, ...]:
    widths = {name: math.prod(shapes[name][1:]) for name in entries}
    return tuple(f"{name}[{i}]" if widths[name] > 1 else name for name in entries for i in range(widths[name]))
