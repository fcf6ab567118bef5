"""The page of comparisons: methods over tasks, as a table with intervals, as profiles, and against what a decision costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import panel as pn

from workbench.engine.words import UserError
from workbench.experiments.scores import Board
from workbench.experiments.summary import Curve
from workbench.plots.markup import html
from workbench.plots.series import Series
from workbench.report.suite_tables import standings_table, strengths_table, tasks_table
from workbench.report.written import latex
from workbench.ui.canvas.bokeh_figures import pane
from workbench.ui.controls.notice import STYLE as WORDS
from workbench.ui.controls.rule import STYLE, choice
from workbench.ui.pages.compare.draw import COLUMNS, chart_of
from workbench.ui.pages.compare.words import (
    EMPTY,
    NOTHING,
    about,
    head_words,
    looks_in,
    scaling_words,
    table_html,
    tables_html,
    unmeasured,
)
from workbench.ui.pages.store_page import StorePage, StoreReading
from workbench.ui.server.fault import told
from workbench.ui.server.lab import sweeps
from workbench.ui.server.parts_cache import CACHE, Cache, Latest
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.sheet import Sheet
from workbench.ui.shell.toolbar import Export, Stop
from workbench.views import snippets
from workbench.views.budget import damaged_words
from workbench.views.compare import (
    MEASURES,
    PROFILE,
    as_csv,
    compare,
    names_in,
    profile_series,
    scaling_axes,
    scaling_series,
)
from workbench.views.measured import Read, read

HEIGHT = 260  # pixels, without the legend
ROW = 22  # pixels of each row of the legend
MOST_BANDS = 6
NO_BANDS = f"Share of runs above τ. Tick at most {MOST_BANDS} methods to see the 95% band of each, or point at a mark."
READING = "Reading what was measured…"
LOOK = (Path(__file__).parent / "compare.css").read_text(encoding="utf-8")


class Asked(NamedTuple):
    """What is compared."""

    curves: tuple[Curve, ...]
    methods: tuple[str, ...]
    tasks: tuple[str, ...]
    measure: str
    scaled: str


class Compared(NamedTuple):
    """What is shown of it."""

    board: Board
    profiles: list[Series]
    scaling: list[Series]


class ComparePage(StorePage):
    """One user's page of comparisons."""

    name: ClassVar[str] = "compare"
    title: ClassVar[str] = "Compare"
    layout: ClassVar[str] = sidebar(
        {"scaling": "Return against network evaluations", "tasks": "Task by task, and the strengths that were chosen"},
        controls="Methods and tasks",
    )
    tour: ClassVar[tuple[Stop, ...]] = (
        Stop(".wb-methods", "Methods", "Every rule with settings that was measured; those ticked are compared."),
        Stop(
            ".wb-tasks",
            "Tasks",
            "Only a method that was measured on every ticked task stands in what is over all tasks.",
        ),
        Stop(".wb-standings", "All tasks together", "The middle of all scores, with intervals over training seeds."),
        Stop(".wb-profiles", "Profiles", "How many runs score above τ: a line above another everywhere is better."),
        Stop(".wb-slot-scaling", "What computing buys", "Return against the network evaluations of one decision."),
        Stop(".wb-slot-tasks", "Task by task", "The numbers behind it; Export gives them as LaTeX and CSV."),
    )

    def __init__(self, arguments: Mapping[str, str], cache: Cache = CACHE) -> None:
        super().__init__(arguments, cache)
        self.curves: list[Curve] = []
        self.shown: Compared | None = None
        self._figures: list[Any] = []
        self._wanted = dict(arguments)
        self._reading = StoreReading(self, read, self._show)
        self._latest: Latest[Asked, Compared] = Latest(_compared, self.later(self._answered))
        fills: dict[str, Any] = {"margin": 0, "sizing_mode": "stretch_width"}
        words: dict[str, Any] = {"stylesheets": [WORDS, LOOK], **fills}
        self._head, self._standings = HTML(head_words(READING), **words), HTML("", **words)
        self._missing = HTML(unmeasured([]), **words)
        self._scaling_head, self._tables = HTML("", **words), HTML("", **words)
        self._profiles = pn.Column(css_classes=["wb-profiles"], **fills)
        self._scaling = pn.Column(css_classes=["wb-scaling"], **fills)
        self._make_controls()
        self.look()
        self.keep_looking()

    def panels(self) -> Mapping[str, Any]:
        """Controls; standings and profiles; what computing buys; the tables."""
        fills: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": 0}
        heads = [HTML(word, stylesheets=[STYLE], margin=(8, 0, 2, 0)) for word in ("Methods", "Tasks")]
        controls = [self.owner, self.measure, heads[0], self.methods, self._missing, heads[1], self.tasks, self.scaled]
        standings = pn.Column(self._standings, css_classes=["wb-standings"], **fills | {"margin": (10, 0, 0, 0)})
        return {
            "controls": pn.Column(*controls, **fills),
            "main": pn.Column(
                self.notice, self._head, standings, self._profiles, styles={"position": "relative"}, **fills
            ),
            "scaling": pn.Column(self._scaling_head, self._scaling, **fills),
            "tasks": self._tables,
        }

    def state(self) -> dict[str, Any]:
        """What is compared, and by what, where that is not the usual."""
        words: dict[str, Any] = {}
        for key, box in (("methods", self.methods), ("on", self.tasks)):
            if set(box.value) != set(box.options):
                words[key] = "|".join(box.value)
        if self.measure.value != "return":
            words["by"] = self.measure.value
        if self.scaled.value and self.scaled.value != next(iter(self.scaled.options.values())):
            words["scaled"] = self.scaled.value
        return (
            words if self.curves else {k: v for k, v in self._wanted.items() if k in ("methods", "on", "by", "scaled")}
        )

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Set what the link says."""
        self._wanted = dict(arguments)
        self._offer()
        self._ask()

    def code(self) -> str:
        """The same table and figures in a notebook."""
        asked = self._asked()
        own = "" if all(curve.origin for curve in self.curves if curve.task in asked.tasks) else str(sweeps().folder)
        return snippets.compare(own, asked.methods, asked.tasks, asked.measure, asked.scaled)

    def sheet(self) -> Sheet:
        """Both figures, one below the other."""
        if not self._figures:
            raise UserError("There is nothing to compare yet; run a sweep first.")
        return Sheet([[one] for one in self._figures], str(self._head.object))

    def exports(self) -> tuple[Export, ...]:
        """The tables for a paper, and every cell."""
        return (
            Export("LaTeX, the tables", "compare.tex", "application/x-tex", lambda: self._latex()),
            Export("CSV, one line a method and task", "compare.csv", "text/csv", lambda: as_csv(self._board())),
        )

    def close(self) -> None:
        """Forget what waits."""
        self._reading.drop()
        self._latest.drop()

    # Controls

    def _make_controls(self) -> None:
        options: dict[str, Any] = {"stylesheets": [STYLE, LOOK], "margin": (0, 0, 8, 0), "sizing_mode": "stretch_width"}
        first = self._wanted.get("by")
        self.measure = choice(
            "Score by",
            {"return, behaviour flow 0, best 1": "return", "success": "success"},
            first if first in MEASURES else "return",
            css_classes=["wb-measure"],
        )
        self.methods = pn.widgets.CheckBoxGroup(
            label="Methods", options=[], value=[], css_classes=["wb-methods"], **options
        )
        self.tasks = pn.widgets.CheckBoxGroup(label="Tasks", options=[], value=[], css_classes=["wb-tasks"], **options)
        self.scaled = choice("What computing buys, on", {"no runs yet": ""}, "", css_classes=["wb-scaled"])
        self.binding.bind(self._changed, self.measure, self.methods, self.tasks, self.scaled)

    def _changed(self, _: Any) -> None:
        with self.held():
            self._ask()
            self.changed()

    def _offer(self) -> None:
        """What there is to compare; what the link names is ticked, and all of it without one."""
        methods = list(dict.fromkeys(curve.name for curve in self.curves))
        tasks = list(dict.fromkeys(curve.task for curve in self.curves))
        with self.binding.by_program():
            for box, names, key in ((self.methods, methods, "methods"), (self.tasks, tasks, "on")):
                wanted = names_in(self._wanted, key)
                box.options = names
                box.value = [name for name in names if wanted is None or name in wanted]
            self.measure.value = self._wanted["by"] if self._wanted.get("by") in MEASURES else "return"
            if tasks:
                self.scaled.options = {name: name for name in tasks}
                self.scaled.value = self._wanted["scaled"] if self._wanted.get("scaled") in tasks else tasks[0]
        self._missing.object = unmeasured(self.curves)

    # The store

    def look(self) -> None:
        """Read the store again when something of it has changed."""
        try:
            self._reading.look()
        except Exception as error:  # a refusal in its words, a fault as one
            self.notice.say("error", told(error))

    def follow(self) -> None:
        """Nothing is started here."""

    def _show(self, found: Read) -> None:
        if self.curves:
            self._wanted = self.state()
        self.curves = [curve for curve in found[0] if not curve.offline]
        left_out = damaged_words(found[1], str(sweeps().folder))
        self.notice.say("hint" if left_out else "", left_out)
        self._offer()
        self._ask()

    # Pictures

    def _asked(self) -> Asked:
        return Asked(
            tuple(self.curves),
            tuple(self.methods.value),
            tuple(self.tasks.value),
            self.measure.value,
            self.scaled.value,
        )

    def _ask(self) -> None:
        asked = self._asked()
        if self.curves and asked.methods and asked.tasks:
            self._latest.ask(asked)
            return
        self._nothing(NOTHING if self.curves else EMPTY)

    def _nothing(self, words: str) -> None:
        self._latest.drop()
        self.shown, self._figures = None, []
        self._head.object = head_words(words)
        self._standings.object = self._tables.object = self._scaling_head.object = ""
        self._profiles.objects, self._scaling.objects = [], []

    def _answered(self, asked: Asked, found: Compared | None, error: Exception | None) -> None:
        if found is None:
            self._nothing(told(error))
            return
        self.shown, board = found, found.board
        self._head.object = about(board, self.curves)
        self._standings.object = table_html(standings_table(board), looks_in(board))
        self._tables.object = tables_html([tasks_table(board), strengths_table(board)])
        banded = len(found.profiles) <= MOST_BANDS
        profiles = [chart_of(found.profiles, PROFILE, band=banded, whiskers=False)] if found.profiles else []
        scaling = [chart_of(found.scaling, scaling_axes(asked.scaled), log=True)] if found.scaling else []
        self._figures = profiles + scaling
        words = [] if banded else [HTML(html("<p>{}</p>", NO_BANDS), stylesheets=[WORDS, LOOK], margin=0)]
        self._profiles.objects = [*words, *(pane(one, height=_height(found.profiles)) for one in profiles)]
        self._scaling.objects = [pane(one, height=_height(found.scaling)) for one in scaling]
        self._scaling_head.object = scaling_words(asked.scaled)

    def _board(self) -> Board:
        if self.shown is None:
            raise UserError("There is nothing to compare yet; run a sweep first.")
        return self.shown.board

    def _latex(self) -> bytes:
        board = self._board()
        tables = [standings_table(board), tasks_table(board), strengths_table(board)]
        return "\n".join(latex(table) for table in tables if table.rows).encode()


def _height(series: Sequence[Series]) -> int:
    return HEIGHT + ROW * math.ceil(len(series) / COLUMNS)


def _compared(asked: Asked) -> Compared:
    """Work it out, in a worker thread."""
    board = compare(asked.curves, asked.methods, asked.tasks, asked.measure)
    _ = board.standings  # some tenths of a second, and kept
    return Compared(board, profile_series(board), scaling_series(asked.curves, asked.scaled, asked.methods))
