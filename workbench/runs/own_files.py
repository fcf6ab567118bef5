"""Data of one's own in two calls: what is in a file, and keeping it as a task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from workbench.engine.data.describe import Description, describe
from workbench.engine.data.formats.found import ColumnNames
from workbench.engine.data.own_datasets import add_dataset
from workbench.engine.data.records import Record, checked

Column = Annotated[str, Field(max_length=10_000)]


class Columns(Record):
    """`ColumnNames`, as an order of a page or a call says it."""

    observations: list[Column] = []
    actions: list[Column] = []
    reward: Column = ""
    terminal: Column = ""
    timeout: Column = ""
    episode: Column = ""

    def names(self) -> ColumnNames:
        """The columns that were chosen."""
        return ColumnNames(
            tuple(self.observations), tuple(self.actions), self.reward, self.terminal, self.timeout, self.episode
        )


def describe_data(path: str | Path, columns: Mapping[str, object] | None = None) -> Description:
    """Say what a dataset holds, before anything is trained on it; nothing is changed or written.

    Parameters
    ----------
    path : str or Path
        A file or folder: npz, HDF5 (D4RL, robomimic), parquet, CSV, LeRobotDataset, zarr, shards.
    columns : mapping, optional
        Which column is what, where the file's own names do not say so: ``observations`` and ``actions`` (lists of names),
        ``reward``, ``terminal``, ``timeout``, ``episode`` (one name each).

    Returns
    -------
    Description
        Format, rows, episodes, dimensions, bounds, ends and rewards; ``print`` shows them as a table.

    Raises
    ------
    UserError
        It cannot be read; the message says what is wrong and the cure.
    """
    return describe(Path(path), checked(Columns, dict(columns or {})).names())


def keep_data(path: str | Path, name: str, columns: Mapping[str, object] | None = None) -> str:
    """Convert a dataset once, and keep it as the task ``data/<name>``.

    Actions beyond [-1, 1] are scaled by their smallest and largest values; the task's ``box`` takes them back.

    Parameters
    ----------
    path : str or Path
    name : str
        Letters, digits, - and _.
    columns : mapping, optional
        As for `describe_data`.

    Returns
    -------
    str
        The task's name, for `train`, `make_task` and the command line.

    Raises
    ------
    UserError
        The data cannot be read, or the name is taken.
    """
    add_dataset(Path(path), name, checked(Columns, dict(columns or {})).names())
    return f"data/{name}"
