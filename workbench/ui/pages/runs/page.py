"""The page of runs: the store as a list; filter, sort, compare, delete with undo; sweeps and reports."""

from __future__ import annotations

import logging
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
from workbench.ui.controls.rule import STYLE, choice
from workbench.ui.pages.runs.details import describe
from workbench.ui.pages.runs.form import SweepForm
from workbench.ui.pages.runs.rights import Rights
from workbench.ui.pages.runs.table import RunsTable, read_sort, write_sort
from workbench.ui.pages.store_page import StorePage, StoreReading
from workbench.ui.server.lab import one_user, sweeps
from workbench.ui.server.parts_cache import CACHE, Cache, Latest
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.toolbar import Export, Stop
from workbench.views import snippets
from workbench.views.runs import STATUS, Filter, as_csv, line_of, read_filter

log = logging.getLogger(__name__)
ALIVE = 3.0  # seconds between two readings while runs are in work: their signs of life change nothing of the store
HERE = Path(__file__).parent
EMPTY = "No runs yet.\nStart a small sweep on the left, or run workbench sweep … --store {where} in a terminal: they appear here."
NOTHING = html(
    "<h2>Nothing selected</h2><p>Select a run to see what it is and how to do it again; "
    "select two or more to compare them.</p>"
)
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
        self.filter, self.wanted = read_filter(arguments), _keys_of(arguments)
        self._read_at = 0.0
        self._known = False  # whether the store has been read
        self._away: list[str] = []
        nothing: tuple[list[Row], int] = ([], 0)
        self._reading = StoreReading(self, self._read, nothing, self._show_rows)
        self._describes: Latest[tuple[Row, ...], str] = Latest(self._describe, self.later(self._show_details))
        self.rights = Rights(one_user(), lambda: str(self.owner.secret))
        self.owner.param.watch(lambda _: self._known_owner(), "secret")
        self._head = number_pane("<h2>Runs</h2>")
        self.table = RunsTable(
            self._act,
            sort=read_sort(arguments.get("sort", "")),
            sizing_mode="stretch_both",
            margin=0,
            css_classes=["wb-runs"],
        )
        self.details = HTML(
            "",
            stylesheets=[WORDS, (HERE / "details.css").read_text(encoding="utf-8")],
            margin=0,
            sizing_mode="stretch_width",
        )
        self.form = SweepForm(lambda: self.do(self._start), lambda: self.do(self._cancel))
        self.sharing = pn.widgets.Checkbox(
            label="Others may delete my runs", visible=not self.rights.anybody, margin=0, css_classes=["wb-sharing"]
        )
        self.binding.bind(lambda event: self.do(lambda: self._share(event.new)), self.sharing)
        self._make_filters()
        self.table.param.watch(lambda _: self._selected(), "selected")
        self.table.param.watch(lambda _: self.changed(), "sort")
        self._show_details((), NOTHING, None)
        self.look()
        self.keep_looking()

    def panels(self) -> Mapping[str, Any]:
        """Form and filters; the table; what is selected."""
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": 0}
        pair: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": (0, 0, 7, 0), "styles": {"gap": "8px"}}
        heads = [
            HTML(html("<h2>{}</h2>", text), stylesheets=[WORDS], margin=(0, 0, 5, 0))
            for text in ("Start a sweep", "Filter")
        ]
        heads[1].margin = (10, 0, 5, 0)
        filters = [pn.Row(self.text, **pair), pn.Row(self.task, self.rule, **pair), pn.Row(self.status, **pair)]
        return {
            "controls": pn.Column(self.owner, heads[0], self.form, self.sharing, heads[1], *filters, **wide),
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
        return self.filter.as_link() | ({} if sort == "-finished" else {"sort": sort}) | chosen

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Set filters, order and selection as the link says."""
        self.filter, self.wanted = read_filter(arguments), _keys_of(arguments)
        self.table.sort = read_sort(arguments.get("sort", ""))
        self._offer()
        self._apply()
        self._choose(self._find(self.wanted))

    def code(self) -> str:
        """The same list, and the comparison of what is selected."""
        done = {row.key for row in self.rows if row.status == "done"}
        keys = [key for key in self.table.selected if key in done]
        return snippets.runs(str(sweeps().folder), self.filter, keys)

    def exports(self) -> tuple[Export, ...]:
        """The report of the whole store; the rows that are shown."""
        return (
            Export("Report, one HTML page", "report.html", "text/html", self._report),
            Export("CSV, the runs shown", "runs.csv", "text/csv", lambda: as_csv(self.shown)),
        )

    def close(self) -> None:
        """Forget what waits; a sweep goes on."""
        self._reading.drop()
        self._describes.drop()

    # Controls

    def _make_filters(self) -> None:
        self.text = pn.widgets.TextInput(
            label="Words",
            placeholder="weight=0.3 seed=1",
            stylesheets=[STYLE],
            margin=0,
            sizing_mode="stretch_width",
            css_classes=["wb-filter-text"],
        )
        self.task = choice("Task", {"all": ""}, "", css_classes=["wb-filter-task"])
        self.rule = choice("Rule", {"all": ""}, "", css_classes=["wb-filter-rule"])
        self.status = choice("Status", STATUS, self.filter.status, css_classes=["wb-filter-status"])
        self._offer()
        self.binding.bind(self._filtered, self.text, to="value_input")
        self.binding.bind(self._filtered, self.task, self.rule, self.status)

    def _offer(self) -> None:
        """Lists of what there is, and the filter's own values; a value that there is not is kept and finds nothing."""
        with self.binding.by_program():
            for name in ("task", "rule"):
                widget, value = getattr(self, name), getattr(self.filter, name)
                found = sorted({getattr(row, name) for row in self.rows} | {value} - {""})
                options = {"all": ""} | {one: one for one in found if one}
                if options != widget.options:
                    widget.options = options
                widget.value = value
            self.status.value = self.filter.status
            if self.text.value_input != self.filter.text:
                self.text.param.update(value=self.filter.text, value_input=self.filter.text)

    def _filtered(self, _: Any) -> None:
        self.filter = Filter(self.task.value, self.rule.value, self.status.value, (self.text.value_input or "")[:200])
        with self.held():
            self._apply()
            keys = {row.key for row in self.shown}
            self._choose([key for key in self.table.selected if key in keys])
            self.changed()

    def follow(self) -> None:
        """Say how far a sweep is."""
        self.form.follow(sweeps().state())

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
        except (ValueError, OSError) as error:
            self.table.empty = f"The store could not be opened. {error}"
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
        self._offer()
        self._apply()
        now = {row.key: row for row in self.rows}
        if not self._known:
            self._known = True
            keys = self._find(self.wanted)
            self._choose(keys)
            self.changed()
        elif any(before.get(key) != now.get(key) for key in self.table.selected):
            self._selected()

    def _apply(self) -> None:
        """Send the rows that pass the filters."""
        self.shown = [row for row in self.rows if self.filter(row)]
        lines = [line_of(row) for row in self.shown]
        where = sweeps().folder
        begun = sum(row.status != "planned" for row in self.rows)
        empty = NO_MATCH if begun or self.filter != Filter() else EMPTY.format(where=where)
        words = (
            f"{len(lines)} of {len(self.rows)} runs"
            if len(lines) < begun or begun < len(lines)
            else f"{len(lines)} runs"
        )
        self.table.param.update(rows=lines, words=words, empty=empty)
        done = [row for row in self.shown if row.status == "done"]
        counts = {
            status: sum(row.status == status for row in self.rows)
            for status in ("done", "failed", "running", "planned", "damaged")
        }
        told = ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "empty"
        best = max(done, key=lambda row: row.returns["mean"] if row.returns else float("-inf"), default=None)
        title = f"Store {where.name}: {told}"
        subtitle = str(where)
        if best is not None and best.returns is not None:
            subtitle = (
                f"Highest return shown: {best.returns['mean']:.3f}, {best.label}, seed {best.seed}. "
                "The highest of many is flattered by luck; the report chooses and reports on different episodes."
            )
        html = numbers(title, subtitle, [])
        if html != self._head.object:
            self._head.object = html

    def _find(self, wanted: list[str]) -> list[str]:
        """The whole keys that the link's words begin; says which there are not."""
        keys, missing = [], []
        for word in wanted:
            found = [row.key for row in self.rows if row.key.startswith(word)]
            keys += found if len(found) == 1 else []
            missing += [] if len(found) == 1 else [word[:20]]
        if missing:
            self.notice.say(
                "hint", f"Not in this store: run {', '.join(missing)}. It was deleted, or lies in another store."
            )
        return keys

    def _choose(self, keys: list[str]) -> None:
        if keys != list(self.table.selected):
            self.table.selected = keys

    def _selected(self) -> None:
        if self._known:
            self.changed()
        chosen = {key: number for number, key in enumerate(self.table.selected)}
        rows = sorted((row for row in self.rows if row.key in chosen), key=lambda row: chosen[row.key])
        if rows:
            self._describes.ask(tuple(rows))
        else:
            self._describes.drop()
            self._show_details((), NOTHING, None)

    def _describe(self, rows: tuple[Row, ...]) -> str:
        return describe(sweeps().store(), rows)

    def _show_details(self, rows: tuple[Row, ...], html: str | None, error: Exception | None) -> None:
        if rows and {row.key for row in rows} != set(self.table.selected):
            return
        if html is None:
            log.info("runs could not be described: %s", error)
            html = numbers("These runs could not be read", str(error), [])
        if html != self.details.object:
            self.details.object = html

    # Deleting

    def _act(self, what: str) -> None:
        if what == "delete":
            keys = list(self.table.selected)
            self._in_background(lambda: self.rights.put_away(sweeps().store(), keys), self._deleted)
        else:
            names = list(self._away) if what == "undo" else None
            self._in_background(lambda: self._put_back(names), self._restored)

    def _put_back(self, names: list[str] | None) -> tuple[int, int]:
        store: Store = sweeps().store()
        wanted = self.rights.in_trash(store) if names is None else names
        return len(store.put_back(wanted)), len(wanted)

    def _in_background(self, what: Callable[[], Any], show: Callable[[Any, Exception | None], None]) -> None:
        """Every one of these is done, unlike `Latest`'s questions."""
        deliver = self.later(show)

        task: Latest[None, Any] = Latest(lambda _: what(), lambda _, done, error: deliver(done, error))
        task.ask(None)

    def _deleted(self, names: list[str] | None, error: Exception | None) -> None:
        if names is None:
            self.notice.say("error", f"Nothing was deleted. {error}")
            return
        self._away = names
        self.notice.say("", "")
        with self.held():
            self._choose([])
            self.look()
        count = f"{len(names)} runs" if len(names) != 1 else "1 run"
        self.table.toast(f"{count} deleted." if names else "Planned runs have nothing to delete.", bool(names))

    def _restored(self, counts: tuple[int, int] | None, error: Exception | None) -> None:
        if counts is None:
            self.notice.say("error", f"The runs could not be put back. {error}")
            return
        self.look()
        again = counts[1] - counts[0]
        more = f" {again} stayed in the trash: done again in the meantime." if again else ""
        self.table.toast(f"{counts[0]} put back.{more}")

    def _report(self) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            (path,) = write_report(sweeps().store(), Path(folder) / "report.html")
            return path.read_bytes()


def _keys_of(arguments: Mapping[str, str]) -> list[str]:
    words = arguments.get("run", "").lower().split(",")
    return list(dict.fromkeys(word for word in words if word.isalnum() and len(word) <= 40))[:50]
