"""The buttons of the header: undo, redo, copy link, copy as code, export, tour. They also own the address bar."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import param
from panel.custom import JSComponent

from workbench.ui.browser.link import component

HERE = Path(__file__).parent


class Stop(NamedTuple):
    """One stop of a guided tour: what it points at (a CSS selector), a heading, and a sentence or two."""

    target: str
    title: str
    text: str


@dataclass(frozen=True)
class Export:
    """One line of the export menu.

    Attributes
    ----------
    label : str
        As in "PNG picture".
    filename : str
    mime : str
    make : callable
        ``make() -> bytes``, called in a worker thread; UserError is told to the user in its own words.
    """

    label: str
    filename: str
    mime: str
    make: Callable[[], bytes]


class Toolbar(JSComponent):
    """The header's buttons. The browser sends what was pressed; the server answers with code or a file."""

    address = param.String(default="", doc="Query string of what is shown; the browser writes it into the address bar.")
    can = param.Dict(default={"undo": False, "redo": False}, doc="Whether there is something to undo, and to redo.")
    exports = param.List(default=[], doc="Labels of the export menu.")
    tour = param.List(default=[], doc="Stops: target, title, text.")
    codes = param.Boolean(default=True, doc="Whether the page can be copied as code.")

    _esm = component(HERE / "toolbar.js")
    _stylesheets = [(HERE / "toolbar.css").read_text(encoding="utf-8")]

    def __init__(self, pressed: Callable[[dict[str, Any]], None], **params: Any) -> None:
        super().__init__(**params)
        self._pressed = pressed

    def _handle_msg(self, data: Any) -> None:
        if isinstance(data, dict) and isinstance(data.get("press"), str):
            self._pressed(data)

    def show_code(self, code: str) -> None:
        """Open the dialog with ``code`` and put it on the clipboard."""
        self._send_msg({"kind": "code", "code": code})

    def hand_over(self, export: Export, content: bytes) -> None:
        """Let the browser save a file."""
        data = base64.b64encode(content).decode("ascii")
        self._send_msg({"kind": "file", "name": export.filename, "mime": export.mime, "data": data})

    def draw(self, kind: str, filename: str, rows: list[list[str]]) -> None:
        """Let the browser draw the figures with the ids in ``rows`` as a "png" or an "svg", and save it."""
        self._send_msg({"kind": "draw", "type": kind, "name": filename, "rows": rows})

    def tell(self, text: str, undo: bool = False) -> None:
        """Say something for some seconds, as when an export failed; with an Undo button where there is something to undo."""
        self._send_msg({"kind": "tell", "text": text, "undo": undo})
