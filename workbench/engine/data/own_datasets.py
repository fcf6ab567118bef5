"""Datasets that a user brought: each is converted once, checked, and kept in a folder of this user under a name.

``NAME.npz`` holds the plain form with actions in [-1, 1], ``NAME.json`` says where it came from and how actions were scaled.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from platformdirs import user_data_path
from pydantic import Field

from workbench.engine.data.atomic import made_folder, write_atomic
from workbench.engine.data.boxes import ActionBox
from workbench.engine.data.columns import ROWS, DataFileError
from workbench.engine.data.describe import plain_of
from workbench.engine.data.formats import read_pieces
from workbench.engine.data.formats.found import MOST_BYTES, ColumnNames
from workbench.engine.data.npz import load_dataset, save_dataset
from workbench.engine.data.records import Count, Record, checked, read_json
from workbench.engine.data.transitions import Transitions, make_transitions
from workbench.engine.words import UserError

FOLDER_VARIABLE = "WORKBENCH_DATASETS"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
MOST_DIMS = 100_000
Numbers = Annotated[list[float], Field(min_length=1, max_length=MOST_DIMS)]
Words = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=MOST_DIMS)]


class OwnDataset(Record):
    """What ``NAME.json`` says.

    Attributes
    ----------
    format, source : str
    observation_dim, action_dim, longest : int
        S, D, and the rows of the longest episode.
    low, high : list of float
        (D,) what −1 and 1 stand for in the units of the file.
    observation_names, action_names, notes : list of str
    rows : int
        0 in records of before it was written.
    owner : str
        Digest of the secret of whoever brought it by a page; "" for data that were added by a command.
    """

    format: Annotated[str, Field(max_length=200)]
    source: Annotated[str, Field(max_length=10_000)]
    observation_dim: Annotated[Count, Field(ge=1, le=MOST_DIMS)]
    action_dim: Annotated[Count, Field(ge=1, le=MOST_DIMS)]
    longest: Annotated[Count, Field(ge=1)]
    low: Numbers
    high: Numbers
    observation_names: Words = []
    action_names: Words = []
    notes: Words = []
    rows: Count = 0
    owner: Annotated[str, Field(max_length=64)] = ""


def datasets_folder() -> Path:
    """Where this user's datasets are kept: the folder that ``WORKBENCH_DATASETS`` names, else one in the user's data folder."""
    named = os.environ.get(FOLDER_VARIABLE, "")
    return Path(named).expanduser().resolve() if named else user_data_path("workbench") / "datasets"


def own_datasets() -> list[str]:
    """Names of the datasets that are there."""
    folder = datasets_folder()
    found = sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []
    return [name for name in found if NAME.fullmatch(name) and (folder / f"{name}.npz").is_file()]


def check_name(name: str) -> str:
    """Return ``name``. UserError unless a dataset can have it: a name that leads out of the folder is refused."""
    if not NAME.fullmatch(name):
        raise UserError(
            f"'{name[:60]}' is no name for a dataset: letters, digits, - and _, 60 at most, such as my-robot"
        )
    return name


def add_dataset(
    path: Path,
    name: str,
    names: ColumnNames | None = None,
    *,
    source: str = "",
    owner: str = "",
    folder: Path | None = None,
) -> OwnDataset:
    """Convert the data at ``path`` and keep them under ``name``.

    Actions that lie in [-1, 1] stay what they are; others are scaled so that the smallest and largest value of each number
    become −1 and 1. A number that never changes becomes 0.

    Parameters
    ----------
    path : Path
    name : str
    names : ColumnNames, optional
    source : str
        Where it came from, in the record's words; without it the path.
    owner : str
        As the record's.
    folder : Path, optional
        Where to write; without it the user's folder of datasets.

    Raises
    ------
    DataFileError
        The data cannot be read.
    UserError
        The name is taken, or no dataset can have it.
    OSError
        The files cannot be written; nothing is left behind.
    """
    folder = datasets_folder() if folder is None else folder
    target = folder / f"{check_name(name)}.npz"
    if target.exists():
        raise UserError(f"a dataset '{name}' is there already ({target}); choose another --name, or delete it first")
    data, about = converted(path, names or ColumnNames())
    about = about.model_copy(update={"source": source or about.source, "owner": owner})
    with made_folder(folder):
        save_dataset(target, data)
        try:
            write_atomic(target.with_suffix(".json"), (json.dumps(about.model_dump(), indent=1) + "\n").encode())
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    return about


def converted(path: Path, names: ColumnNames) -> tuple[Transitions, OwnDataset]:
    """The data at ``path`` with actions in [-1, 1], and what its record says; raises as `add_dataset`."""
    parts, found = [], None
    for found in read_pieces(path, names):
        if found.picture:
            raise DataFileError(f"{path}: {found.notes[0]}")
        plain = dict(plain_of(found, str(path)))
        plain.pop(ROWS, None)
        plain["ends"] = np.asarray(plain["ends"], dtype=bool).copy()
        plain["ends"][-1:] = True
        parts.append(
            {key: plain[key] for key in ("observations", "actions", "rewards", "masks", "next_observations", "ends")}
        )
        if sum(array.nbytes for part in parts for array in part.values()) > MOST_BYTES:
            raise DataFileError(f"{path}: more than {MOST_BYTES:,} bytes in memory; name one of its shards")
    assert found is not None
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    low, high = _bounds(arrays["actions"], str(path))
    box = ActionBox(low, high, str(path))
    columns = [arrays[key] for key in ("rewards", "masks", "next_observations", "ends")]
    scaled = box.to_unit(arrays["actions"])
    data = make_transitions(arrays["observations"], scaled, *columns, out_of_bounds="clip", source=str(path))
    lengths = np.diff(np.flatnonzero(data.ends), prepend=-1)
    about = OwnDataset(
        format=found.format,
        source=str(path),
        observation_dim=data.observation_dim,
        action_dim=data.action_dim,
        longest=int(lengths.max()),
        low=low.tolist(),
        high=high.tolist(),
        observation_names=list(found.names.get("observations", ())),
        action_names=list(found.names.get("actions", ())),
        notes=list(found.notes),
        rows=len(data),
    )
    return data, about


def adopt_dataset(draft: Path, name: str) -> None:
    """Move the dataset ``name`` from the folder ``draft``, on the same disk, into the user's; the record comes last.

    Raises
    ------
    UserError
        One of this name is there already.
    OSError
        It cannot be moved.
    """
    target = datasets_folder() / f"{check_name(name)}.json"
    if target.exists():
        raise UserError(f"a dataset '{name}' is there already; choose another name, or remove that one first")
    (draft / f"{name}.npz").replace(target.with_suffix(".npz"))
    (draft / target.name).replace(target)


def remove_dataset(name: str) -> None:
    """Delete the dataset ``name``, the record first: what is left without one is no dataset.

    Raises
    ------
    UserError
        No dataset can have this name.
    OSError
        The files cannot be deleted.
    """
    record = datasets_folder() / f"{check_name(name)}.json"
    record.unlink(missing_ok=True)
    record.with_suffix(".npz").unlink(missing_ok=True)


def _bounds(actions: np.ndarray, source: str) -> tuple[np.ndarray, np.ndarray]:
    """What −1 and 1 stand for: themselves where all actions lie between them."""
    actions = np.asarray(actions, dtype=np.float64)
    if not np.isfinite(actions).all():
        row = int(np.flatnonzero(~np.isfinite(actions).all(1))[0])
        raise DataFileError(f"{source}: 'actions' has NaN or infinity, first in row {row}; drop or repair such rows")
    low, high = actions.min(0), actions.max(0)
    if low.min() >= -1.0 - 1e-5 and high.max() <= 1.0 + 1e-5:
        return -np.ones_like(low), np.ones_like(high)
    still = high - low <= 1e-9 * np.maximum(1.0, np.abs(high))
    return np.where(still, low - 1.0, low), np.where(still, high + 1.0, high)


def read_own(name: str) -> OwnDataset:
    """What is known of the dataset ``name``; UserError where there is none, or its record is damaged."""
    path = datasets_folder() / f"{check_name(name)}.json"
    try:
        about = checked(OwnDataset, read_json(path))
    except FileNotFoundError:
        there = ", ".join(own_datasets()[:20]) or "none yet"
        raise UserError(
            f"no dataset '{name}' in {path.parent} (there: {there}); add it: workbench data add PATH --name {name}"
        ) from None
    except (OSError, UserError) as error:
        raise UserError(f"{path}: {error}; add the dataset again") from None
    if not len(about.low) == len(about.high) == about.action_dim:
        raise UserError(
            f"{path}: bounds of {len(about.low)} and {len(about.high)} numbers for {about.action_dim} actions; add it again"
        )
    return about


def load_own(name: str, **options: Any) -> Transitions:
    """The data themselves; raises as `read_own` and `load_dataset`."""
    read_own(name)
    return load_dataset(datasets_folder() / f"{name}.npz", **options)
