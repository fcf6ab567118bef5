"""The page of particles: the behaviour flow and one or two rules side by side on the same noise."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import panel as pn

from workbench.engine.glossary import TERM
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.abilities import HasPeak, HasTruth
from workbench.engine.tasks.floor import Floor, HasFloor, floor_of
from workbench.ui.canvas.stage import Stages, TimeChart, frame_of, landscape_of, room_of, series_of, truth_of
from workbench.ui.controls.awaited import Awaited, slow_parts, stale
from workbench.ui.controls.policy_choice import PolicyChoice
from workbench.ui.controls.rule import STYLE, PolicyControls, QuickSlider, choice, lacking
from workbench.ui.controls.stories import Stories
from workbench.ui.controls.waiting import Waiting
from workbench.ui.pages.particles.about import About
from workbench.ui.pages.particles.dial import DialCard
from workbench.ui.pages.particles.exports import exports_of
from workbench.ui.pages.particles.plays import Plays
from workbench.ui.pages.particles.tour import TOUR
from workbench.ui.server.draw_processes import Desk
from workbench.ui.server.fault import told
from workbench.ui.server.parts_cache import CACHE, QUICK, Cache, Latest
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.page import Page
from workbench.ui.shell.toolbar import Export, Stop
from workbench.views import snippets
from workbench.views.episodes import ending_of
from workbench.views.links import SEEDS, SHOWN, TASKS, has_peak, read_link, state_of, write_link
from workbench.views.particles import GROUNDS, Artist, Picture
from workbench.views.presets import PRESETS, tell
from workbench.views.question import GRID, Answer, Question, effort_of

log = logging.getLogger(__name__)
DRAFT = 192  # particles while the peak or the dial is dragged: more than twice the pictures a second


class ParticlesPage(Page):
    """Stages side by side on linked axes, with what the actions earn, or the room, beside them."""

    name: ClassVar[str] = "particles"
    title: ClassVar[str] = "Particles"
    steers: ClassVar[bool] = True
    layout: ClassVar[str] = sidebar(
        {
            "dial": "Budget dial",
            "displacement": TERM["state.displacement"].label,
            "about": "The rules",
        }
    )
    style: ClassVar[str] = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    tour: ClassVar[tuple[Stop, ...]] = TOUR

    def __init__(self, arguments: Mapping[str, str], cache: Cache = CACHE) -> None:
        self.answer: Answer | None = None
        super().__init__(arguments, cache)
        self.question, problems = read_link(arguments)
        self.hint = "This link could not be read in full: " + "; ".join(problems) if problems else ""
        self.picture: Picture | None = None
        self._version = 0
        self._desk, self._awaited = Desk(Artist), Awaited(self.cache, self.ask)
        self._offered: Parts | None = None  # for which the lists of rules were made
        self._pictures: Latest[tuple[Question, str], Picture] = Latest(
            self._draw, self.later(self._show), QUICK, lambda asked: effort_of(asked[0], self.name, GRID)
        )
        self._waiting = Waiting(self, self._pictures, self.say)
        self.plays = Plays(self, lambda: self.question, self._send_frame)
        self._make_controls(arguments.get("ground", "learned"))
        half = dict(sizing_mode="stretch_both", margin=0)
        self.stages = Stages(self._awaited.pressed, sizing_mode="stretch_width", margin=0)
        self.displacement = TimeChart(
            heading=TERM["state.displacement"].short,
            note="from the same noise at the same flow time, action units",
            **half,
        )
        self.dial = DialCard(self, self.policies, lambda: bool(self.stages.dragging))
        self.about = About()
        self._place_handles()
        self.binding.bind(self._moved_agent, self.stages, to="agent")
        self.binding.bind(self._moved_peak, self.stages, to="peak")
        for hand in (self.stages, self.dial.dial):
            hand.param.watch(self._dragged, "dragging")
        self.stages.param.watch(lambda _: self._send_frame(), "selected")
        self._fit_to_task()
        self.about.describe(self.question.rules)
        self.dial.follow(self.question)
        self.cache.retry(self.question.task)
        self.ask()

    def panels(self) -> Mapping[str, Any]:
        """Controls, stages, and three cards."""
        gap: dict[str, Any] = {"styles": {"gap": "10px"}, "sizing_mode": "stretch_width"}
        scene = pn.Row(self.task, self.ground, margin=(0, 0, 8, 0), **gap)
        noise = pn.Row(self.shown, self.seed, margin=0, **gap)
        controls = pn.Column(
            scene, self.task.more, self.presets, *self.policies, noise, sizing_mode="stretch_width", margin=0
        )
        cards = {"dial": self.dial.dial, "displacement": self.displacement, "about": self.about}
        return {"controls": controls, "main": self.stages, **cards}

    def state(self) -> dict[str, Any]:
        """The question, and what lies behind the particles."""
        ground = {} if self.ground.value == "learned" else {"ground": self.ground.value}
        return write_link(self.question) | ground

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Set every control."""
        question, _ = read_link(arguments)
        self._set(question, arguments.get("ground", "learned"))
        self.ask()

    def code(self) -> str:
        """A script of the public names that draws the stages."""
        return snippets.particles(self.question)

    def exports(self) -> tuple[Export, ...]:
        """Pictures, numbers, and the page itself."""
        return exports_of(self)

    def _make_controls(self, ground: str) -> None:
        q = self.question
        self.task = PolicyChoice(q.task, list(TASKS), 2)
        if ground not in GROUNDS:
            ground = "learned"
        self.ground = choice(
            "Landscape",
            {title: name for name, title in GROUNDS.items()},
            ground,
            css_classes=["wb-ground"],
        )
        second = q.policies[1] if len(q.policies) > 1 else None
        self.policies = [
            PolicyControls("Rule", q.policies[0], False, "wb-policy-0"),
            PolicyControls("Second rule", second, True, "wb-policy-1"),
        ]
        self.presets = Stories(
            self,
            {name: (preset.title, preset.meaning) for name, preset in PRESETS.items()},
            lambda: self.question,
            lambda name, question: self.cache.work(
                tell, (name, question), question.task, (policy.rule for policy in question.policies)
            ),
            self._told,
            lambda words: self.say("error", words),
            write_link,
        )
        self.shown = choice(
            "Particles drawn", {str(count): count for count in SHOWN}, q.shown, css_classes=["wb-shown"]
        )
        self.seed = QuickSlider(
            label="Noise seed",
            start=0,
            end=SEEDS,
            value=q.seed,
            stylesheets=[STYLE],
            margin=0,
            sizing_mode="stretch_width",
            css_classes=["wb-slider", "wb-seed"],
        )
        self.binding.bind(self._changed, self.task, self.ground, self.shown, self.seed)
        self.binding.bind(self._changed, *self.policies, to="policy")

    def _changed(self, event: Any) -> None:
        """Any control: read them all, and ask."""
        with self.held():
            q, task = self.question, self.task.value
            state, peak = (q.state, q.peak) if task == q.task else (state_of(task), None)
            policies = tuple(controls.policy for controls in self.policies if controls.policy is not None)
            self.hint = ""
            self.question = Question(task, policies, self.seed.value or 0, self.shown.value, state, peak)
            if task != q.task:
                self._place_handles()
                self._fit_to_task()
            if event.obj in self.policies:
                controls = event.obj.controls
                self.about.touch(self.policies.index(event.obj), "" if controls is None else controls.touched)
                self.about.describe(self.question.rules)
            self.dial.follow(self.question)
            self.presets.follow()
            self.changed()
            self.ask()

    def _set(self, question: Question, ground: str) -> None:
        """Show ``question`` on every control, without asking."""
        q = self.question = question
        with self.binding.by_program(), self.held():
            self.task.value, self.shown.value, self.seed.value = q.task, q.shown, q.seed
            self._fit_to_task()
            self.ground.value = ground if ground not in self.ground.disabled_options else "learned"
            for controls, policy in zip(self.policies, (*q.policies, None), strict=False):
                controls.set(policy)
            self._offered = None
            self._place_handles()
            self.about.describe(q.rules)
            self.dial.follow(q)
            self.presets.follow()

    def _place_handles(self) -> None:
        """The agent and the peak stand where the question says."""
        q = self.question
        if self._floor() is not None:
            self.stages.agent = list(q.state)
        peak: list[float] = []
        if isinstance(task := self.cache.task(q.task), HasPeak):
            peak = list(q.peak if q.peak is not None else task.peak)
        self.stages.param.update(peak=[round(value, 3) for value in peak], selected=-1)

    def _fit_to_task(self) -> None:
        """What this task cannot show is greyed out."""
        known = isinstance(self.cache.task(self.question.task), HasTruth)
        if not known:
            self.ground.value = "learned"
        self.ground.disabled_options = [] if known else [name for name in GROUNDS if name != "learned"]
        movable = has_peak(self.question.task)
        self.presets.offer([name for name, preset in PRESETS.items() if preset.peak is None or movable])

    def _floor(self) -> Floor | None:
        """The ground of the present task, where it has one."""
        return floor_of(self.cache.task(self.question.task))

    def _moved_agent(self, event: Any) -> None:
        task = self.cache.task(self.question.task)
        if not isinstance(task, HasFloor):
            return
        state = _numbers(event.new, len(task.floor.axes))
        if state is None:
            self.stages.agent = list(event.old)
            return
        state = task.stand(state)
        if state != self.question.state:
            self.question = replace(self.question, state=state)
            self.changed()
            self.ask()

    def _moved_peak(self, event: Any) -> None:
        if not has_peak(self.question.task):
            return
        peak = _numbers(event.new, self.cache.task(self.question.task).info.action_dim)
        if peak is None:
            self._place_handles()
            return
        peak = tuple(min(1.0, max(-1.0, value)) for value in peak)
        if peak != self.question.peak:
            self.question = replace(self.question, peak=peak)
            self.changed()
            self.ask()

    @property
    def _held(self) -> bool:
        """Whether a hand drags the peak or the dial."""
        return bool(self.stages.dragging) or self.dial.dragging

    def _dragged(self, event: Any) -> None:
        if not event.new:
            self.ask()

    def ask(self) -> None:
        """Ask for the picture of the present question; while the parts are made, say so and ask again."""
        parts, words = self._awaited.ask(self.question.task, self.question.rules)
        base = self.cache.status(self.question.task).parts
        if base is not None and base is not self._offered:
            self._offered = base
            reasons = {name: why for name, rule in RULES.items() if (why := lacking(rule, base))}
            for controls in self.policies:
                controls.disable(reasons, slow_parts(base))
        if parts is not None:
            shown = min(self.question.shown, DRAFT) if self._held else self.question.shown
            self._pictures.ask((replace(self.question, shown=shown), self.ground.value))
            self._waiting.asked()
            return
        self._pictures.drop()
        self._waiting.stop()
        self.say(*words)
        if words.kind == "loading":
            self.again(self.ask)

    def say(self, kind: str, text: str, progress: float | None = None, button: str = "") -> None:
        """Put words over the stages; "" takes them away."""
        notice = {"kind": kind, "text": text, "progress": progress, "button": button}
        if notice != self.stages.notice:  # most pictures come with nothing to say, and that need not be sent
            self.stages.notice = notice

    def _draw(self, asked: tuple[Question, str]) -> Picture:
        question = asked[0]
        parts, task = self.cache.wait(question.task), self.cache.task(question.task)
        picture: Picture = self._desk.draw(asked, question, parts, task)
        return picture

    def _told(self, question: Question) -> None:
        self._set(question, self.ground.value)
        self.changed()
        self.ask()

    def _show(self, asked: tuple[Question, str], picture: Picture | None, error: Exception | None) -> None:
        question, _ = asked
        if question.task != self.question.task:
            return
        self._waiting.came()
        with self.held():
            if picture is None:
                log.warning("steering failed for %s: %s", question, error)
                self.say("error", f"This could not be computed. {told(error)}")
                return
            hint = self.hint or ("" if question.peak is None else stale(question.rules))
            self.say("hint" if hint else "", hint)
            before, self.picture, self.answer = self.picture, picture, picture.answer
            self.plays.forget()
            if before is not None and not self.plays.fit(before.answer.question, question):
                self.plays.leave()
            if before is None or picture.ground is not before.ground:
                self.stages.landscape = landscape_of(picture.ground, *picture.ground_look)
            self._send_frame()
            self.displacement.series = series_of(picture.answer, picture.answer.displacement, zero=True)
            self.dial.ask(question)
            if self._floor() is not None:
                self.plays.ask(question)
            elif picture.truth is None or len(question.policies) > 1:
                self.stages.world = b""
            elif before is None or picture.truth is not before.truth or not self.stages.world:
                self.stages.world = truth_of(picture.truth, picture.answer)

    def _send_frame(self, whole: bool = True) -> None:
        """The stages and the ground; without ``whole`` only the ground, with episodes of a moment ago."""
        if self.answer is None:
            return
        task = self.cache.task(self.answer.question.task)
        with self.held():
            if (floor := floor_of(task)) is not None:
                newest, passing = self.plays.newest, self.plays.passing
                self.stages.world = room_of(passing if newest is None else newest, self.answer, floor, newest is None)
            if whole:
                self._version += 1
                self.stages.frame = frame_of(
                    self.answer, self.plays.newest, self._version, self.stages.selected, ending_of(task), self._held
                )

    def close(self) -> None:
        """Forget what waits."""
        for worker in (self._pictures, self.plays, self.presets):
            worker.drop()
        self.dial.close()
        self._desk.close()


def _numbers(values: Any, count: int) -> tuple[float, ...] | None:
    """``count`` finite numbers from the browser, or None."""
    try:
        point = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        return None
    return point if len(point) == count and np.isfinite(point).all() else None
