"""The page of budgets: what a strength buys and what it costs, for every rule that the store has measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import panel as pn
from bokeh.models import ColumnDataSource

from workbench.engine.steering.rules import RULES
from workbench.experiments.files import DamagedError
from workbench.experiments.summary import Curve, read_curves
from workbench.plots.markup import html
from workbench.ui.canvas.bokeh_figures import pane, themed
from workbench.ui.controls.awaited import Awaited
from workbench.ui.controls.notice import STYLE as WORDS
from workbench.ui.controls.notice import number_pane, numbers
from workbench.ui.controls.rule import STYLE, choice
from workbench.ui.pages.budget.draw import pair_of, show_here
from workbench.ui.pages.budget.table import here_list, match_table, points_table
from workbench.ui.pages.store_page import StorePage, StoreReading
from workbench.ui.server.lab import one_user, sweeps
from workbench.ui.server.parts_cache import CACHE, Cache, Latest
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.page import write_arguments
from workbench.ui.shell.sheet import Sheet
from workbench.ui.shell.toolbar import Export, Stop
from workbench.views import snippets
from workbench.views.budget import FIRST, STORIES, Here, as_csv, damaged_words, grid_of, here, read_shift, story_shift
from workbench.views.links import read_link, write_link
from workbench.views.question import Policy
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
        super().__init__(arguments, cache, lambda: self._awaited.pressed())
        self.question, problems = read_link(arguments)
        self.hint = "This link could not be read in full: " + "; ".join(problems) if problems else ""
        self.shift = read_shift(arguments)
        self.curves, self.marks = list[Curve](), list[Here]()
        self._damaged = ""  # which runs are left out
        nothing: tuple[list[Curve], dict[str, DamagedError]] = ([], {})
        self._reading = StoreReading(self, read_curves, nothing, self._show)
        self._heres: Latest[tuple[Policy, ...], list[Here]] = Latest(self._evaluate, self.later(self._show_here))
        self._awaited = Awaited(self.cache, self._mark)
        self._head = number_pane(numbers("Return against shift", "…", []))
        self._make_controls()
        self._frontier = pn.Column(sizing_mode="stretch_width", margin=0, height=390, css_classes=["wb-frontier"])
        self._below = pn.Column(sizing_mode="stretch_both", margin=0, min_height=200)
        self._table = HTML("", stylesheets=[WORDS], margin=0, sizing_mode="stretch_width")
        self._tapped = ColumnDataSource({"key": []})
        self._tapped.on_change("data", lambda attr, old, new: self._selected())
        self._pair: Any = None
        self.look()
        self.keep_looking()

    def panels(self) -> Mapping[str, Any]:
        """Controls; return against shift; against the budget; equal shift."""
        gap = {"gap": "8px"}
        sweep = pn.Row(self.start, self.cancel, styles=gap, sizing_mode="stretch_width", margin=(10, 0, 0, 0))
        rules = pn.Column(HTML("Rules", stylesheets=[STYLE], margin=(8, 0, 2, 0)), self.rules, margin=0)
        equal = pn.Column(
            HTML("Compare all rules at one shift", stylesheets=[STYLE], margin=(0, 0, 3, 0)),
            pn.FlexBox(*self.stories, self.match, gap="6px", margin=(0, 0, 8, 0), sizing_mode="stretch_width"),
            margin=0,
            sizing_mode="stretch_width",
        )
        controls = [self.owner, self.task, rules, self.here, equal, self.wanted, self._sweeping, sweep]
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
            "table": self._table,
        }

    def state(self) -> dict[str, Any]:
        """The policies of the particles page, and which rules are drawn."""
        shown = {} if self._all_shown() else {"curves": "|".join(self.rules.value)}
        return write_link(self.question) | shown | ({} if self.shift is None else {"shift": self.shift})

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Set what the link says."""
        self.question, _ = read_link(arguments)
        self.shift = read_shift(arguments)
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
            raise ValueError("There are no runs yet; run a sweep first.")
        return Sheet([[self._pair.frontier], [self._pair.against_transport]], str(self._head.object))

    def exports(self) -> tuple[Export, ...]:
        """All points."""
        return (Export("CSV, one line a strength", "budget.csv", "text/csv", self._csv),)

    def close(self) -> None:
        """Forget what waits; a sweep goes on."""
        self._reading.drop()
        self._heres.drop()

    # Controls

    def _make_controls(self) -> None:
        options: dict[str, Any] = {"stylesheets": [STYLE], "margin": (0, 0, 8, 0), "sizing_mode": "stretch_width"}
        self.task = choice("Task", {"no runs yet": ""}, "", css_classes=["wb-task"])
        self.rules = pn.widgets.CheckBoxGroup(label="Rules", options=[], value=[], css_classes=["wb-rules"], **options)
        self.here = pn.widgets.Button(label="Mark my settings", css_classes=["wb-here"], **options)
        small: dict[str, Any] = {"stylesheets": [STYLE], "margin": 0, "height": 28, "styles": {"flex": "1 1 44%"}}
        self.match = pn.widgets.Button(
            label="Match mine",
            css_classes=["wb-match"],
            disabled=True,
            **small,
            description="every rule at the shift of your marked settings, or half way along the curves before you mark them",
        )
        self.stories = [
            pn.widgets.Button(
                label=title,
                description=meaning,
                css_classes=["wb-preset", f"wb-preset-{name}"],
                disabled=True,
                on_click=lambda _, name=name: self._match(name),
                **small,
            )
            for name, (title, meaning) in STORIES.items()
        ]
        titles = {rule.title: name for name, rule in RULES.items()}
        self.wanted = pn.widgets.MultiSelect(
            label="Rules of the next sweep",
            options=titles,
            value=list(FIRST),
            size=4,
            css_classes=["wb-wanted"],
            **options,
        )
        self.start = pn.widgets.Button(label="Run a small sweep", css_classes=["wb-sweep"], **options)
        self.cancel = pn.widgets.Button(label="Cancel", css_classes=["wb-cancel"], disabled=True, **options)
        self._sweeping = HTML("", stylesheets=[WORDS], margin=0, sizing_mode="stretch_width")
        self.binding.bind(self._changed, self.task, self.rules)
        self.here.on_click(lambda _: self._mark())
        self.match.on_click(lambda _: self._match())
        self.start.on_click(lambda _: self.do(self._sweep))
        self.cancel.on_click(lambda _: self.do(lambda: sweeps().cancel(self.secret(), anybody=one_user())))

    def _sweep(self) -> None:
        if not self.wanted.value:
            raise ValueError("choose at least one rule for the sweep")
        sweeps().start(self.secret(), grid_of(self.wanted.value))

    def _changed(self, event: Any) -> None:
        with self.held():
            if event.obj is self.task:
                self._offer()
            self.changed()
            self._draw()

    def _all_shown(self) -> bool:
        return list(self.rules.value) == list(self.rules.options)

    # The store

    def look(self) -> None:
        """Read the store again when something of it has changed, and say how far a sweep is."""
        try:
            self._reading.look()
        except (ValueError, OSError) as error:
            self.notice.say("error", str(error))
            return
        self.follow()

    def follow(self) -> None:
        """Say how far a sweep is."""
        state = sweeps().state()
        running = state is not None and state.running
        self.start.disabled, self.cancel.disabled = running, not running
        if state is None:
            words: str = "" if self.curves else "A small sweep takes a minute or two and fills this page."
        elif running:
            share = 100 * state.done / max(state.total, 1)
            bar = html('<div class="bar" style="--wb-part:{:.0f}%"></div>', share)
            words = html("Sweep: {} of {} runs are done.{}", state.done, state.total, bar)
        else:
            words = state.error or f"Sweep ended: {state.done} of {state.total} runs are done."
        text = html("<p role='status'>{}</p><p>{}</p>", words, self._damaged)
        if text != self._sweeping.object:
            self._sweeping.object = text

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
        for button in (self.match, *self.stories):
            button.disabled = len(shown) < 2
        if not shown:
            words = "No runs yet: press Run a small sweep, or sweep from the command line into this store."
            self._head.object = numbers("Return against shift", words, [])
            self._frontier.objects, self._below.objects, self._pair = [], [], None
            self._table.object = html("<h2>Equal shift</h2><p>Once two rules are measured, they are compared here.</p>")
            return
        self._pair = pair_of(shown, self._tapped)
        for made in self._pair[:2]:
            themed(made)
        self._frontier.objects = [pane(self._pair.frontier, height=390)]
        self._below.objects = [pane(self._pair.against_transport, min_height=200)]
        show_here(self._pair, self.marks)
        self._describe(shown)
        self._show_table()

    def _describe(self, shown: list[Curve]) -> None:
        best = max(shown, key=lambda curve: -9e9 if curve.choice is None else curve.choice.reported.mean)
        subtitle = f"{self.task.value}; each rule at the strength that its choosing episodes prefer, best: {best.name}"
        self._head.object = numbers("Return against shift", subtitle, budget_rows(shown))

    def _mark(self) -> None:
        parts, words = self._awaited.ask(self.question.task, [policy.rule for policy in self.question.policies])
        if parts is not None:
            self.notice.say("loading", "Evaluating your settings…")
            self._heres.ask(self.question.policies)
            return
        self.notice.say(*words)
        if words.kind == "loading":
            self.again(self._mark)

    def _evaluate(self, policies: tuple[Policy, ...]) -> list[Here]:
        parts, task = self.cache.wait(self.question.task), self.cache.task(self.question.task)
        return [here(policy, parts, task, self.question.seed) for policy in policies]

    def _show_here(self, policies: tuple[Policy, ...], found: list[Here] | None, error: Exception | None) -> None:
        with self.held():
            if found is None:
                self.notice.say("error", f"Your settings could not be evaluated. {error}")
                return
            self.notice.say("", "")
            self.marks = found
            if self._pair is not None:
                show_here(self._pair, found)
            self._table.object = here_list(found)

    def _match(self, story: str = "") -> None:
        """All rules at one shift: that of a story, else the first mark's, else half of what all curves reach."""
        shown = [curve for curve in self._shown() if len(curve.points) > 1]
        try:
            at = story_shift(story or "too_far", shown)
        except ValueError as error:
            self.notice.say("error", str(error))
            return
        if not story:
            at = (
                self.marks[0].shift if self.marks else min(float(curve.column("shift.w2").max()) for curve in shown) / 2
            )
        self.shift = float(f"{at:.4g}")
        self.notice.say("", "")
        self.changed()
        self._show_table()

    def _show_table(self) -> None:
        """The rules at the matched shift, else every strength."""
        shown = self._shown()
        if self._pair is not None:
            self._pair.at.update(visible=self.shift is not None, location=self.shift or 0.0)
        self._table.object = (
            points_table(shown) if self.shift is None else match_table(shown, self.shift, self._particles_link)
        )

    def _particles_link(self, curve: Curve, value: float) -> str:
        settings = {curve.axis: value} if curve.axis in RULES[curve.rule].model_fields else {}
        return write_arguments(write_link(replace(self.question, policies=(Policy(curve.rule, settings),))))

    def _selected(self) -> None:
        """What is brushed: those points alone."""
        keys = list(self._tapped.data["key"])
        if keys:
            self._table.object = points_table(self._shown(), keys)
        else:
            self._show_table()

    def _csv(self) -> bytes:
        if not self.curves:
            raise ValueError("There are no runs yet; run a sweep first.")
        return as_csv(self.curves)
