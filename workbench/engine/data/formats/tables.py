"""Tables, parquet and CSV: a column for each number, or columns of lists of one length; pyarrow reads them and runs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine.data.columns import Arrays, DataFileError
from workbench.engine.data.formats.found import MOST_BYTES, ColumnNames, Found
from workbench.engine.data.npz import check_sizes
from workbench.engine.data.regular import open_regular
from workbench.engine.words import MissingExtraError, UserError, shown

SUFFIXES = (".parquet", ".csv")
MOST_COLUMNS = 100_000
OBSERVATION = re.compile(r"(obs|observation|observations|state)([._\[]?\S*)", re.IGNORECASE)
ACTION = re.compile(r"(act|action|actions)([._\[]?\S*)", re.IGNORECASE)
USUAL = {
    "reward": ("reward", "rewards", "next.reward"),
    "terminal": ("terminal", "terminals", "terminated", "termination", "done", "dones", "next.done"),
    "timeout": ("timeout", "timeouts", "truncated", "truncation", "truncations"),
    "episode": ("episode", "episode_index", "episode_id", "trajectory"),
}


def read_table(path: Path, names: ColumnNames) -> Found:
    """One table: its rows follow in time, and each has an observation, an action and a reward.

    Columns that are not named are found by their names: ``obs_0``, ``observation.x`` …; ``action_0`` …; ``reward``;
    ``terminated`` or ``done``; ``truncated``; ``episode``. Numbers in names count: ``obs_2`` stands before ``obs_10``.

    Raises
    ------
    DataFileError
        No such file, another format, or columns that are missing or hold no numbers.
    ImportError
        pyarrow is not installed.
    """
    table = read_columns(path)
    columns, called, notes = columns_of(table, names, str(path))
    left = [name for name in table if name not in {*called["observations"], *called["actions"], *called["others"]}]
    if left:
        notes.append(
            f"columns that are not used: {', '.join(shown(name) for name in left[:20])}{' …' * (len(left) > 20)}"
        )
    kind = "parquet table" if path.suffix == ".parquet" else "CSV table"
    return Found(kind, columns, {name: called[name] for name in ("observations", "actions")}, tuple(notes))


def columns_of(table: Arrays, names: ColumnNames, source: str) -> tuple[Arrays, dict[str, tuple[str, ...]], list[str]]:
    """The columns of a dataset, their names in the file, and notes for the reader."""
    notes: list[str] = []
    one = {role: _one(table, getattr(names, role), usual, role, source) for role, usual in USUAL.items()}
    taken = {name for name in one.values() if name}
    wide = {
        role: _several(table, wanted, pattern, taken, role, source)
        for role, wanted, pattern in (
            ("observations", names.observations, OBSERVATION),
            ("actions", names.actions, ACTION),
        )
    }
    columns = {role: np.concatenate([_wide(table[name]) for name in found], 1) for role, found in wide.items()}
    rows = len(columns["actions"])
    if one["reward"]:
        columns["rewards"] = _flat(table, one["reward"], source)
    else:
        columns["rewards"] = np.zeros(rows)
        notes.append(
            "there is no column of rewards, they are read as 0: the behaviour flow can be learned from it, a critic cannot"
        )
    terminals = _flat(table, one["terminal"], source) != 0 if one["terminal"] else np.zeros(rows, dtype=bool)
    timeouts = _flat(table, one["timeout"], source) != 0 if one["timeout"] else np.zeros(rows, dtype=bool)
    if one["episode"]:
        episode = _flat(table, one["episode"], source)
        last = np.append(episode[1:] != episode[:-1], True)
        timeouts = timeouts | (last & ~terminals)
        if not one["timeout"]:
            notes.append(
                f"{int((last & ~terminals).sum()):,} of {int(last.sum()):,} episodes stop without a termination: these are read "
                "as time limits, and bootstrapped"
            )
    columns |= {"terminals": terminals & ~timeouts, "timeouts": timeouts}
    if not one["episode"] and not one["timeout"]:
        if one["terminal"]:
            notes.append("no column marks time limits or episodes; an episode ends where it terminates")
            columns.pop("timeouts")
        else:
            raise DataFileError(
                f"{source}: no column says where episodes end; name one: --episode COLUMN, --terminal COLUMN or "
                f"--timeout COLUMN. It has {_list(table)}"
            )
    called = {**wide, "others": tuple(taken)}
    return columns, called, notes


def read_columns(path: Path, wanted: Sequence[str] | None = None) -> Arrays:
    """The columns of a parquet or CSV file that hold numbers, (R,) or (R, width); others are passed over.

    Raises
    ------
    DataFileError, ImportError
        As `read_table`.
    """
    with _opened(path) as (pyarrow, file):
        if path.suffix == ".csv":
            size = path.stat().st_size
            check_sizes(str(path), size, size, MOST_BYTES)
            table = pyarrow.csv.read_csv(file)
        else:
            about = pyarrow.parquet.ParquetFile(file)
            _check_metadata(about, path, path.stat().st_size)
            chosen = [name for name in _numbers(pyarrow, about.schema_arrow) if wanted is None or name in wanted]
            table = about.read(columns=chosen)
    if len(set(table.column_names)) < len(table.column_names):
        raise DataFileError(f"{path}: two columns have the same name; rename one")
    return {
        name: _array(pyarrow, table.column(name), f"{path}: column {shown(name)}")
        for name in _numbers(pyarrow, table.schema)
    }


def numeric_columns(path: Path) -> tuple[str, ...]:
    """Names of the columns that hold numbers; of a CSV file by its first megabyte. Raises as `read_table`."""
    with _opened(path) as (pyarrow, file):
        if path.suffix == ".csv":
            return _numbers(pyarrow, pyarrow.csv.open_csv(file).schema)
        about = pyarrow.parquet.ParquetFile(file)
        _check_metadata(about, path, path.stat().st_size)
        return _numbers(pyarrow, about.schema_arrow)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """``(pyarrow, file)``; what pyarrow complains of becomes `DataFileError`."""
    try:
        import pyarrow
        import pyarrow.csv
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            f'tables need an optional package ({error}); install it with: pip install "workbench[data]"'
        ) from error
    try:
        with open_regular(path) as file:
            yield pyarrow, file
    except UserError as error:
        raise DataFileError(str(error)) from None
    except (FileNotFoundError, IsADirectoryError) as error:
        raise DataFileError(
            f"{path}: {'no such file' if isinstance(error, FileNotFoundError) else 'is a folder'}"
        ) from None
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # pyarrow's errors are of many kinds
        raise DataFileError(
            f"{path}: not a readable {path.suffix[1:]} file ({error}); it was cut off or is another format"
        ) from error


def _numbers(pyarrow: Any, schema: Any) -> tuple[str, ...]:
    return tuple(name for name in schema.names if _numeric(pyarrow, schema.field(name).type))


def _check_metadata(about: Any, path: Path, stored: int) -> None:
    metadata = about.metadata
    if metadata.num_columns > MOST_COLUMNS:
        raise DataFileError(f"{path}: {metadata.num_columns:,} columns; {MOST_COLUMNS:,} are read at most")
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    declared = sum(group.total_byte_size for group in groups)
    unpacked = metadata.num_rows * metadata.num_columns * 8  # runs of one value take next to nothing in the file
    check_sizes(str(path), max(declared, unpacked), stored, MOST_BYTES)


def _numeric(pyarrow: Any, kind: Any) -> bool:
    types = pyarrow.types
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _numeric(pyarrow, kind.value_type)
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _array(pyarrow: Any, column: Any, what: str) -> np.ndarray:
    """A column as (R,) or (R, width); DataFileError where rows are missing or of several lengths."""
    if column.null_count:
        raise DataFileError(f"{what} has {column.null_count:,} empty entries; fill or drop these rows")
    column, widths = column.combine_chunks(), []
    while not (pyarrow.types.is_primitive(column.type) or pyarrow.types.is_boolean(column.type)):
        inner = column.flatten()
        rows = len(column)
        width = len(inner) // rows if rows else 0
        lengths = np.asarray(pyarrow.compute.list_value_length(column)) if rows else np.zeros(0)
        if rows and (lengths != width).any():
            raise DataFileError(f"{what} has lists of several lengths; each row must hold as many numbers")
        if inner.null_count:
            raise DataFileError(f"{what} has {inner.null_count:,} empty entries; fill or drop these rows")
        widths.append(width)
        column = inner
    array = np.asarray(column.to_numpy(zero_copy_only=False))
    return array.reshape(-1, *widths) if widths else array


def _one(table: Arrays, wanted: str, usual: tuple[str, ...], role: str, source: str) -> str:
    if wanted:
        if wanted not in table:
            raise DataFileError(f"{source}: has no column of numbers {shown(wanted)} (--{role}); it has {_list(table)}")
        return wanted
    return next((name for name in usual if name in table), "")


def _several(
    table: Arrays, wanted: tuple[str, ...], pattern: re.Pattern[str], taken: set[str], role: str, source: str
) -> tuple[str, ...]:
    missing = [name for name in wanted if name not in table]
    if missing:
        raise DataFileError(f"{source}: has no column of numbers {shown(missing[0])} (--{role}); it has {_list(table)}")
    found = [name for name in wanted or table if wanted or (pattern.fullmatch(name) and name not in taken)]
    if not found:
        raise DataFileError(f"{source}: no column looks like {role}; name them: --{role} a b c. It has {_list(table)}")
    return tuple(found if wanted else sorted(found, key=_natural))


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sorts numbers in names by their size."""
    return [(piece.isdigit(), int(piece) if piece.isdigit() else 0, piece) for piece in re.split(r"(\d{1,9})", name)]


def _wide(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1).astype(np.float64)


def _flat(table: Arrays, name: str, source: str) -> np.ndarray:
    array = table[name]
    if array.size != len(array):
        raise DataFileError(f"{source}: column {shown(name)} has several numbers a row; it must have one")
    return array.reshape(-1)


def _list(table: Arrays) -> str:
    return ", ".join(shown(name) for name in list(table)[:30]) + (" …" if len(table) > 30 else "")
