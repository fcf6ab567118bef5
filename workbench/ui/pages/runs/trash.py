"""Deleting runs, taking that back, and putting back what was deleted earlier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.ui.pages.runs.rights import Rights
from workbench.ui.pages.runs.table import RunsTable
from workbench.ui.pages.store_page import StorePage
from workbench.ui.server.fault import told
from workbench.ui.server.lab import sweeps
from workbench.ui.server.parts_cache import Latest


class Trash:
    """What the list's buttons do; the store is changed in a worker thread.

    Parameters
    ----------
    page : StorePage
        It looks at the store again afterwards, and says what went wrong.
    table : RunsTable
    rights : Rights
    """

    def __init__(self, page: StorePage, table: RunsTable, rights: Rights) -> None:
        self._page, self._table, self._rights = page, table, rights
        self._newest: list[str] = []  # what was deleted last, by its name in the trash

    def press(self, button: str) -> None:
        """Do what a button says: "delete" what is selected, "undo" the last deletion, or put everything "back"."""
        if button == "delete":
            keys = list(self._table.selected)
            self._in_background(lambda: self._rights.put_away(sweeps().store(), keys), self._deleted)
        else:
            names = list(self._newest) if button == "undo" else None
            self._in_background(lambda: self._put_back(names), self._restored)

    def _put_back(self, names: list[str] | None) -> tuple[int, int]:
        store = sweeps().store()
        wanted = self._rights.in_trash(store) if names is None else names
        return len(store.put_back(wanted)), len(wanted)

    def _in_background(self, work: Callable[[], Any], show: Callable[[Any, Exception | None], None]) -> None:
        """Every one of these is done, unlike the questions of one `Latest`, of which only the newest is answered."""
        deliver = self._page.later(show)
        task: Latest[None, Any] = Latest(lambda _: work(), lambda _, done, error: deliver(done, error))
        task.ask(None)

    def _deleted(self, names: list[str] | None, error: Exception | None) -> None:
        if names is None:
            self._page.notice.say("error", f"Nothing was deleted. {told(error)}")
            return
        self._newest = names
        self._page.notice.say("", "")
        with self._page.held():
            self._table.choose([])
            self._page.look()
        count = f"{len(names)} runs" if len(names) != 1 else "1 run"
        self._table.toast(f"{count} deleted." if names else "Planned runs have nothing to delete.", bool(names))

    def _restored(self, counts: tuple[int, int] | None, error: Exception | None) -> None:
        if counts is None:
            self._page.notice.say("error", f"The runs could not be put back. {told(error)}")
            return
        self._page.look()
        restored, wanted = counts
        more = f" {wanted - restored} stayed in the trash: done again in the meantime." if wanted > restored else ""
        self._table.toast(f"{restored} put back.{more}")
