"""The list of runs in the browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from workbench.ui.browser.link import component

HERE = Path(__file__).parent
COLUMNS = ("key", "status", "task", "rule", "settings", "seed", "mean", "low", "shift", "gap", "finished")


class RunsTable(JSComponent):
    """Rows that are sorted and selected in the browser.

    Parameters
    ----------
    pressed : callable
        ``pressed(what)`` with "delete" (the selected rows) or "back" (all that was deleted).
    """

    rows = param.List(default=[], doc="What `rows.line_of` makes, in any order.")
    selected = param.List(default=[], doc="Keys; the browser changes it.")
    sort = param.List(default=["finished", False], doc="Column, and whether ascending; the browser changes it.")
    words = param.String(default="", doc="How many there are.")
    empty = param.String(default="Reading the store…", doc="What to say where there are no rows.")
    away = param.Integer(default=0, doc="How many deleted runs can be put back.")

    _esm = component(HERE / "table.js")
    _stylesheets = [(HERE / "table.css").read_text(encoding="utf-8")]

    def __init__(self, pressed: Callable[[str], None], **params: Any) -> None:
        super().__init__(**params)
        self._pressed = pressed

    def _handle_msg(self, data: Any) -> None:
        if isinstance(data, dict) and data.get("press") in ("delete", "back"):
            self._pressed(data["press"])

    def choose(self, keys: list[str]) -> None:
        """Select the rows of these keys, and no others."""
        if keys != list(self.selected):
            self.selected = keys


def read_sort(text: str) -> list[Any]:
    """The order in a link: a column, with ``-`` in front when descending; what is no column is the default."""
    name = text.removeprefix("-")
    return [name, not text.startswith("-")] if name in COLUMNS else list(RunsTable.sort)


def write_sort(sort: list[Any]) -> str:
    """The inverse of `read_sort`."""
    return f"{'' if sort[1] else '-'}{sort[0]}"
