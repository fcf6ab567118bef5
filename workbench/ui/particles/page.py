"""The page of particles: the behaviour flow and a rule side by side on the same noise."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import panel as pn
import torch

from workbench.engine.steering.rules import RULES, rules_without_parts
from workbench.ui.controls import STYLE, QuickSlider, RuleControls, choice
from workbench.ui.equations import equations_of, paragraphs_of
from workbench.ui.links import SEEDS, SHOWN, STATES, TASKS, read_link, write_link
from workbench.ui.room import OvertakenError, Play, episodes, stand
from workbench.ui.scene import GRID, Answer, Question, answer, landscape, plane
from workbench.ui.session import CACHE, Cache, Latest
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.page import Page
from workbench.ui.shell.toolbar import Stop
from workbench.ui.stage import Stages, TimeChart, frame_of, landscape_of, room_of, series_of, truth_of

log = logging.getLogger(__name__)
HERE = Path(__file__).parent
WAIT_SECONDS = 0.15


@dataclass(frozen=True)
class Picture:
    """An answer with what stands behind and beside it."""

    answer: Answer
    landscape: np.ndarray
    truth: np.ndarray | None


class ParticlesPage(Page):
    """Stages side by side on linked axes, with what the actions earn, or the room, beside them."""

    name: ClassVar[str] = "particles"
    title: ClassVar[str] = "Particles"
    layout: ClassVar[str] = sidebar({"about": "The rule", "shift": "Shift", "climb": "Q of the particles"})
    tour: ClassVar[tuple[Stop, ...]] = (
        Stop(".wb-task", "Task and rule", "A task brings the data, the behaviour flow and the critic."),
    )

    def __init__(self, arguments: Mapping[str, str], cache: Cache = CACHE) -> None:
        super().__init__(arguments, cache)
        self.question, problems = read_link(arguments)
        self.hint = "This link could not be read in full: " + "; ".join(problems) if problems else ""
        self.answer: Answer | None = None
        self.plays: list[Play] | None = None
        self._version = 0
        self._made: tuple[tuple[Any, ...], np.ndarray] | None = None
        self._before: Answer | None = None
        self._shown_landscape: np.ndarray | None = None
        self._truth: dict[str, np.ndarray] = {}
        self._polling = self._restoring = False
        self._pictures: Latest[Question, Picture] = Latest(self._work, self.later(self._show))
        self._episodes: Latest[Question, list[Play]] = Latest(self._play, self.later(self._show_plays))
        self._make_controls()
        half = dict(sizing_mode="stretch_both", margin=0)
        self.stages = Stages(agent=list(STATES["three_exits"]), sizing_mode="stretch_width", margin=0)
        self.shift = TimeChart(
            heading="Shift from the behaviour flow", note="mean distance at the same flow time, action units", **half
        )
        self.climb = TimeChart(heading="Q of the particles", note="before t = 1 the critic extrapolates", **half)
        self.about = pn.pane.HTML(
            "", stylesheets=[(HERE / "about.css").read_text(encoding="utf-8")], margin=0, sizing_mode="stretch_width"
        )
        if self.question.task == "three_exits":
            self.stages.agent = list(self.question.state)
        self.stages.param.watch(self._moved_agent, "agent")
        self._describe()
        self.cache.retry(self.question.task)
        self.ask()

    def panels(self) -> Mapping[str, Any]:
        """Controls, stages, and three cards."""
        gap = {"gap": "10px"}
        scene = pn.Row(self.task, self.rule, styles=gap, sizing_mode="stretch_width", margin=(0, 0, 10, 0))
        noise = pn.Row(self.shown, self.seed, styles=gap, sizing_mode="stretch_width", margin=0)
        controls = pn.Column(scene, self._settings_place, noise, sizing_mode="stretch_width", margin=0)
        cards = {"about": self.about, "shift": self.shift, "climb": self.climb}
        return {"controls": controls, "main": self.stages, **cards}

    def state(self) -> dict[str, Any]:
        """The question."""
        return write_link(self.question)

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Set every control."""
        self.question, _ = read_link(arguments)
        q, self._restoring = self.question, True
        try:
            self.task.value, self.rule.value, self.shown.value, self.seed.value = q.task, q.rule, q.shown, q.seed
            self._new_settings(q.settings)
            if q.task == "three_exits":
                self.stages.agent = list(q.state)
        finally:
            self._restoring = False
        self._describe()
        self.ask()

    def _make_controls(self) -> None:
        q, offered = self.question, rules_without_parts()
        if q.rule not in offered:  # a link may ask for any rule; the page then says what is missing
            offered[q.rule] = RULES[q.rule]
        self.task = choice("Task", {title: name for name, title in TASKS.items()}, q.task, css_classes=["wb-task"])
        self.rule = choice(
            "Rule",
            {rule.title: name for name, rule in offered.items() if name != "bc"} | {RULES["bc"].title: "bc"},
            q.rule,
            css_classes=["wb-rule"],
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
        self.settings = RuleControls(RULES[q.rule], q.settings)
        self._settings_place = pn.Column(self.settings, margin=0, sizing_mode="stretch_width")
        self.settings.param.watch(self._changed, "values")
        for widget in (self.task, self.rule, self.shown, self.seed):
            widget.param.watch(self._changed, "value")

    def _changed(self, event: Any) -> None:
        """Any control: read them all, and ask."""
        if self._restoring:
            return
        with pn.io.hold():
            if event.obj is self.rule:
                # What both rules have keeps its value only if the user moved it; defaults differ between rules.
                self._new_settings({})
            state = self.question.state
            if event.obj is self.task:
                state = STATES[self.task.value]
                if self.task.value == "three_exits":
                    state = tuple(self.stages.agent)
            self.hint = ""
            self.question = Question(
                self.task.value,
                self.rule.value,
                dict(self.settings.values),
                self.seed.value or 0,
                self.shown.value,
                state,
            )
            if event.obj is self.rule:
                self._describe()
            self.changed()
            self.ask()

    def _new_settings(self, settings: dict[str, Any]) -> None:
        self.settings = RuleControls(RULES[self.rule.value], settings)
        self.settings.param.watch(self._changed, "values")
        self._settings_place.objects = [self.settings]

    def _moved_agent(self, event: Any) -> None:
        if self._restoring:
            return
        try:
            state = tuple(float(value) for value in event.new)
            if len(state) != 4 or not np.isfinite(state).all():
                raise ValueError("four finite numbers")
        except (TypeError, ValueError):
            self.stages.agent = list(event.old)
            return
        state = stand(state)
        if self.question.task == "three_exits" and state != self.question.state:
            self.question = replace(self.question, state=state)
            self.changed()
            self.ask()

    def ask(self) -> None:
        """Ask for the picture of the present question; while the parts are made, say so and ask again."""
        status = self.cache.status(self.question.task)
        if status.parts is not None:
            self._pictures.ask(self.question)
            return
        self._pictures.drop()
        if status.error:
            self.say(
                "error", f"The built-in task could not be made ready; reload the page to try again. {status.error}"
            )
            return
        self.say("loading", f"Training the built-in task… {status.progress:.0%}", status.progress)
        if not self._polling:
            self._polling = True
            self.every(WAIT_SECONDS, self._ask_again)

    def _ask_again(self) -> None:
        self._polling = False
        self.ask()

    def say(self, kind: str, text: str, progress: float | None = None) -> None:
        """Put words over the stages; "" takes them away."""
        self.stages.notice = {"kind": kind, "text": text, "progress": progress}

    def _work(self, question: Question) -> Picture:
        """In a worker thread: the answer and its landscape."""
        parts, task = self.cache.wait(question.task), self.cache.task(question.task)
        found = answer(question, parts, task, self._before)
        self._before = found
        settings = found.traces[1].settings
        key = (question.task, question.state, settings["critic"], settings["pick_aggregate"])
        if self._made is None or self._made[0] != key:
            self._made = (key, landscape(parts, *key[1:]))
        if hasattr(task, "true_reward") and question.task not in self._truth:
            self._truth[question.task] = torch.as_tensor(task.true_reward(plane())).view(GRID, GRID).numpy()
        return Picture(found, self._made[1], self._truth.get(question.task))

    def _play(self, question: Question) -> list[Play]:
        return episodes(question, self.cache.wait(question.task), lambda: self.closed or question != self.question)

    def _show(self, question: Question, picture: Picture | None, error: Exception | None) -> None:
        if question.task != self.question.task:
            return
        with pn.io.hold():
            if picture is None:
                assert error is not None
                log.warning("steering failed for %s: %s", question, error, exc_info=not isinstance(error, ValueError))
                words = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
                self.say("error", f"{RULES[question.rule].title} could not be computed. {words}")
                return
            self.say("hint" if self.hint else "", self.hint)
            self.answer, self.plays = picture.answer, None
            if picture.landscape is not self._shown_landscape:
                self._shown_landscape = picture.landscape
                self.stages.landscape = landscape_of(picture.landscape)
            self._send_frame()
            self.shift.series = series_of(picture.answer, picture.answer.shift, zero=True)
            self.climb.series = series_of(picture.answer, picture.answer.q, zero=False)
            if picture.truth is not None:
                self.stages.world = truth_of(picture.truth, picture.answer)
        if question.task == "three_exits":
            self._episodes.ask(question)

    def _show_plays(self, question: Question, plays: list[Play] | None, error: Exception | None) -> None:
        if question != self.question or self.answer is None or self.answer.question != question:
            return
        if plays is None:
            if isinstance(error, OvertakenError):
                return
            log.warning("episodes failed for %s: %s", question, error)
            return
        self.plays = plays
        with pn.io.hold():
            self._send_frame()

    def _send_frame(self) -> None:
        assert self.answer is not None
        self._version += 1
        question = self.answer.question
        if question.task == "three_exits":
            self.stages.world = room_of(self.plays, question.rule, question.state)
        self.stages.frame = frame_of(self.answer, self.plays, self._version)

    def _describe(self) -> None:
        """The rule's own words: its equation, what it costs, where it comes from."""
        rule = RULES[self.question.rule]
        lines = "".join(f'<div class="line">{line}</div>' for line in equations_of(rule))
        summary, *more = paragraphs_of(rule)
        text = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in more)
        self.about.object = (
            f'<h3>{escape(rule.title)}</h3><p>{escape(summary)}</p><div class="equation">{lines}</div>{text}'
        )

    def close(self) -> None:
        """Forget what waits."""
        self._pictures.drop()
        self._episodes.drop()
