"""Deleting runs, taking that back, and putting back what was deleted earlier."""

from __future__ import annotations

from workbench.engine.words import counted
from workbench.ui.pages.runs.rights import Rights
from workbench.ui.pages.runs.table import RunsTable
from workbench.ui.pages.store_page import StorePage
from workbench.ui.server.fault import told
from workbench.ui.server.lab import sweeps


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

    def press(self, button: str) -> None:
        """Do what a button says: "delete" what is selected, or put everything "back" that was deleted."""
        if button == "delete":
            keys = list(self._table.selected)
            self._page.in_background(lambda: self._rights.put_away(sweeps().store(), keys), self._deleted)
        else:
            self._put_back(None)

    def _put_back(self, names: list[str] | None) -> None:
        def work() -> tuple[int, int]:
            store = sweeps().store()
            wanted = self._rights.in_trash(store) if names is None else names
            return len(store.put_back(wanted)), len(wanted)

        self._page.in_background(work, self._restored)

    def _deleted(self, names: list[str] | None, error: Exception | None) -> None:
        if names is None:
            self._page.notice.say("error", f"Nothing was deleted. {told(error)}")
            return
        self._page.notice.say("", "")
        with self._page.held():
            self._table.choose([])
            self._page.look()
        if names:
            self._page.offer_undo(f"{counted(len(names), 'run')} deleted.", lambda: self._put_back(names))
        else:
            self._page.toolbar.tell("Planned runs have nothing to delete.")

    def _restored(self, counts: tuple[int, int] | None, error: Exception | None) -> None:
        if counts is None:
            self._page.notice.say("error", f"The runs could not be put back. {told(error)}")
            return
        self._page.look()
        restored, wanted = counts
        more = f" {wanted - restored} stayed in the trash: done again in the meantime." if wanted > restored else ""
        self._page.toolbar.tell(f"{counted(restored, 'run')} put back.{more}")
