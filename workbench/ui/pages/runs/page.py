"""The page of runs: the store as a list; filter, sort, compare, delete with undo; sweeps and reports."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import panel as pn

from workbench.experiments.owners import Owners
from workbench.experiments.row import Row
from workbench.experiments.store import Store
from workbench.plots.markup import html
from workbench.report.page import write_report
from workbench.ui.controls.notice import STYLE as WORDS
from workbench.ui.controls.notice import number_pane, numbers
from workbench.ui.pages.runs.filters import Filters
from workbench.ui.pages.runs.form import SweepForm
from workbench.ui.pages.runs.rights import Rights
from workbench.ui.pages.runs.selection import Selection
from workbench.ui.pages.runs.table import RunsTable, read_sort, write_sort
from workbench.ui.pages.runs.trash import Trash
from workbench.ui.pages.store_page import StorePage, StoreReading
from workbench.ui.server.fault import told
from workbench.ui.server.lab import one_user, sweeps
from workbench.ui.server.parts_cache import CACHE, Cache
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.toolbar import Export, Stop
from workbench.views import snippets
from workbench.views.runs import Filter, as_csv, count_of, find_keys, line_of, newest_task, read_filter, summary

ALIVE = 3.0  # seconds between two readings while runs are in work: their signs of life change nothing of the store
HERE = Path(__file__).parent
EMPTY = "No runs yet.\nStart a small sweep in the form, or run workbench sweep … --store {where} in a terminal: they appear here."
NO_MATCH = "No run passes these filters. Clear the words, or choose another task, rule or status."


class RunsPage(StorePage):
    """One user's page of runs."""

    name: ClassVar[str] = "runs"
    title: ClassVar[str] = "Runs"
    layout: ClassVar[str] = sidebar({"details": "The selected runs"}, controls="Sweep and filters")
    style: ClassVar[str] = (HERE / "page.css").read_text(encoding="utf-8")
    tour: ClassVar[tuple[Stop, ...]] = (
        Stop(".wb-sweep", "Start a sweep", "It goes on when you close this page; what is done is never done twice."),
        Stop(".wb-filter-text", "Find runs", "Words of rule, settings, seed or error; all must be there."),
        Stop(".wb-runs", "The store", "Click a heading to sort, a run to see it, and several boxes to compare them."),
        Stop(
            ".wb-slot-details", "What a run is", "Its settings, versions, results, and the command that does it again."
        ),
    )

    def __init__(self, arguments: Mapping[str, str], cache: Cache = CACHE) -> None:
        super().__init__(arguments, cache)
        self.rows: list[Row] = []
        self.shown: list[Row] = []
        self.wanted = _keys_of(arguments)
        self._read_at = 0.0
        self._known = False  # whether the store has been read
        nothing: tuple[list[Row], int] = ([], 0)
        self._reading = StoreReading(
            self, lambda store: nothing if store is None else self._read(store), self._show_rows
        )
        self.rights = Rights(one_user(), lambda: str(self.owner.secret))
        self.owner.param.watch(lambda _: self._known_owner(), "secret")
        self._head = number_pane("<h2>Runs</h2>")
        self.table = RunsTable(
            lambda button: self.trash.press(button),
            sort=read_sort(arguments.get("sort", "")),
            sizing_mode="stretch_both",
            margin=0,
            css_classes=["wb-runs"],
        )
        self.trash = Trash(self, self.table, self.rights)
        self.details = Selection(self)
        self.form = SweepForm(lambda: self._try(self._start), lambda: self._try(self._cancel))
        self.sharing = pn.widgets.Checkbox(
            label="Others may delete my runs", visible=not self.rights.anybody, margin=0, css_classes=["wb-sharing"]
        )
        self.binding.bind(lambda event: self.do(lambda: self._share(event.new)), self.sharing)
        self.filters = Filters(read_filter(arguments))
        self.binding.bind(self._filtered, self.filters)
        self.table.param.watch(lambda _: self._selected(), "selected")
        self.table.param.watch(lambda _: self.changed(), "sort")
        self.look()
        self.keep_looking()

    def panels(self) -> Mapping[str, Any]:
        """Form and filters; the table; what is selected."""
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": 0}
        heads = [
            HTML(html("<h2>{}</h2>", text), stylesheets=[WORDS], margin=(0, 0, 5, 0))
            for text in ("Start a sweep", "Filter")
        ]
        heads[1].margin = (10, 0, 5, 0)
        return {
            "controls": pn.Column(self.owner, heads[0], self.form, self.sharing, heads[1], self.filters, **wide),
            "main": pn.Column(
                self.notice,
                self._head,
                self.table,
                sizing_mode="stretch_both",
                margin=0,
                min_height=440,
                styles={"position": "relative"},
            ),
            "details": self.details,
        }

    def state(self) -> dict[str, Any]:
        """Filters, order and selection."""
        keys = list(self.table.selected) if self._known else self.wanted
        chosen = {"run": ",".join(keys[:50])} if keys else {}
        sort = write_sort(self.table.sort)
        wanted: Filter = self.filters.value
        return wanted.as_link() | ({} if sort == "-finished" else {"sort": sort}) | chosen

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Set filters, order and selection as the link says."""
        self.wanted = _keys_of(arguments)
        self.table.sort = read_sort(arguments.get("sort", ""))
        with self.binding.by_program():
            self.filters.set(read_filter(arguments))
        self._apply()
        self.table.choose(self._find(self.wanted))

    def code(self) -> str:
        """The same list, and the comparison of what is selected."""
        done = {row.key for row in self.rows if row.status == "done"}
        keys = [key for key in self.table.selected if key in done]
        return snippets.runs(str(sweeps().folder), self.filters.value, keys)

    def exports(self) -> tuple[Export, ...]:
        """The report of the whole store; the rows that are shown."""
        return (
            Export("Report, one HTML page", "report.html", "text/html", _report),
            Export("CSV, the runs shown", "runs.csv", "text/csv", lambda: as_csv(self.shown)),
        )

    def close(self) -> None:
        """Forget what waits; a sweep goes on."""
        self._reading.drop()
        self.details.drop()

    # Controls

    def follow(self) -> None:
        """Say how far a sweep is."""
        self.form.follow(sweeps().state())

    def _try(self, action: Callable[[], object]) -> None:
        """As `do`; but a refusal stands in the form, not over the table."""
        with self.held():
            self.form.refuse("")
            try:
                action()
            except Exception as error:  # a refusal in its words, a fault as one
                self.form.refuse(told(error))
            self.follow()

    def _start(self) -> None:
        sweeps().start(self.secret(), self.form.grid())

    def _cancel(self) -> None:
        sweeps().cancel(self.secret(), anybody=self.rights.anybody)

    def _known_owner(self) -> None:
        """The browser has said who it is: on a shared server it sees whether it shares, and what it may put back."""
        if not self.rights.anybody:
            store = sweeps().found()
            with self.binding.by_program():
                self.sharing.value = store is not None and Owners(store).shares(self.owner.secret)
            self._reading.forget()

    def _share(self, shared: bool) -> None:
        Owners(sweeps().store()).share(self.secret(), shared)

    # The store

    def look(self) -> None:
        """Read the store again when something of it has changed, and say how far a sweep is."""
        working = any(row.status == "running" for row in self.rows) and time.monotonic() - self._read_at > ALIVE
        try:
            if self._reading.look(anyway=working):
                self._read_at = time.monotonic()
        except Exception as error:  # a refusal in its words, a fault as one
            self.table.empty = f"The store could not be opened. {told(error)}"
            return
        self.follow()

    def _read(self, store: Store) -> tuple[list[Row], int]:
        return store.rows(), len(self.rights.in_trash(store))

    def _show_rows(self, found: tuple[list[Row], int]) -> None:
        self.table.away = found[1]
        if found[0] == self.rows and self._known:
            return
        before = {row.key: row for row in self.rows}
        self.rows = found[0]
        self.filters.offer(self.rows)
        self._apply()
        now = {row.key: row for row in self.rows}
        if not self._known:
            self._known = True
            self.form.propose(newest_task(self.rows))
            self.table.choose(self._find(self.wanted))
            self.changed()
        elif any(before.get(key) != now.get(key) for key in self.table.selected):
            self._selected()

    def _filtered(self, _: Any) -> None:
        with self.held():
            self._apply()
            keys = {row.key for row in self.shown}
            self.table.choose([key for key in self.table.selected if key in keys])
            self.changed()

    def _apply(self) -> None:
        """Send the rows that pass the filters."""
        self.shown = [row for row in self.rows if self.filters.value(row)]
        where, begun = sweeps().folder, sum(row.status != "planned" for row in self.rows)
        unfiltered = self.filters.value == Filter()
        self.table.param.update(
            rows=[line_of(row) for row in self.shown],
            words=count_of(self.rows, self.shown),
            empty=NO_MATCH if begun or not unfiltered else EMPTY.format(where=where),
        )
        head = numbers(*summary(self.rows, self.shown, where), [])
        if head != self._head.object:
            self._head.object = head

    def _find(self, beginnings: list[str]) -> list[str]:
        """The whole keys that begin so; says which there are not."""
        keys, missing = find_keys(self.rows, beginnings)
        if missing:
            self.notice.say(
                "hint", f"Not in this store: run {', '.join(missing)}. It was deleted, or lies in another store."
            )
        return keys

    def _selected(self) -> None:
        if self._known:
            self.changed()
        places = {key: number for number, key in enumerate(self.table.selected)}
        self.details.present(sorted((row for row in self.rows if row.key in places), key=lambda row: places[row.key]))


def _report() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        (path,) = write_report(sweeps().store(), Path(folder) / "report.html")
        return path.read_bytes()


def _keys_of(arguments: Mapping[str, str]) -> list[str]:
    words = arguments.get("run", "").lower().split(",")
    return list(dict.fromkeys(word for word in words if word.isalnum() and len(word) <= 40))[:50]
