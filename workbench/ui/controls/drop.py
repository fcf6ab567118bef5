"""A place where a visitor drops or chooses files, which are written to disk as they come, within limits."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from workbench.engine.words import UserError, refusal
from workbench.runs.bring import MOST_BYTES, Shelf, Upload
from workbench.ui.browser.link import component

HERE = Path(__file__).parent
SHELF = Shelf()  # of all pages of this process


class Drop(JSComponent):
    """Buttons for files and for a folder, a place to drop them, and words below.

    Parameters
    ----------
    received : callable
        ``received(upload)`` when everything was sent; who gets it closes it.
    cancelled : callable
        The visitor pressed Cancel, or Remove.
    """

    label = param.String(default="Drop files or a folder here, or choose them")
    accept = param.String(default="")
    limit = param.Integer(default=MOST_BYTES, doc="Bytes, all files together.")
    folders = param.Boolean(default=True, doc="Whether whole folders are taken.")
    words = param.String(default="")
    wrong = param.Boolean(default=False, doc="Whether the words say what went wrong.")
    busy = param.Boolean(default=False, doc="What was sent is being worked on; Cancel is offered.")
    holds = param.Boolean(default=False, doc="There is something that was sent; Remove is offered.")

    _esm = component(HERE / "drop.js")
    _stylesheets = [(HERE / "drop.css").read_text(encoding="utf-8")]

    def __init__(self, received: Callable[[Upload], None], cancelled: Callable[[], None], **params: Any) -> None:
        super().__init__(**params)
        self._received, self._cancelled = received, cancelled
        self._upload: Upload | None = None
        self._expected = self._whole = 0

    def say(self, words: str, wrong: bool = False, busy: bool = False) -> None:
        """Show ``words`` below the buttons."""
        self.param.update(words=words, wrong=wrong, busy=busy)
        self.param.trigger("words")  # the browser may have shown words of its own since

    def go(self, to: str) -> None:
        """Lead the browser to another page of this server."""
        self._send_msg({"kind": "go", "to": to})

    def drop(self) -> None:
        """Forget what is being sent."""
        if self._upload is not None:
            self._upload.close()
        self._upload = None

    def _handle_msg(self, data: Any) -> None:
        if not isinstance(data, dict):
            return
        if data.get("cancel"):
            self.drop()
            self.holds = False
            self.say("Removed; nothing of it is kept.")
            self._cancelled()
            return
        if isinstance(data.get("begin"), int):
            self.drop()
            self._expected, self._whole = data["begin"], 0
            self._upload = SHELF.open(self.limit)
            return
        name, content = data.get("name"), data.get("data")
        if not isinstance(name, str) or not isinstance(content, str) or self._upload is None:
            return
        try:
            self._upload.add(name, base64.b64decode(content, validate=True))
        except (UserError, OSError, binascii.Error) as error:
            self.drop()
            self._send_msg({"kind": "stop"})
            words = "a piece of it came damaged; send it again" if isinstance(error, binascii.Error) else refusal(error)
            self.say(f"This was not taken: {words}", wrong=True)
            return
        self._whole += bool(data.get("last"))
        if self._whole == self._expected:
            upload, self._upload = self._upload, None
            self._received(upload)
        self._send_msg({"kind": "took"})
