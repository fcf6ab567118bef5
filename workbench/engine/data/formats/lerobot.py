"""LeRobotDataset, versions 2 and 3: a folder with ``meta/info.json`` and parquet tables under ``data/``.

Source: Hugging Face LeRobot, LeRobotDataset v2.1 (a table an episode) and v3.0 (many episodes a table). The tables are found
in the folder itself: the template of their paths in ``info.json`` is not followed. Videos and pictures are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from workbench.engine.data.columns import Arrays, DataFileError
from workbench.engine.data.formats.found import MOST_BYTES, ColumnNames, Found
from workbench.engine.data.formats.tables import columns_of, read_columns
from workbench.engine.data.records import Count, Record, checked, read_json
from workbench.engine.words import UserError, shown

INFO = Path("meta") / "info.json"
VERSIONS = ("v2.0", "v2.1", "v3.0")
MOST_TABLES = 200_000
PICTURES = ("video", "image")
ORDER = ("index", "episode_index", "frame_index")
USED = (*ORDER, "action", "next.reward", "next.done", "next.success", "next.truncated")


class Feature(Record):
    """One entry of ``features``."""

    dtype: Annotated[str, Field(max_length=50)]
    names: Any = None


class Info(Record):
    """What ``meta/info.json`` must say."""

    codebase_version: Annotated[str, Field(max_length=20)]
    total_frames: Count
    total_episodes: Count
    features: dict[str, Feature]


def is_lerobot(path: Path) -> bool:
    """Whether a folder holds a LeRobotDataset."""
    return (path / INFO).is_file()


def read_lerobot(path: Path, names: ColumnNames) -> Found:
    """All frames, in the order of their ``index``.

    Observations are the rows of numbers whose names begin with ``observation.``, by name; the action is ``action``. The
    last frame of an episode terminates where ``next.success`` (or, with a reward above zero, ``next.done``) says so; else
    the recording stopped there.

    Raises
    ------
    DataFileError
        Another version, tables that are missing or damaged, or frames that are missing.
    ImportError
        pyarrow is not installed.
    """
    try:
        info = checked(Info, read_json(path / INFO))
    except (OSError, UserError) as error:
        raise DataFileError(f"{path / INFO}: {error}; copy the whole dataset again") from None
    if info.codebase_version not in VERSIONS:
        raise DataFileError(
            f"{path}: LeRobotDataset {shown(info.codebase_version)}; {', '.join(VERSIONS)} are read. Convert it with LeRobot's "
            "own converter"
        )
    pictures = sorted(name for name, feature in info.features.items() if feature.dtype in PICTURES)
    seen = sorted(name for name in info.features if name.startswith("observation.") and name not in pictures)
    table = _frames(path, {*USED, *seen, *names.observations, *names.actions, names.reward} - {""}, info)
    seen = [name for name in seen if name in table]
    if "action" not in table and not names.actions:
        raise DataFileError(f"{path}: its tables have no column 'action'; this is no LeRobotDataset of actions")
    if not seen and not names.observations:
        raise DataFileError(
            f"{path}: has no rows of numbers under 'observation.'; its observations are pictures ({', '.join(pictures)}): "
            "encode them with a network of your own first"
        )
    last = np.append(np.diff(table["episode_index"].reshape(-1)) != 0, True)
    reward = names.reward or ("next.reward" if "next.reward" in table else "")
    table["terminated"] = _terminated(table, reward) & last
    chosen = ColumnNames(
        names.observations or tuple(seen), names.actions or ("action",), reward, "terminated", "", "episode_index"
    )
    columns, called, notes = columns_of(table, chosen, str(path))
    if pictures:
        notes.append(f"videos and pictures are left out: {', '.join(map(shown, pictures))}")
    spelled = {role: _spelled(called[role], table, info) for role in ("observations", "actions")}
    return Found(f"LeRobotDataset {info.codebase_version}", columns, spelled, tuple(notes))


def _frames(path: Path, wanted: set[str], info: Info) -> Arrays:
    """The columns of all tables, sorted by ``index``."""
    files = sorted(found for found in (path / "data").glob("chunk-*/*.parquet"))
    if not 0 < len(files) <= MOST_TABLES:
        raise DataFileError(
            f"{path}: {len(files):,} tables under data/chunk-*/, 1 to {MOST_TABLES:,} are read; copy the whole dataset again"
        )
    outside = [file for file in files if not file.resolve().is_relative_to(path.resolve())]
    if outside:
        raise DataFileError(f"{outside[0]}: leads out of the dataset's folder; put the file itself there")
    parts: list[Arrays] = []
    size = 0
    for file in files:
        part = read_columns(file, sorted(wanted))
        size += sum(array.nbytes for array in part.values())
        if size > MOST_BYTES:
            raise DataFileError(
                f"{path}: the tables up to {file.name} take {size:,} bytes, the limit is {MOST_BYTES:,}"
            )
        if parts and {name: array.shape[1:] for name, array in part.items()} != {
            name: array.shape[1:] for name, array in parts[0].items()
        }:
            raise DataFileError(
                f"{file}: its columns differ from those of {files[0].name}; these are parts of two datasets"
            )
        parts.append(part)
    table = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    missing = [name for name in ("index", "episode_index") if name not in table]
    if missing:
        raise DataFileError(f"{path}: its tables have no column {shown(missing[0])}")
    order = np.argsort(table["index"].reshape(-1), kind="stable")
    index = table["index"].reshape(-1)[order]
    if len(index) != info.total_frames or (np.diff(index) != 1).any():
        raise DataFileError(
            f"{path}: {len(index):,} frames are there, and {info.total_frames:,} should be, one after the other; a table is "
            "missing or there twice. Copy the whole dataset again"
        )
    return {name: array[order] for name, array in table.items()}


def _terminated(table: Arrays, reward: str) -> np.ndarray:
    rows = len(table["index"])
    if "next.success" in table:
        return np.asarray(table["next.success"].reshape(rows) != 0)
    if "next.done" in table and reward:
        return np.asarray((table["next.done"].reshape(rows) != 0) & (table[reward].reshape(rows) > 0))
    return np.zeros(rows, dtype=bool)


def _spelled(columns: tuple[str, ...], table: Arrays, info: Info) -> tuple[str, ...]:
    """A name for each number: that of ``features`` where there is one, else ``observation.state[3]``."""
    names: list[str] = []
    for column in columns:
        width = int(np.prod(table[column].shape[1:]))
        found = info.features[column].names if column in info.features else None
        found = next(iter(found.values()), None) if isinstance(found, dict) else found
        if isinstance(found, list) and len(found) == width and all(isinstance(name, str) for name in found):
            names.extend(found)
        else:
            names.extend(f"{column}[{i}]" if width > 1 else column for i in range(width))
    return tuple(names)
