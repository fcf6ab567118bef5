"""The runs that a visitor imported: a list, where each can be looked at, and deleting one with undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn

from workbench.experiments.imported_runs import ImportedRun
from workbench.experiments.store import Store
from workbench.ui.controls.rule import STYLE, choice
from workbench.ui.pages.store_page import StorePage, StoreReading
from workbench.ui.server.fault import told
from workbench.ui.server.lab import sweeps
from workbench.views import imports

LOOK = "choose one"
NONE = "none yet"


class Imports(pn.viewable.Viewer):
    """The list and its button; hidden while there is nothing.

    Parameters
    ----------
    page : StorePage
        It says what is refused, and whose browser this is.
    anybody : bool
        The server is one person's: everything may be deleted.
    show : callable
        ``show(run)`` when one was chosen; None when it was deleted.
    """

    def __init__(self, page: StorePage, anybody: bool, show: Callable[[ImportedRun | None], None]) -> None:
        super().__init__()
        self._page, self._anybody, self._show = page, anybody, show
        self._runs: dict[str, ImportedRun] = {}
        self._reading = StoreReading(page, self._read, self._list)
        self.pick = choice("Your imported runs", {NONE: ""}, "", css_classes=["wb-imports-list"])
        options: dict[str, Any] = {
            "stylesheets": [STYLE],
            "margin": 0,
            "sizing_mode": "stretch_width",
            "disabled": True,
        }
        self.delete = pn.widgets.Button(label="Delete", css_classes=["wb-imports-delete"], **options)
        page.binding.bind(lambda event: self._picked(event.new), self.pick)
        self.delete.on_click(lambda _: page.do(self._delete))
        buttons = pn.Row(self.delete, sizing_mode="stretch_width", margin=(6, 0, 0, 0))
        self._place = pn.Column(
            self.pick,
            buttons,
            sizing_mode="stretch_width",
            margin=(14, 0, 0, 0),
            css_classes=["wb-imports"],
            visible=False,
        )

    def look(self) -> None:
        """Read the store again once it has changed, and the browser has told who it is."""
        if self._page.owner.secret:
            self._reading.look()

    def drop(self) -> None:
        """Forget what waits."""
        self._reading.drop()

    def _read(self, store: Store | None) -> list[ImportedRun]:
        return imports.deletable(store, str(self._page.owner.secret), self._anybody)

    def _list(self, found: list[ImportedRun]) -> None:
        self._runs = {run.name: run for run in found}
        with self._page.binding.by_program():
            before = self.pick.value
            self.pick.options = ({LOOK: ""} | imports.titles(found)) if found else {NONE: ""}
            self.pick.value = before if before in self._runs else ""
        self.delete.disabled = not self.pick.value
        self._place.visible = bool(found)

    def _picked(self, name: str) -> None:
        self.delete.disabled = not name
        if name in self._runs:
            self._show(self._runs[name])

    def _delete(self) -> None:
        name, secret = str(self.pick.value), self._page.secret()
        self._page.in_background(lambda: imports.delete(sweeps().store(), name, secret, self._anybody), self._deleted)

    def _deleted(self, names: list[str] | None, error: Exception | None) -> None:
        if names is None:
            self._page.notice.say("error", f"Nothing was deleted. {told(error)}")
            return
        self._page.notice.say("", "")
        self._show(None)
        self._again()
        self._page.toolbar.offer_undo("1 imported run deleted.", lambda: self._put_back(names))

    def _put_back(self, names: list[str]) -> None:
        self._page.in_background(lambda: sweeps().store().put_back(names), self._restored)

    def _restored(self, names: list[str] | None, error: Exception | None) -> None:
        if names is None:
            self._page.notice.say("error", f"The run could not be put back. {told(error)}")
            return
        self._again()
        words = (
            "1 imported run put back." if names else "It stayed in the trash: it was imported again in the meantime."
        )
        self._page.toolbar.tell(words)

    def _again(self) -> None:
        self._reading.forget()
        self.look()

    def __panel__(self) -> pn.viewable.Viewable:
        return self._place
