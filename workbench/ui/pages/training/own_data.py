"""A dataset file for a training: tried on the chosen task as soon as it is sent, so that Start begins what can end well."""

from __future__ import annotations

import panel as pn

from workbench.engine.words import UserError
from workbench.runs.bring import Errand, Upload
from workbench.ui.controls.drop import Drop

LIMIT = 15 * 2**20


class OwnData(pn.viewable.Viewer):
    """A place for the file, and words below: whether it fits the task, and if not, why and what to do."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = Drop(
            self._received,
            self._forget,
            label="Your own data: a .npz file of this task",
            accept=".npz",
            limit=LIMIT,
            folders=False,
            margin=(0, 0, 8, 0),
            sizing_mode="stretch_width",
            css_classes=["wb-own-data"],
        )
        self._task = ""
        self._upload: Upload | None = None
        self._errand: Errand | None = None
        self._wrong = ""

    def follow(self, task: str) -> None:
        """The file is for ``task``: it is tried on it, if there is one; a task of recorded data takes none."""
        self.drop.visible = not task.startswith("data/")
        if task != self._task:
            self._task = task
            self._try()

    def look(self) -> None:
        """Ask how far the trial is."""
        if self._errand is None or self._errand.look() != "done":
            return
        errand, self._errand = self._errand, None
        try:
            there = errand.answer()
        except UserError as error:
            self._wrong = str(error)
            self.drop.say(f"This file is not taken: {error}", wrong=True)
        else:
            assert self._upload is not None
            self.drop.say(
                f"{self._upload.path().name}: {there['rows']:,} rows, {there['episodes']:,} episodes; Start trains on it."
            )

    def content(self) -> bytes | None:
        """The file that was tried and fits; None where there is none, or the task brings its own.

        Raises
        ------
        UserError
            It is still being tried, or was refused.
        """
        if self._upload is None or self._task.startswith("data/"):
            return None
        if self._errand is not None:
            raise UserError("your data file is still being checked; try again in a second, or press Cancel")
        if self._wrong:
            raise UserError(f"your data file is not taken: {self._wrong}. Choose another, or press Remove")
        return self._upload.path().read_bytes()

    def close(self) -> None:
        """Forget the file."""
        self.drop.drop()
        self._forget()

    def _received(self, upload: Upload) -> None:
        self._forget()
        self._upload, self.drop.holds = upload, True
        self._try()

    def _try(self) -> None:
        if self._errand is not None:
            self._errand.cancel()
            self._errand = None
        if self._upload is None or self._task.startswith("data/"):
            return
        self._wrong = ""
        self.drop.say("Checked against the task…", busy=True)
        order = {"do": "fits", "path": str(self._upload.path()), "task": self._task}
        self._errand = Errand(order, {self._upload.folder: ""})

    def _forget(self) -> None:
        if self._errand is not None:
            self._errand.cancel()
            self._errand = None
        if self._upload is not None:
            self._upload.close()
        self._upload, self._wrong = None, ""

    def __panel__(self) -> pn.viewable.Viewable:
        return self.drop
