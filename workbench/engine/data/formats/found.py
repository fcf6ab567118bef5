"""What a door found in a file or folder: the columns of the data, and what a reader should know about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.engine.data.columns import Arrays

MOST_BYTES = 16 * 2**30  # of a dataset in memory


@dataclass(frozen=True)
class ColumnNames:
    """Which columns hold what, where the names in the file do not say so.

    Attributes
    ----------
    observations, actions : tuple of str
        Names of columns or entries, in this order; empty to go by the format's own names.
    reward, terminal, timeout, episode : str
        One column each; "" to go by the format's own name.
    """

    observations: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    reward: str = ""
    terminal: str = ""
    timeout: str = ""
    episode: str = ""


@dataclass(frozen=True)
class Found:
    """Data as they are stored, before anything is checked or scaled.

    Attributes
    ----------
    format : str
        Such as "robomimic HDF5".
    columns : dict
        As `workbench.engine.data.columns` describes: ``observations`` (R, S), ``actions`` (R, D), ``rewards``,
        ``terminals``, ``timeouts`` or ``ends``, ``next_observations``.
    names : dict
        What the columns of observations and actions are called in the file.
    picture : tuple of int
        (H, W, C) where observations are pictures: they are not among the columns, whose ``observations`` are empty.
    notes : tuple of str
        What is left out, and what had to be assumed; a sentence each.
    """

    format: str
    columns: Arrays
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    picture: tuple[int, ...] = ()
