"""The page of budgets: what a strength buys and what it costs, for every rule that the store has measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import panel as pn

from workbench.engine.words import UserError
from workbench.experiments.files import DamagedError
from workbench.experiments.summary import Curve, read_curves
from workbench.ui.canvas.bokeh_figures import pane, themed
from workbench.ui.controls.notice import number_pane, numbers
from workbench.ui.controls.rule import STYLE, choice
from workbench.ui.pages.budget.draw import Pair, pair_of, show_here
from workbench.ui.pages.budget.equal_shift import EqualShift
from workbench.ui.pages.budget.my_settings import MySettings
from workbench.ui.pages.budget.small_sweep import SmallSweep
from workbench.ui.pages.store_page import StorePage, StoreReading
from workbench.ui.server.fault import told
from workbench.ui.server.lab import one_user, sweeps
from workbench.ui.server.parts_cache import CACHE, Cache
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.sheet import Sheet
from workbench.ui.shell.toolbar import Export, Stop
from workbench.views import snippets
from workbench.views.budget import Here, as_csv, damaged_words, read_shift, words_of_choice
from workbench.views.links import read_link, write_link
from workbench.views.rows import budget_rows


class BudgetPage(StorePage):
    """One user's page of budgets."""

    name: ClassVar[str] = "budget"
    title: ClassVar[str] = "Budget"
    layout: ClassVar[str] = sidebar(
        {
            "budget": "Return and what the critic promised against transport",
            "table": "Strengths, and rules at equal shift",
        }
    )
    tour: ClassVar[tuple[Stop, ...]] = (
        Stop(
            ".wb-frontier",
            "Return against shift",
            "A line is a rule from small strengths to large; bars are 95% intervals.",
        ),
        Stop(
            ".wb-slot-budget", "The same runs", "Dashed is what the critic promises: it rises on when the return falls."
        ),
        Stop(
            ".wb-preset-balanced", "Equal shift", "Compare rules where they go equally far, not each at its own best."
        ),
        Stop(
            ".wb-slot-table",
            "Filter",
            "Drag over points in a picture: this list and the other picture keep those. Its links open the runs.",
        ),
    )

    def __init__(self, arguments: Mapping[str, str], cache: Cache = CACHE) -> None:
        super().__init__(arguments, cache, lambda: self.mine.awaited.pressed())
        self.question, problems = read_link(arguments)
        self.hint = "This link could not be read in full: " + "; ".join(problems) if problems else ""
        self.curves: list[Curve] = []
        self._damaged = ""  # which runs are left out
        nothing: tuple[list[Curve], dict[str, DamagedError]] = ([], {})
        self._reading = StoreReading(self, read_curves, nothing, self._show)
        self.mine = MySettings(self, lambda: self.question, self._show_marks)
        self.equal = EqualShift(self, lambda: self.question, lambda: self.mine.marks, read_shift(arguments))
        self.sweep = SmallSweep(lambda: self.do(self._start), lambda: self.do(self._cancel))
        self._head = number_pane(numbers("Return against shift", "…", []))
        self._make_controls()
        self._frontier = pn.Column(sizing_mode="stretch_width", margin=0, height=390, css_classes=["wb-frontier"])
        self._below = pn.Column(sizing_mode="stretch_both", margin=0, min_height=200)
        self._pair: Pair | None = None
        self.look()
        self.keep_looking()

    def panels(self) -> Mapping[str, Any]:
        """Controls; return against shift; against the budget; equal shift."""
        rules = pn.Column(HTML("Rules", stylesheets=[STYLE], margin=(8, 0, 2, 0)), self.rules, margin=0)
        controls = [self.owner, self.task, rules, self.here, self.equal, self.sweep]
        return {
            "controls": pn.Column(*controls, sizing_mode="stretch_width", margin=0),
            "main": pn.Column(
                self.notice,
                self._head,
                self._frontier,
                sizing_mode="stretch_width",
                margin=0,
                styles={"position": "relative"},
            ),
            "budget": self._below,
            "table": self.equal.table,
        }

    def state(self) -> dict[str, Any]:
        """The policies of the particles page, and which rules are drawn."""
        every = list(self.rules.value) == list(self.rules.options)
        shown = {} if every else {"curves": "|".join(self.rules.value)}
        return write_link(self.question) | shown | ({} if self.equal.shift is None else {"shift": self.equal.shift})

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Set what the link says."""
        self.question, _ = read_link(arguments)
        self.equal.shift = read_shift(arguments)
        wanted = arguments.get("curves")
        with self.binding.by_program():
            self.rules.value = [name for name in self.rules.options if wanted is None or name in wanted.split("|")]
        self._draw()

    def code(self) -> str:
        """The curves of the store, drawn with matplotlib."""
        return snippets.budget(str(sweeps().folder), self.task.value)

    def sheet(self) -> Sheet:
        """Both figures, one below the other."""
        if self._pair is None:
            raise UserError("There are no runs yet; run a sweep first.")
        return Sheet([[self._pair.frontier], [self._pair.against_transport]], str(self._head.object))

    def exports(self) -> tuple[Export, ...]:
        """All points."""
        return (Export("CSV, one line a strength", "budget.csv", "text/csv", self._csv),)

    def close(self) -> None:
        """Forget what waits; a sweep goes on."""
        self._reading.drop()
        self.mine.drop()

    # Controls

    def _make_controls(self) -> None:
        options: dict[str, Any] = {"stylesheets": [STYLE], "margin": (0, 0, 8, 0), "sizing_mode": "stretch_width"}
        self.task = choice("Task", {"no runs yet": ""}, "", css_classes=["wb-task"])
        self.rules = pn.widgets.CheckBoxGroup(label="Rules", options=[], value=[], css_classes=["wb-rules"], **options)
        self.here = pn.widgets.Button(label="Mark my settings", css_classes=["wb-here"], **options)
        self.binding.bind(self._changed, self.task, self.rules)
        self.here.on_click(lambda _: self.mine.mark())

    def _start(self) -> None:
        sweeps().start(self.secret(), self.sweep.grid())

    def _cancel(self) -> None:
        sweeps().cancel(self.secret(), anybody=one_user())

    def _changed(self, event: Any) -> None:
        with self.held():
            if event.obj is self.task:
                self._offer()
            self.changed()
            self._draw()

    # The store

    def look(self) -> None:
        """Read the store again when something of it has changed, and say how far a sweep is."""
        try:
            self._reading.look()
        except Exception as error:  # a refusal in its words, a fault as one
            self.notice.say("error", told(error))
            return
        self.follow()

    def follow(self) -> None:
        """Say how far a sweep is."""
        self.sweep.follow(sweeps().state(), not self.curves, self._damaged)

    def _show(self, found: tuple[list[Curve], dict[str, DamagedError]]) -> None:
        self.curves, self._damaged = found[0], damaged_words(found[1], str(sweeps().folder))
        names = list(dict.fromkeys(curve.task for curve in self.curves))
        if names and names != list(self.task.options.values()):
            with self.binding.by_program():
                self.task.options = {name: name for name in names}
                self.task.value = self.question.task if self.question.task in names else names[0]
        self._offer()
        self._draw()

    def _offer(self) -> None:
        """The rules of this task; new ones are shown, those that the user hid stay hidden."""
        names = [curve.name for curve in self.curves if curve.task == self.task.value]
        hidden = set(self.rules.options) - set(self.rules.value)
        if names != list(self.rules.options):
            with self.binding.by_program():
                self.rules.options = names
                self.rules.value = [name for name in names if name not in hidden]

    # Pictures

    def _shown(self) -> list[Curve]:
        return [curve for curve in self.curves if curve.task == self.task.value and curve.name in self.rules.value]

    def _draw(self) -> None:
        shown = self._shown()
        if not shown:
            words = "No runs yet: press Run a small sweep, or sweep from the command line into this store."
            self._head.object = numbers("Return against shift", words, [])
            self._frontier.objects, self._below.objects, self._pair = [], [], None
            self.equal.draw(shown, None)
            return
        self._pair = pair_of(shown, self.equal.tapped)
        for chart in self._pair[:2]:
            themed(chart)
        self._frontier.objects = [pane(self._pair.frontier, height=390)]
        self._below.objects = [pane(self._pair.against_transport, min_height=200)]
        show_here(self._pair, self.mine.marks)
        self._describe(shown)
        self.equal.draw(shown, self._pair)

    def _describe(self, shown: list[Curve]) -> None:
        best = max(shown, key=lambda curve: -9e9 if curve.choice is None else curve.choice.reported.mean)
        subtitle = f"{self.task.value}; {words_of_choice(best)}, best: {best.name}"
        self._head.object = numbers(f"{best.worth.label} against shift", subtitle, budget_rows(shown))

    def _show_marks(self, marks: list[Here]) -> None:
        if self._pair is not None:
            show_here(self._pair, marks)
        self.equal.list_marks(marks)

    def _csv(self) -> bytes:
        if not self.curves:
            raise UserError("There are no runs yet; run a sweep first.")
        return as_csv(self.curves)
