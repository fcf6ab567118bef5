"""The page of particles: the behaviour flow and a rule side by side on the same noise."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn
import torch
from bokeh.document import Document
from bokeh.models import CustomJS

from workbench.engine.steering.rules import RULES
from workbench.plots.still import equation_svg
from workbench.ui.controls import STYLE, QuickSlider, RuleControls, choice
from workbench.ui.links import SEEDS, SHOWN, STATES, TASKS, read_link, write_link
from workbench.ui.room import OvertakenError, Play, episodes, stand
from workbench.ui.scene import GRID, Answer, Question, answer, landscape, plane
from workbench.ui.session import CACHE, Cache, Latest
from workbench.ui.stage import Stages, TimeChart, frame_of, landscape_of, room_of, series_of, truth_of

log = logging.getLogger(__name__)
HERE = Path(__file__).parent
TITLE = "Workbench – Particles"
WAIT_MS = 150


@dataclass(frozen=True)
class Picture:
    """An answer with what stands behind and beside it."""

    answer: Answer
    landscape: np.ndarray
    truth: np.ndarray | None


class ParticlesPage:
    """One user's page.

    Parameters
    ----------
    arguments : mapping of str to str
        The link's arguments.
    cache : Cache
        Shared by all users.
    """

    def __init__(self, arguments: Mapping[str, str], cache: Cache = CACHE) -> None:
        self.cache = cache
        self.question, problems = read_link(arguments)
        self.hint = "This link could not be read in full: " + "; ".join(problems) if problems else ""
        self.answer: Answer | None = None
        self.plays: list[Play] | None = None
        self._version = 0
        self._made: tuple[tuple[Any, ...], np.ndarray] | None = None
        self._before: Answer | None = None
        self._shown_landscape: np.ndarray | None = None
        self._truth: dict[str, np.ndarray] = {}
        self._document: Document | None = pn.state.curdoc
        self._poll: Any = None
        self._closed = self._loaded = False
        self._early: list[Callable[[], None]] = []
        self._pictures: Latest[Question, Picture] = Latest(self._work, self._later(self._show))
        self._episodes: Latest[Question, list[Play]] = Latest(self._play, self._later(self._show_plays))
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

    def _make_controls(self) -> None:
        q = self.question
        self.task = choice("Task", {title: name for name, title in TASKS.items()}, q.task, css_classes=["wb-task"])
        self.rule = choice(
            "Rule",
            {rule.title: name for name, rule in RULES.items() if name != "bc"} | {RULES["bc"].title: "bc"},
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
        with pn.io.hold():
            if event.obj is self.rule:
                # What both rules have keeps its value only if the user moved it; defaults differ between rules.
                self.settings = RuleControls(RULES[self.rule.value], {})
                self.settings.param.watch(self._changed, "values")
                self._settings_place.objects = [self.settings]
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
            self.ask()

    def _moved_agent(self, event: Any) -> None:
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
        if self._poll is None and self._document is not None:
            self._poll = self._document.add_timeout_callback(self._ask_again, WAIT_MS)

    def _ask_again(self) -> None:
        self._poll = None
        if not self._closed:
            self.ask()

    def say(self, kind: str, text: str, progress: float | None = None) -> None:
        """Put words over the stages; "" takes them away."""
        self.stages.notice = {"kind": kind, "text": text, "progress": progress}

    def _later(self, show: Any) -> Any:
        """Bring a worker's result back to the page's own thread, and not before the browser is ready for it.

        Panel 1.9 drops changes made under `pn.io.hold` after the browser read the document and before it said so.
        """

        def receive(*result: Any) -> None:
            if self._closed:
                return
            if self._loaded:
                show(*result)
            else:
                self._early.append(lambda: show(*result))

        def deliver(*result: Any) -> None:
            if self._document is None:
                show(*result)
            elif not self._closed:
                self._document.add_next_tick_callback(lambda: receive(*result))

        return deliver

    def loaded(self) -> None:
        """The browser is ready: show what came before."""
        self._loaded = True
        early, self._early = self._early, []
        for show in early:
            show()

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
        return episodes(question, self.cache.wait(question.task), lambda: self._closed or question != self.question)

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
        self.stages.frame = frame_of(self.answer, self.plays, self._version, write_link(question))

    def _describe(self) -> None:
        """The rule's own words: its equation, what it costs, where it comes from."""
        rule = RULES[self.question.rule]
        lines = "".join(
            f'<div class="line">{_equation(part)}</div>' for part in rule.equation.split(r"\quad") if part.strip(" ,")
        )
        summary, *more = _paragraphs(rule.__doc__ or "")
        text = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in more)
        self.about.object = (
            f'<h3>{escape(rule.title)}</h3><p>{escape(summary)}</p><div class="equation">{lines}</div>{text}'
        )

    def close(self) -> None:
        """The user left."""
        self._closed = True
        self._pictures.drop()
        self._episodes.drop()


def _paragraphs(docstring: str) -> list[str]:
    """A rule's docstring in plain words: its formula is shown as ``equation``, section numbers are left out."""
    blocks = [" ".join(block.split()) for block in docstring.split("\n\n") if not block.strip().startswith(".. math::")]
    return [re.sub(r" \(methods\.md[^)]*\)|; methods\.md[^.]*|``", "", block) for block in blocks] or [""]


def _equation(latex: str) -> str:
    latex = latex.strip().rstrip(",").strip()
    svg = equation_svg(latex)
    body = svg if svg is not None else f"<code>{escape(latex)}</code>"
    return f'<span role="img" aria-label="{escape(latex)}">{body}</span>'


def particles_page() -> pn.Template:
    """Make one user's page, from the link that was opened."""
    torch.set_num_threads(1)  # two threads a session kept most of 30 sessions from opening (design.md)
    arguments = {name: values[-1].decode("utf-8", "replace") for name, values in pn.state.session_args.items()}
    page = ParticlesPage(arguments)
    pn.state.onload(page.loaded)
    pn.state.on_session_destroyed(lambda _: page.close())
    if pn.state.curdoc is not None:
        lost = "document.documentElement.dataset.connection = "
        pn.state.curdoc.js_on_event("connection_lost", CustomJS(code=f'{lost}"lost"'))
    template = pn.Template((HERE / "page.html").read_text(encoding="utf-8"))
    template.add_variable("css", (HERE / "page.css").read_text(encoding="utf-8"))
    template.add_variable("title", TITLE)
    # Not `title`: Panel would overwrite the variable with its own.
    gap = {"gap": "10px"}
    scene = pn.Row(page.task, page.rule, styles=gap, sizing_mode="stretch_width", margin=(0, 0, 10, 0))
    noise = pn.Row(page.shown, page.seed, styles=gap, sizing_mode="stretch_width", margin=0)
    template.add_panel("controls", pn.Column(scene, page._settings_place, noise, sizing_mode="stretch_width", margin=0))
    template.add_panel("stages", page.stages)
    template.add_panel("shift", page.shift)
    template.add_panel("climb", page.climb)
    template.add_panel("about", page.about)
    return template
