"""Which columns of a file somebody may choose: names alone are read, and no rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from workbench.engine.data.columns import DataFileError
from workbench.engine.data.formats.lerobot import INFO, PICTURES, Info, is_lerobot
from workbench.engine.data.formats.native import is_hdf5
from workbench.engine.data.formats.robomimic import is_robomimic, observed
from workbench.engine.data.formats.tables import SUFFIXES, USUAL, numeric_columns
from workbench.engine.data.formats.zarr_store import is_zarr, rows_in
from workbench.engine.data.records import checked, read_json
from workbench.engine.words import UserError

Choices = Mapping[str, tuple[str, ...]]  # names by the field of `ColumnNames`
WIDE = ("observations", "actions")


def choices_of(path: Path) -> Choices:
    """What may be named for each role; nothing for formats that name their columns themselves.

    Raises
    ------
    DataFileError
        The file cannot be read.
    ImportError
        An optional package is missing.
    """
    if is_lerobot(path):
        try:
            info = checked(Info, read_json(path / INFO))
        except (OSError, UserError) as error:
            raise DataFileError(f"{path / INFO}: {error}; copy the whole dataset again") from None
        names = tuple(name for name, feature in info.features.items() if feature.dtype not in PICTURES)
        return dict.fromkeys((*WIDE, "reward"), names)
    if is_zarr(path):
        return dict.fromkeys((*WIDE, "reward", "terminal"), rows_in(path))
    if is_hdf5(path) and is_robomimic(path):
        return {"observations": observed(path)}
    if path.is_file() and path.suffix in SUFFIXES:
        return dict.fromkeys((*WIDE, *USUAL), numeric_columns(path))
    return {}
