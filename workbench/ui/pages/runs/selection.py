"""The card below the list: what is known of the selected runs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from workbench.experiments.row import Row
from workbench.plots.markup import html
from workbench.ui.controls.notice import STYLE as WORDS
from workbench.ui.controls.notice import numbers
from workbench.ui.pages.runs.details import describe
from workbench.ui.server.fault import told
from workbench.ui.server.lab import sweeps
from workbench.ui.server.parts_cache import Latest
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.page import Page

log = logging.getLogger(__name__)
STYLE = (Path(__file__).parent / "details.css").read_text(encoding="utf-8")
NOTHING = html(
    "<h2>Nothing selected</h2><p>Select a run to see what it is and how to do it again; "
    "select two or more to compare them.</p>"
)


class Selection(HTML):
    """Describes runs in a worker thread, and shows the newest description.

    Parameters
    ----------
    page : Page
    """

    def __init__(self, page: Page) -> None:
        super().__init__(NOTHING, stylesheets=[WORDS, STYLE], margin=0, sizing_mode="stretch_width")
        self._rows: tuple[Row, ...] = ()
        self._latest: Latest[tuple[Row, ...], str] = Latest(_describe, page.later(self._receive))

    def present(self, rows: Sequence[Row]) -> None:
        """Describe ``rows``: one in full, several side by side."""
        self._rows = tuple(rows)
        if rows:
            self._latest.ask(self._rows)
        else:
            self._latest.drop()
            self._put(NOTHING)

    def drop(self) -> None:
        """Forget what waits."""
        self._latest.drop()

    def _receive(self, rows: tuple[Row, ...], description: str | None, error: Exception | None) -> None:
        if rows != self._rows:
            return
        if description is None:
            log.info("runs could not be described: %s", error)
            description = numbers("These runs could not be read", told(error), [])
        self._put(description)

    def _put(self, description: str) -> None:
        if description != self.object:
            self.object = description


def _describe(rows: tuple[Row, ...]) -> str:
    return describe(sweeps().store(), rows)
