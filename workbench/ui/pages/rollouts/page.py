"""The page of rollouts: one rule at two strengths, on the same starts and the same noise."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import panel as pn

from workbench.engine.digits import exact
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.floor import floor_of
from workbench.engine.tasks.outcomes import names_of_outcomes
from workbench.engine.words import UserError
from workbench.plots.markup import html
from workbench.ui.canvas.bokeh_figures import follow_theme, pane, themed
from workbench.ui.controls.awaited import Awaited
from workbench.ui.controls.notice import Notice, number_pane, numbers
from workbench.ui.controls.policy_choice import PolicyChoice
from workbench.ui.controls.rule import STYLE, QuickSlider, RuleControls, StopSlider, choice
from workbench.ui.controls.stories import Stories
from workbench.ui.controls.waiting import TURN
from workbench.ui.pages.rollouts.draw import (
    moments_of,
    paths_figure,
    ranges_of,
    show,
    show_starts,
    starts_figure,
    times_figure,
)
from workbench.ui.pages.rollouts.strip import Scene, Strip
from workbench.ui.pages.rollouts.wait import LatencyControls
from workbench.ui.server.fault import told
from workbench.ui.server.parts_cache import CACHE, LONG, Cache, Latest
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.page import Page
from workbench.ui.shell.sheet import Sheet
from workbench.ui.shell.toolbar import Export, Stop
from workbench.views import snippets
from workbench.views.caller import OvertakenError, Waiting
from workbench.views.fields import fields_of
from workbench.views.rollout_links import EPISODES, MOST, SEEDS, TASKS, chunk_of, read_link, write_link
from workbench.views.rollout_presets import STORIES, tell
from workbench.views.rollouts import Order, Played, as_csv, play_both
from workbench.views.rows import compared, rollout_rows, unplayed_rows

log = logging.getLogger(__name__)


class RolloutsPage(Page):
    """One user's page of rollouts."""

    name: ClassVar[str] = "rollouts"
    title: ClassVar[str] = "Rollouts"
    steers: ClassVar[bool] = True
    layout: ClassVar[str] = sidebar({"starts": "Endings by start", "times": "Time to success by start"})
    tour: ClassVar[tuple[Stop, ...]] = (
        Stop(".wb-rule", "Choose a rule", "Both pictures use this rule, on the same starts and the same noise."),
        Stop(".wb-presets", "Stories", "Each sets both strengths: what a small push, a good one and one too many do."),
        Stop(".wb-strength-a", "Two strengths", "Policy A has this strength, policy B the one below it."),
        Stop(
            ".wb-paths",
            "Every episode",
            "A line is an episode, its mark says how it ended; click a legend's word to hide those.",
        ),
        Stop(".wb-film", "Rendered frames", "One episode as the simulator draws it, for tasks that have a renderer."),
        Stop(
            ".wb-slot-starts",
            "Where it began",
            "Solid is A, dashed is B: better on average may be worse from some starts.",
        ),
    )

    def __init__(self, arguments: Mapping[str, str], cache: Cache = CACHE) -> None:
        super().__init__(arguments, cache)
        self.order, problems = read_link(arguments)
        self.hint = "This link could not be read in full: " + "; ".join(problems) if problems else ""
        self.both: tuple[Played, Played] | None = None
        self._share = 0.0
        self._work: Latest[Order, tuple[Played, Played]] = Latest(self._play, self.later(self._show), LONG)
        self._awaited = Awaited(self.cache, self.ask)
        self.notice = Notice(self._awaited.pressed)
        self._make_controls()
        self.strip = Strip(self, self._scene)
        self._pictures: list[Any] = []
        self._cards: list[Any] = []
        self._numbers: list[Any] = []
        self._make_figures()
        self.cache.retry(self.order.task)
        self.ask()

    def panels(self) -> Mapping[str, Any]:
        """Controls, both pictures, two cards."""
        pair = [
            pn.Column(numbers_, picture, sizing_mode="stretch_width", margin=0, css_classes=["wb-paths"])
            for numbers_, picture in zip(self._numbers, self._pictures, strict=True)
        ]
        grid = pn.FlexBox(*pair, flex_wrap="wrap", gap="18px", margin=0, sizing_mode="stretch_width")
        for one in pair:
            one.styles = {"flex": "1 1 300px", "min-width": "0"}
        top = pn.Row(self.task, self.rule, styles={"gap": "10px"}, sizing_mode="stretch_width", margin=(0, 0, 10, 0))
        end = pn.Row(self.episodes, self.seed, styles={"gap": "10px"}, sizing_mode="stretch_width", margin=0)
        return {
            "controls": pn.Column(
                top, self.task.more, self.stories, self._place, self.wait, end, sizing_mode="stretch_width", margin=0
            ),
            "main": pn.Column(
                self.notice, grid, self.strip, sizing_mode="stretch_width", margin=0, styles={"position": "relative"}
            ),
            "starts": self._cards[0],
            "times": self._cards[1],
        }

    def state(self) -> dict[str, Any]:
        """The order."""
        return write_link(self.order)

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Set every control to what the link says."""
        self.order, _ = read_link(arguments)
        with self.binding.by_program(), self.held():
            self.task.value, self.rule.value = self.order.task, self.order.rule
            self.episodes.value, self.seed.value = self.order.episodes, self.order.seed
            self.wait.put(chunk_of(self.order.task), self.order.delay, self.order.way)
            self._make_settings()
        self.ask()

    def code(self) -> str:
        """Both policies and their endings, as a snippet."""
        return snippets.rollouts(self.order)

    def sheet(self) -> Sheet:
        """Both pictures and the two cards; the saved page plays the episodes."""
        if self.both is None:
            raise UserError("There are no episodes yet; wait until they are played.")
        both, paths = self.both, self._paths
        words = "".join(str(pane_.object) for pane_ in self._numbers)
        rows = [[one.figure for one in paths], [self._starts.figure, self._times.figure]]
        return Sheet(rows, words, lambda: moments_of(paths, both))

    def exports(self) -> tuple[Export, ...]:
        """One line an episode."""
        return (Export("CSV, one line an episode", "rollouts.csv", "text/csv", self._csv),)

    def close(self) -> None:
        """Forget what waits."""
        self._work.drop()
        self.stories.drop()
        self.strip.drop()

    def ask(self) -> None:
        """Play the present order; while the parts are made, say so and ask again."""
        if self._drawn != self.order.task:
            self._make_figures()
        self._follow()
        self.stories.follow()
        parts, words = self._awaited.ask(self.order.task, [self.order.rule])
        if parts is not None:
            self._share = 0.0
            self._work.ask(self.order)
            self._report()
            return
        self._work.drop()
        self.notice.say(*words)
        if words.kind == "loading":
            self.again(self.ask)

    # Controls

    def _make_controls(self) -> None:
        order = self.order
        self.task = PolicyChoice(order.task, TASKS, MOST)
        rules = {rule.title: name for name, rule in RULES.items()}
        self.rule = choice("Rule", rules, order.rule, css_classes=["wb-rule"])
        self.episodes = choice("Episodes", {f"{count:,}": count for count in EPISODES}, order.episodes)
        self.seed = QuickSlider(
            label="Seed",
            start=0,
            end=SEEDS,
            value=order.seed,
            stylesheets=[STYLE],
            margin=0,
            sizing_mode="stretch_width",
            css_classes=["wb-slider", "wb-seed"],
        )
        self.stories = Stories(
            self,
            STORIES,
            lambda: self.order,
            lambda name, order: self.cache.work(tell, (name, order), order.task, (order.rule,)),
            self._told,
            lambda words: self.notice.say("error", words),
            write_link,
        )
        self._place = pn.Column(margin=0, sizing_mode="stretch_width")
        self._make_settings()
        self.wait = LatencyControls(chunk_of(order.task), order.delay, order.way)
        controls = (self.task, self.rule, self.episodes, self.seed, self.wait.delay, self.wait.way)
        self.binding.bind(self._changed, *controls)

    def _told(self, order: Order) -> None:
        self.restore({name: str(value) for name, value in write_link(order).items()})
        self.changed()

    def _make_settings(self) -> None:
        """Sliders of the rule: all settings of A, and the strength of B."""
        rule = RULES[self.order.rule]
        field = next(field for field in fields_of(rule) if field.name == rule.strength)
        first, other = self.order.rules()
        self.settings = RuleControls(rule, first.model_dump())
        self.other = StopSlider(replace(field, title=f"B: {field.title.lower()}"), getattr(other, rule.strength))
        self.binding.bind(self._changed, self.settings, to="values")
        self.binding.bind(self._changed, self.other)
        heads = [
            HTML(html("<b>{}</b>", text), margin=(4, 0, 4, 0), stylesheets=[STYLE], css_classes=[name])
            for text, name in (("Policy A", "wb-strength-a"), ("Policy B, all else as A", "wb-strength-b"))
        ]
        self._place.objects = [heads[1], self.other, heads[0], self.settings]

    def _changed(self, event: Any) -> None:
        with self.held():
            if event.obj is self.rule:
                self.order, _ = read_link({"task": self.task.value, "rule": self.rule.value})
                self._make_settings()
            if event.obj is self.task:
                with self.binding.by_program():
                    self.wait.put(chunk_of(self.task.value), self.wait.delay.value, self.wait.way.value)
            self.wait.follow()
            self.hint = ""
            self.order = Order(
                self.task.value,
                self.rule.value,
                dict(self.settings.values),
                self.other.value,
                self.episodes.value,
                self.seed.value or 0,
                self.wait.delay.value,
                self.wait.way.value,
            )
            self.changed()
            self.ask()

    # Pictures

    def _make_figures(self) -> None:
        task = self.cache.task(self.order.task)
        names = names_of_outcomes(task)
        floor = floor_of(task)
        ranges = ranges_of(floor)
        self._paths = [paths_figure(floor, names, "", ranges) for _ in "AB"]
        self._starts, self._times = starts_figure(names), times_figure()
        self._drawn = self.order.task
        if self._pictures:  # another task than the one that the page was opened with
            self.both = None
            self._wait()
            panes = [*self._pictures, *self._cards]
            for place, made in zip(panes, self._figures(), strict=True):
                themed(made)
                place.object = made
            return
        self._numbers = [number_pane(), number_pane()]
        self._wait()
        self._pictures = [
            pane(paths.figure, sizing_mode="scale_width", max_width=400, css_classes=["wb-paths-picture"])
            for paths in self._paths
        ]
        self._cards = [pane(made.figure, min_height=170) for made in (self._starts, self._times)]
        follow_theme(self._figures(), self.document)

    def _wait(self) -> None:
        """The numbers' places while there are none."""
        for pane_, letter, rule in zip(self._numbers, "AB", self.order.rules(), strict=True):
            strength = f"{rule.strength.replace('_', ' ')} {exact(getattr(rule, rule.strength))}"
            pane_.object = numbers(f"{letter}: {rule.title}", strength, unplayed_rows())

    def _follow(self) -> None:
        """Frames are of the present order and no other; where there are some, the pictures leave them room."""
        self.strip.follow(self.cache.task(self.order.task))
        for picture in self._pictures:
            picture.max_width = 300 if self.strip.visible else 400

    def _scene(self, number: int) -> Scene:
        parts, words = self._awaited.ask(self.order.task, [self.order.rule])
        if parts is None:
            raise UserError(words.text)
        rule = self.order.rules()[number]
        title = f"{'AB'[number]}, {rule.title}, {rule.strength.replace('_', ' ')} {exact(getattr(rule, rule.strength))}"
        return Scene(title, rule, parts, self.cache.task(self.order.task), self.order.seed, self.order.latency())

    def _figures(self) -> list[Any]:
        return [*(paths.figure for paths in self._paths), self._starts.figure, self._times.figure]

    def _play(self, order: Order) -> tuple[Played, Played]:
        """In a worker thread."""

        def hear(share: float) -> None:
            self._share = share

        caller = Waiting(hear, lambda: self.closed or order != self.order)
        return self.cache.work(play_both, order, order.task, (order.rule,), caller)

    def _report(self) -> None:
        """While episodes are played: how far they are."""
        if not self._work.busy:
            return
        if self._work.waits:
            self.notice.say("waiting", TURN)
        elif self._share > 0.0 or self.both is None:
            self.notice.say("loading", f"Playing {2 * self.order.episodes:,} episodes…", self._share)
        self.again(self._report)

    def _show(self, order: Order, both: tuple[Played, Played] | None, error: Exception | None) -> None:
        if order != self.order or isinstance(error, OvertakenError):
            return
        with self.held():
            if both is None:
                log.warning("rollouts failed for %s: %s", order, error)
                self.notice.say("error", f"{RULES[order.rule].title} could not be played. {told(error)}")
                return
            self.both = both
            self.notice.say("hint" if self.hint else "", self.hint)
            for paths, played in zip(self._paths, both, strict=True):
                show(paths, played)
            show_starts(self._starts, self._times, both)
            for pane_, letter, played in zip(self._numbers, "AB", both, strict=True):
                pane_.object = numbers(
                    f"{letter}: {RULES[order.rule].title}", compared(played, both), rollout_rows(played)
                )

    def _csv(self) -> bytes:
        if self.both is None:
            raise UserError("There are no episodes yet; wait until they are played.")
        return as_csv(self.both)
