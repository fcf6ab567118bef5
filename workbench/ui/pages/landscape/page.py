"""The page of landscapes: the critic around the actions, where the rule asks it, and whether it can be trusted there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import panel as pn

from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.floor import floor_of
from workbench.engine.words import UserError
from workbench.ui.canvas.bokeh_figures import follow_theme, pane
from workbench.ui.canvas.landscape_figures import (
    plane_figure,
    section_figure,
    show_plane,
    show_section,
    show_trust,
    trust_figure,
)
from workbench.ui.canvas.surface import Surface, surface_of
from workbench.ui.controls.awaited import Awaited
from workbench.ui.controls.notice import Notice, number_pane, numbers
from workbench.ui.controls.policy_choice import PolicyChoice
from workbench.ui.controls.rule import STYLE, QuickSlider, RuleControls, choice
from workbench.ui.controls.stories import Stories
from workbench.ui.controls.waiting import Waiting
from workbench.ui.pages.landscape.exports import ticks_of
from workbench.ui.server.draw_processes import Desk
from workbench.ui.server.fault import told
from workbench.ui.server.parts_cache import CACHE, QUICK, Cache, Latest
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.page import Page
from workbench.ui.shell.sheet import Sheet
from workbench.ui.shell.toolbar import Export, Stop
from workbench.views import snippets
from workbench.views.links import SEEDS, TASKS, has_peak, state_of, write_link
from workbench.views.presets import PRESETS, tell
from workbench.views.question import Policy, Question
from workbench.views.rows import landscape_rows
from workbench.views.terrain import Surveyor, Terrain, View, as_csv
from workbench.views.terrain_links import (
    LOOKS,
    MOST,
    QUANTITIES,
    Shown,
    quantity_of,
    read_plane,
    read_view,
    write_plane,
    write_view,
)

log = logging.getLogger(__name__)


class LandscapePage(Page):
    """One user's page of landscapes."""

    name: ClassVar[str] = "landscape"
    title: ClassVar[str] = "Landscape"
    steers: ClassVar[bool] = True
    layout: ClassVar[str] = sidebar(
        {"first": "Cross-section", "second": "Second cross-section", "trust": "Can the critic be trusted there?"}
    )
    tour: ClassVar[tuple[Stop, ...]] = (
        Stop(".wb-presets", "Stories", "Each sets the rule's strength: watch how far its queries can be trusted."),
        Stop(".wb-solid", "The same as a surface", "Turn it with the mouse or the arrow keys; the wheel zooms."),
        Stop(
            ".wb-quantity",
            "What is drawn",
            "Also the spread of the ensemble: where its members disagree, none is right.",
        ),
        Stop(
            ".wb-plane",
            "The plane of actions",
            "Crosses are the places where the rule asks the critic for its gradient.",
        ),
        Stop(".wb-slot-trust", "Trust", "Above the dashed line the rule asks where the critic has not been trained."),
    )

    def __init__(self, arguments: Mapping[str, str], cache: Cache = CACHE) -> None:
        super().__init__(arguments, cache)
        self.question, self.shown, problems = read_view(arguments)
        self.hint = "This link could not be read in full: " + "; ".join(problems) if problems else ""
        self.terrain: Terrain | None = None
        self._desk = Desk(Surveyor)
        self._work: Latest[View, Terrain] = Latest(self._find, self.later(self._show), QUICK, View.effort)
        self._awaited = Awaited(self.cache, self.ask)
        self.notice = Notice(self._awaited.pressed)
        self._waiting = Waiting(self, self._work, self.notice.say)
        self._make_controls()
        self._plane, self._trust = plane_figure(), trust_figure()
        self._sections = [section_figure(), section_figure()]
        self._line = section_figure(densities=True)
        self._surface = Surface(sizing_mode="stretch_width", margin=0, height=420, css_classes=["wb-solid"])
        self._head = number_pane(numbers("Landscape", "The first picture is being computed…", []))
        figures = [
            self._plane.figure,
            self._line.figure,
            self._trust.figure,
            *(section.figure for section in self._sections),
        ]
        follow_theme(figures, self.document)
        self._plane_pane = pane(self._plane.figure, sizing_mode="scale_width", max_width=440, css_classes=["wb-plane"])
        self._line_pane = pane(self._line.figure, height=420)
        self._line_box = pn.Column(self._line_pane, sizing_mode="stretch_width", margin=0, visible=False)
        self._second_pane = pane(self._sections[1].figure, min_height=180)
        for side in (self._plane_pane, self._surface):
            side.styles = {"flex": "1 1 300px", "min-width": "0"}
        self._sides = pn.FlexBox(
            self._plane_pane, self._surface, flex_wrap="wrap", gap="18px", margin=0, sizing_mode="stretch_width"
        )
        self.cache.retry(self.question.task)
        self.ask()

    def panels(self) -> Mapping[str, Any]:
        """Controls, the plane or the surface, three cards."""
        gap = {"gap": "10px"}
        rows: list[Any] = [
            pn.Row(*pair, styles=gap, sizing_mode="stretch_width", margin=(0, 0, 10, 0))
            for pair in ((self.task, self.rule), (self.look, self.quantity))
        ]
        rows.insert(1, self.task.more)
        return {
            "controls": pn.Column(*rows, self.stories, self._place, self.seed, sizing_mode="stretch_width", margin=0),
            "main": pn.Column(
                self.notice,
                self._head,
                self._sides,
                self._line_box,
                sizing_mode="stretch_width",
                margin=0,
                styles={"position": "relative"},
            ),
            "first": pane(self._sections[0].figure, min_height=180),
            "second": self._second_pane,
            "trust": pane(self._trust.figure, min_height=180),
        }

    def state(self) -> dict[str, Any]:
        """The question, and how it is looked at."""
        return write_view(self.question, self.shown)

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Set every control to what the link says."""
        question, shown, _ = read_view(arguments)
        self._set(question, shown)

    def _set(self, question: Question, shown: Shown) -> None:
        """Show a view on every control, and ask for it."""
        self.question, self.shown = question, shown
        with self.binding.by_program(), self.held():
            self.task.value, self.rule.value, self.seed.value = question.task, question.first.rule, question.seed
            self.look.value, self.quantity.value = shown.look, shown.quantity
            self._make_settings()
        self.ask()

    def code(self) -> str:
        """The plane with behaviour and steered policy, drawn with matplotlib."""
        return snippets.landscape(self.question, self.shown.plane)

    def sheet(self) -> Sheet:
        """The plane and the surface, or the line; below them the three cards."""
        ground = self._there()
        first, second = (section.figure for section in self._sections)
        if len(ground.basis.names) == 1:
            return Sheet([[self._line.figure], [self._trust.figure]], str(self._head.object))
        top = [self._plane.figure, ".wb-surface"]
        return Sheet(
            [top, [first, second, self._trust.figure]], str(self._head.object), lambda: ticks_of(self._plane, ground)
        )

    def exports(self) -> tuple[Export, ...]:
        """The grid."""
        return (Export("CSV, the landscape's grid", "landscape.csv", "text/csv", self._csv),)

    def close(self) -> None:
        """Forget what waits."""
        self._work.drop()
        self.stories.drop()
        self._desk.close()

    def ask(self) -> None:
        """Ask for the present view; while the parts are made, say so and ask again."""
        self.stories.follow()
        parts, words = self._awaited.ask(self.question.task, [self.question.first.rule])
        if parts is not None:
            self._work.ask(self._view())
            self._waiting.asked()
            return
        self._work.drop()
        self._waiting.stop()
        self.notice.say(*words)
        if words.kind == "loading":
            self.again(self.ask)

    # Controls

    def _make_controls(self) -> None:
        q = self.question
        self.task = PolicyChoice(q.task, list(TASKS), MOST)
        self.rule = choice(
            "Rule", {rule.title: name for name, rule in RULES.items()}, q.first.rule, css_classes=["wb-rule"]
        )
        self.look = choice("Drawn as", LOOKS, self.shown.look, css_classes=["wb-look"])
        self.quantity = choice("Quantity", QUANTITIES, self.shown.quantity, css_classes=["wb-quantity"])
        self.stories = Stories(
            self,
            {name: (preset.title, preset.meaning) for name, preset in PRESETS.items()},
            lambda: self.question,
            lambda name, question: self.cache.work(
                tell, (name, question), question.task, (policy.rule for policy in question.policies)
            ),
            self._told,
            lambda words: self.notice.say("error", words),
            write_link,
        )
        self.seed = _slider("Noise seed", q.seed, 0, SEEDS)
        self._place = pn.Column(margin=0, sizing_mode="stretch_width")
        self._make_settings()
        self.binding.bind(self._changed, self.task, self.rule, self.look, self.quantity, self.seed)

    def _make_settings(self) -> None:
        """What depends on the task and the rule: its settings, the plane, the state."""
        dim = self.cache.task(self.question.task).info.action_dim
        pairs = {f"actions {i + 1} and {j + 1}": f"{i}-{j}" for i in range(dim) for j in range(i + 1, dim)}
        self.plane = choice(
            "Plane", pairs | ({"principal directions": "principal"} if dim > 2 else {}), write_plane(self.shown.plane)
        )
        self.plane.visible = dim > 2
        movable = has_peak(self.question.task)
        self.stories.offer([name for name, preset in PRESETS.items() if preset.peak is None or movable])
        self.settings = RuleControls(RULES[self.question.first.rule], self.question.first.make().model_dump())
        self.axes = []
        if (floor := floor_of(self.cache.task(self.question.task))) is not None:
            for name, value, limits in zip(floor.axes, self.question.state, floor.limits, strict=True):
                low, high = (round(100 * limit) for limit in limits)
                self.axes.append(_slider(f"State {name} × 100", round(100 * value), low, high))
        self.binding.bind(self._changed, self.plane, *self.axes)
        self.binding.bind(self._changed, self.settings, to="values")
        self._place.objects = [self.plane, self.settings, *self.axes]

    def _told(self, question: Question) -> None:
        self._set(question, self.shown)
        self.changed()

    def _changed(self, event: Any) -> None:
        with self.held():
            if event.obj is self.task or event.obj is self.rule:
                settings = self.settings.values if event.obj is self.task else {}
                before, task = self.question, self.task.value
                state, peak = (before.state, before.peak) if task == before.task else (state_of(task), None)
                # The second rule of the particles page is kept for the way back.
                policies = (Policy(self.rule.value, dict(settings)), *before.policies[1:])
                self.question = Question(task, policies, before.seed, before.shown, state, peak)
                self._make_settings()
            self.hint = ""
            state = tuple((axis.value or 0) / 100 for axis in self.axes) if self.axes else self.question.state
            policies = (Policy(self.rule.value, dict(self.settings.values)), *self.question.policies[1:])
            self.question = replace(self.question, policies=policies, seed=self.seed.value or 0, state=state)
            self.shown = Shown(self.look.value, self.quantity.value, read_plane(self.plane.value))
            self.changed()
            self.ask()

    # Pictures

    def _view(self) -> View:
        """What is to be shown; the second rule of the particles page is not drawn here."""
        return View(replace(self.question, policies=self.question.policies[:1]), self.shown.plane)

    def _find(self, view: View) -> Terrain:
        name = view.question.task
        ground: Terrain = self._desk.draw(view, view.question, self.cache.wait(name), self.cache.task(name))
        return ground

    def _show(self, view: View, ground: Terrain | None, error: Exception | None) -> None:
        if view != self._view():
            return
        self._waiting.came()
        with self.held():
            if ground is None:
                log.warning("no landscape for %s: %s", view, error)
                self.notice.say(
                    "error", f"{RULES[view.question.first.rule].title} could not be computed. {told(error)}"
                )
                return
            self.terrain = ground
            self.notice.say("hint" if self.hint else "", self.hint)
            self._draw(ground)

    def _draw(self, ground: Terrain) -> None:
        rule = RULES[self.question.first.rule]
        flat = len(ground.basis.names) == 1
        try:
            values, note = quantity_of(ground, self.shown.quantity), ""
        except UserError as missing:
            values, note = ground.values, f"{missing} "
        if note:
            self.notice.say("hint", note)
        title = next(title for title, name in QUANTITIES.items() if name == self.shown.quantity)
        plane = (
            "" if ground.basis.share > 0.999 else f", a plane with {ground.basis.share:.0%} of the behaviour's variance"
        )
        self._head.object = numbers(
            f"{title}, {rule.title}", f"around the actions at this state{plane}", landscape_rows(ground)
        )
        self._sides.visible, self._line_box.visible, self._second_pane.visible = not flat, flat, not flat
        names = ground.basis.names
        if not flat:
            show_plane(self._plane, ground, values, self.shown.look == "image")
            clouds = [(trace.rule, ground.basis.coordinates(trace.actions.numpy())) for trace in ground.answer.traces]
            self._surface.frame = surface_of(values, ground.extent, names, title, clouds)
        for chart, section, name, here in zip(self._sections, ground.sections, names, ground.through, strict=False):
            show_section(chart, section, name, float(here))
        if flat:
            show_section(self._line, ground.sections[0], names[0], float(ground.through[0]), ground)
        show_trust(self._trust, ground)

    def _there(self) -> Terrain:
        if self.terrain is None:
            raise UserError("There is no landscape yet; wait until it is drawn.")
        return self.terrain

    def _csv(self) -> bytes:
        return as_csv(self._there())


def _slider(label: str, value: int, low: int, high: int) -> QuickSlider:
    return QuickSlider(
        label=label,
        start=low,
        end=high,
        value=min(max(value, low), high),
        stylesheets=[STYLE],
        margin=(0, 0, 6, 0),
        sizing_mode="stretch_width",
        css_classes=["wb-slider"],
    )
