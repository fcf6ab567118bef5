"""The page of budgets: what a strength buys and what it costs, for every rule that the store has measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import panel as pn

from workbench.engine.digits import exact
from workbench.engine.steering.rules import RULES
from workbench.engine.words import UserError
from workbench.experiments.recommend import Recommendation
from workbench.experiments.summary import Curve
from workbench.plots.markup import html
from workbench.ui.canvas.bokeh_figures import pane, themed
from workbench.ui.controls.notice import STYLE as WORDS
from workbench.ui.controls.rule import STYLE, choice
from workbench.ui.pages.budget.decision import Decision
from workbench.ui.pages.budget.dial import Dial
from workbench.ui.pages.budget.draw import Pictures, looks_by_name, pictures_of, show_here
from workbench.ui.pages.budget.equal_shift import EqualShift
from workbench.ui.pages.budget.my_settings import MySettings
from workbench.ui.pages.budget.sketches import Sketches
from workbench.ui.pages.budget.small_sweep import SmallSweep
from workbench.ui.pages.budget.words import head_of, of_task, origin_of, promise_head, table_of, usual
from workbench.ui.pages.store_page import StorePage, StoreReading
from workbench.ui.server.fault import told
from workbench.ui.server.lab import one_user, sweeps
from workbench.ui.server.parts_cache import CACHE, Cache
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.sheet import Sheet
from workbench.ui.shell.toolbar import Export, Stop
from workbench.views import snippets
from workbench.views.budget import Here, damaged_words, read_shift
from workbench.views.dial import field_of, read_dial, scale_of, strength_words
from workbench.views.links import read_link, write_link
from workbench.views.measured import Read, begun, is_wide, read
from workbench.views.policies import find
from workbench.views.question import Policy
from workbench.views.unmeasured import question_on, wish, words_of

FRONTIER = 312  # pixels
PROMISE = 200
MOST_DIMS = 100_000  # of an action: nothing of it is drawn but small pictures, which say when they cannot
READING = html("<h2>Return against shift</h2><p role='status'>Reading what was measured…</p>")
LOOK = (Path(__file__).parent / "budget.css").read_text(encoding="utf-8")


class BudgetPage(StorePage):
    """One user's page of budgets."""

    name: ClassVar[str] = "budget"
    title: ClassVar[str] = "Budget"
    steers: ClassVar[bool] = True
    layout: ClassVar[str] = sidebar(
        {
            "promise": "What the critic promised and what was earned, against shift",
            "here": "The policy that the dial stands on",
            "table": "Decision, strengths, and rules at equal shift",
        }
    )
    tour: ClassVar[tuple[Stop, ...]] = (
        Stop(
            ".wb-frontier",
            "Return against shift",
            "A line is a rule from small strengths to large; the star is its best strength, bars are 95% intervals.",
        ),
        Stop(".wb-dial", "The dial", "Move one strength along its curve, by hand or with the arrow keys."),
        Stop(
            ".wb-slot-promise",
            "Whom did the critic fool?",
            "Dashed is what the critic promised, solid what was earned; between them is how wrong it was.",
        ),
        Stop(
            ".wb-slot-here", "What it looks like", "The particles and episodes of that strength; the links open them."
        ),
        Stop(".wb-decision", "Decide", "A limit in, a rule and strength out, with what it gave on other episodes."),
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
        self.question, problems = read_link(arguments, MOST_DIMS)
        self._aimed = "task" in arguments and not problems  # the link wants this task, and not just any
        self.hint = "This link could not be read in full: " + "; ".join(problems) if problems else ""
        self.curves: list[Curve] = []
        self._missing = ""  # words on what the link wants and nobody has measured
        self._damaged = ""  # which runs are left out
        self._reading = StoreReading(self, read, self._show)

        self.mine = MySettings(
            self, lambda: question_on(self.question, str(self.task.value or "")), self._shown, self._show_marks
        )
        self.equal = EqualShift(
            self,
            lambda: question_on(self.question, str(self.task.value or "")),
            lambda: self.mine.marks,
            read_shift(arguments),
        )
        self.equal.tapped.on_change("data", lambda attr, old, new: self._tapped())
        self.sweep = SmallSweep(
            lambda: self.do(lambda: sweeps().start(self.secret(), self.sweep.grid())),
            lambda: self.do(lambda: sweeps().cancel(self.secret(), anybody=one_user())),
        )
        self.dial = Dial(lambda: self.question.first.rule, self._chosen, self._rested)
        self.sketches = Sketches(self)
        self.decision = Decision(self.held, self.changed, self._take)
        self._head = HTML(
            READING,
            stylesheets=[WORDS, LOOK],
            margin=0,
            sizing_mode="stretch_width",
        )
        self._frontier = pn.Column(sizing_mode="stretch_width", margin=0, css_classes=["wb-frontier"])
        self._promise_head = HTML("", stylesheets=[WORDS], margin=0, sizing_mode="stretch_width")
        self._promise = pn.Column(sizing_mode="stretch_width", margin=0, css_classes=["wb-promise"])
        self._pictures: Pictures | None = None
        self._dialled, self._measured = read_dial(arguments), arguments.get("measured", "")
        self._wanted = arguments.get("curves")
        self._make_controls()
        self.notice.say("hint" if self.hint else "", self.hint)
        self.look()
        self.keep_looking()

    def panels(self) -> Mapping[str, Any]:
        """Controls; the dial and return against shift; promised and earned; the policy in small; decision and strengths."""
        rules = pn.Column(
            HTML("Rules", stylesheets=[STYLE], margin=(8, 0, 2, 0)), self.rules, margin=0, sizing_mode="stretch_width"
        )
        controls = [self.owner, self.task, rules, self.here, self.equal, self.sweep]
        fills: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": 0}
        return {
            "controls": pn.Column(*controls, **fills),
            "main": pn.Column(
                self.notice, self._head, self.dial, self._frontier, styles={"position": "relative"}, **fills
            ),
            "promise": pn.Column(self._promise_head, self._promise, **fills),
            "here": self.sketches,
            "table": pn.Column(self.decision, pn.Spacer(height=14, margin=0), self.equal.table, **fills),
        }

    def state(self) -> dict[str, Any]:
        """The policies of the particles page, which rules are drawn, and where the dial stands."""
        words: dict[str, Any] = write_link(self.question)
        if self._wanted is not None or set(self.rules.value) != set(usual(self._of_task(), self._wanted)):
            words["curves"] = "|".join(self.rules.value)
        if self.equal.shift is not None:
            words["shift"] = self.equal.shift
        if self.dial.ride is not None:
            words |= {"measured": self.task.value, "dial": self.dial.ride.name, "dial_at": exact(self.dial.strength)}
        return words

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Set what the link says."""
        self.question, _ = read_link(arguments, MOST_DIMS)
        self._aimed = "task" in arguments
        self.equal.shift, self._dialled = read_shift(arguments), read_dial(arguments)
        self._wanted = arguments.get("curves")
        with self.binding.by_program():
            if arguments.get("measured") in self.task.options.values():
                self.task.value = self._measured = arguments["measured"]
                self._offer()
            first = usual(self._of_task(), self._wanted)
            self.rules.value = [name for name in self.rules.options if name in first]
        self._draw()

    def code(self) -> str:
        """The curves that are shown, drawn with matplotlib."""
        return snippets.budget("" if origin_of(self.curves, self.task.value) else str(sweeps().folder), self.task.value)

    def sheet(self) -> Sheet:
        """Both figures, one below the other."""
        if self._pictures is None:
            raise UserError("There are no runs yet; run a sweep first.")
        return Sheet([[self._pictures.frontier], [self._pictures.promise]], str(self._head.object))

    def exports(self) -> tuple[Export, ...]:
        """All points."""
        return (
            Export(
                "CSV, one line a strength", "budget.csv", "text/csv", lambda: table_of(self.curves, self.task.value)
            ),
        )

    def close(self) -> None:
        """Forget what waits; a sweep goes on."""
        self._reading.drop()
        self.mine.drop()
        self.sketches.drop()

    # Controls

    def _make_controls(self) -> None:
        options: dict[str, Any] = {
            "stylesheets": [STYLE, LOOK],
            "margin": (0, 0, 8, 0),
            "sizing_mode": "stretch_width",
        }
        self.task = choice("Task", {"…": ""}, "", css_classes=["wb-task"])
        self.rules = pn.widgets.CheckBoxGroup(label="Rules", options=[], value=[], css_classes=["wb-rules"], **options)
        self.here = pn.widgets.Button(label="Mark my settings", css_classes=["wb-here"], **options)
        self.binding.bind(self._changed, self.task, self.rules)
        self.here.on_click(lambda _: self.mine.mark())

    def _changed(self, event: Any) -> None:
        with self.held():
            if event.obj is self.task:
                self._measured = self.task.value
                self.equal.shift = None  # of the task before
                self.mine.forget()
                self._offer()
            self._draw()
            self.changed()

    # The dial

    def _chosen(self) -> None:
        """Another curve for the dial."""
        with self.held():
            self._dialled = ("", None)
            self._draw()
            self.changed()

    def _rested(self) -> None:
        with self.held():
            self._sketch()
            self.changed()

    def _tapped(self) -> None:
        """One point was clicked: the dial goes there."""
        keys = list(self.equal.tapped.data["key"])
        if len(keys) != 1:
            return
        found = next(
            ((curve, point) for curve in self._shown() for point in curve.points if point.keys[0] == keys[0]), None
        )
        if found is None or not is_wide(found[0]):
            return
        with self.held():
            if self.dial.ride is not None and self.dial.ride.name == found[0].name:
                self.dial.go(found[1].value)
                self._sketch()
            else:
                self._dialled = found[0].name, found[1].value
                self._draw()
            self.changed()

    def _take(self, found: Recommendation) -> None:
        """The dial is to stand on a recommendation."""
        fits = (
            c.name for c in self._shown() if c.rule == found.rule and any(p.value == found.strength for p in c.points)
        )
        name = next(fits)
        self._dialled = name, found.strength
        with self.held():
            self._draw()
            self.changed()

    def _sketch(self) -> None:
        """The policy that the dial stands on, in small."""
        on = self.dial.ride
        if on is None:
            self.sketches.clear()
            return
        field = field_of(on.rule, on.axis)
        if field is None:
            self.sketches.clear()
            return
        strength = round(self.dial.strength) if field.kind == "whole" else self.dial.strength
        policy = Policy(on.rule, dict(on.settings) | {on.axis: strength})
        self.sketches.ask(on.task, policy, f"{RULES[on.rule].title}, {strength_words(on, self.dial.strength)}")

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
        empty = not any(not curve.origin for curve in self.curves)
        self.sweep.follow(sweeps().state(), empty, self._damaged)

    def _show(self, found: Read) -> None:
        self.curves, self._damaged = found[0], damaged_words(found[1], str(sweeps().folder))
        names = list(dict.fromkeys(curve.task for curve in self.curves))
        if names and names != list(self.task.options.values()):
            # own tasks stand before the shipped one
            wanted = (self._measured, find(self.question.task).task.info.name, names[0])
            with self.binding.by_program():
                self.task.options = {name: name for name in names}
                self.task.value = next(name for name in wanted if name in names)
        wants = self._aimed and self._measured not in names
        target = wish(self.question, self.curves, sweeps().found()) if wants else None
        self._missing = "" if target is None else words_of(target, str(self.task.value or ""))
        if target is not None and not target.command:
            self.sweep.aim(target)
        self._offer()
        self._draw()

    def _offer(self) -> None:
        """The rules of this task; new ones are shown, those that the user hid stay hidden."""
        names = [curve.name for curve in self._of_task()]
        hidden = set(self.rules.options) - set(self.rules.value)
        fresh = set(usual(self._of_task(), self._wanted)) - set(self.rules.options)
        if names != list(self.rules.options):
            known = set(self.rules.value) | fresh
            with self.binding.by_program():
                self.rules.options = names
                self.rules.value = [name for name in names if name in known - hidden]

    # Pictures

    def _of_task(self) -> list[Curve]:
        return of_task(self.curves, self.task.value)

    def _shown(self) -> list[Curve]:
        return [curve for curve in self._of_task() if curve.name in self.rules.value]

    def _draw(self) -> None:
        here = self._of_task()
        shown = [begun(curve, here) for curve in self._shown()]
        self.dial.offer([curve for curve in shown if is_wide(curve)], self._dialled[0])
        if not shown:
            words = "Tick a rule at the left." if here else "Nothing has been measured yet: press Run a small sweep."
            self._head.object = html("<h2>Return against shift</h2><p>{}</p>", words)
            self._frontier.objects, self._promise.objects, self._pictures = [], [], None
            self._promise_head.object = ""
            self.sketches.clear()
            self.equal.draw([], None)
            return
        scale = scale_of(np.concatenate([curve.column("shift.w2") for curve in shown]))
        self.dial.follow(scale, self._dialled[1])
        self._dialled = ("", self.dial.strength if self.dial.ride is not None else None)
        looks = looks_by_name(here)
        styles = [looks[curve.name] for curve in shown]
        self._pictures = pictures_of(shown, styles, self.dial.ride, scale, self.equal.tapped, self.dial.dot)
        for chart in (self._pictures.frontier, self._pictures.promise):
            themed(chart)
        self._frontier.objects = [pane(self._pictures.frontier, height=FRONTIER)]
        self._promise.objects = [pane(self._pictures.promise, height=PROMISE)]
        show_here(self._pictures, self.mine.marks)
        self._head.object = head_of(shown, self.dial.ride, self._missing)
        self._promise_head.object = promise_head(self.dial.ride)
        self._sketch()
        self.equal.draw(self._shown(), self._pictures)
        self.decision.draw(self._shown(), self.dial.ride)

    def _show_marks(self, marks: list[Here]) -> None:
        if self._pictures is not None:
            show_here(self._pictures, marks)
        self.equal.list_marks(marks)
