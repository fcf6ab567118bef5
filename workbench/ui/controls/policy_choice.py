"""The list of policies on a page: built-in tasks, runs of the store, and a checkpoint of the user's own."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import panel as pn
import param
from panel.custom import JSComponent

from workbench.engine.words import UserError, counted
from workbench.ui.browser.link import component
from workbench.ui.controls.rule import choice
from workbench.ui.shell.binding import Binding
from workbench.views.policies import LIMIT, UPLOAD, find, listed, upload

HERE = Path(__file__).parent
MINE = "upload"  # the list's last entry: it opens the button
ASK = "A run's run.json and its .safetensors file, both at once; only this browser's link leads to it."


class Upload(JSComponent):
    """A button for a checkpoint's files, and words below it.

    Parameters
    ----------
    received : callable
        ``received(files)`` with the content by file name.
    """

    label = param.String(default="Choose the files of a checkpoint…")
    accept = param.String(default=".json,.safetensors")
    limit = param.Integer(default=LIMIT, doc="Bytes, all files together.")
    words = param.String(default=ASK)
    wrong = param.Boolean(default=False, doc="Whether the words say what went wrong.")

    _esm = component(HERE / "upload.js")
    _stylesheets = [(HERE / "upload.css").read_text(encoding="utf-8")]

    def __init__(self, received: Callable[[Mapping[str, bytes]], None], **params: Any) -> None:
        super().__init__(**params)
        self._received = received
        self._files: dict[str, bytearray] = {}
        self._expected = self._whole = 0

    def say(self, words: str, wrong: bool = False) -> None:
        """Show ``words`` below the button."""
        self.param.update(words=words, wrong=wrong)
        self.param.trigger("words")  # the browser may have shown words of its own since

    def _handle_msg(self, data: Any) -> None:
        if not isinstance(data, dict):
            return
        if isinstance(data.get("begin"), int):
            self._files, self._expected, self._whole = {}, data["begin"], 0
            return
        name, content = data.get("name"), data.get("data")
        if not isinstance(name, str) or not isinstance(content, str):
            return
        try:
            piece = base64.b64decode(content, validate=True)
        except binascii.Error:
            return
        self._files.setdefault(name[:200], bytearray()).extend(piece)
        if sum(map(len, self._files.values())) > self.limit:
            self._files = {}
            self.say(f"The files have more than {self.limit >> 20} MiB.", wrong=True)
        elif data.get("last"):
            self._whole += 1
            if self._whole == self._expected:
                files, self._files = {key: bytes(content) for key, content in self._files.items()}, {}
                self._received(files)


class PolicyChoice(pn.viewable.Viewer):
    """A list of sources (`workbench.views.policies`) whose last entry asks for a checkpoint.

    Attributes
    ----------
    value : str
        Name of the chosen source; always one that can be used.
    more : Viewable
        What a page places below the list: the button for files, and why a choice cannot be used.
    """

    value = param.String()

    def __init__(self, value: str, tasks: Sequence[str], most_dims: int) -> None:
        super().__init__(value=value)
        self._tasks, self._most = tasks, most_dims
        self._source = find(value)  # held: an upload stays usable while a page shows it
        names = listed(most_dims, tasks, value) | {"Upload a checkpoint…": MINE}
        self.list = choice("Task", names, value, css_classes=["wb-task"])
        self.upload = Upload(self._uploaded, sizing_mode="stretch_width", margin=0)
        self.more = pn.Column(margin=0, sizing_mode="stretch_width", visible=False)
        self._binding = Binding()
        self._binding.bind(self._chosen, self.list)
        self.param.watch(self._follow, "value")

    def _chosen(self, event: Any) -> None:
        if event.new == MINE:
            self._ask(ASK)
            return
        try:
            find(event.new)
        except (UserError, OSError) as error:
            self._ask(str(error), wrong=True)
            return
        self.more.visible = False
        self.value = event.new

    def _ask(self, words: str, wrong: bool = False) -> None:
        self.upload.say(words, wrong)
        if not len(self.more):
            self.more.append(self.upload)  # most visits never need it
        self.more.visible = True

    def _uploaded(self, files: Mapping[str, bytes]) -> None:
        try:
            source = upload(files)
            dims = source.task.info.action_dim * (1 if source.run is None else source.run.config.chunk)
            if dims > self._most:
                raise UserError(
                    f"this policy acts with {counted(dims, 'number')}, this page draws {self._most}; try Landscape"
                )
        except (UserError, OSError) as error:
            self._ask(f"This checkpoint was not taken: {error}", wrong=True)
            return
        self.more.visible = False
        self.value = source.name

    def _follow(self, event: Any) -> None:
        """The list shows the value, which may be a link's or an upload."""
        self._source = find(event.new)
        with self._binding.by_program():
            if event.new not in self.list.options.values():
                first = {self._source.title: event.new} if event.new.startswith(UPLOAD) else {}
                names = listed(self._most, self._tasks, event.new) | first
                self.list.options = names | {"Upload a checkpoint…": MINE}
            self.list.value = event.new

    def __panel__(self) -> pn.viewable.Viewable:
        return self.list
