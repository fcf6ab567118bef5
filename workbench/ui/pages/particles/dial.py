"""The budget dial of the page of particles: its curves are asked for apart from the pictures, and seldom."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from workbench.ui.canvas.dial import Dial, curves_of, looks_beside, scale_of
from workbench.ui.controls.rule import PolicyControls, StopSlider
from workbench.ui.server.draw_processes import Desk
from workbench.ui.server.fault import told
from workbench.ui.server.parts_cache import QUICK, Latest
from workbench.ui.shell.page import Page
from workbench.views.question import Question
from workbench.views.strength_curves import DialArtist, StrengthCurve, effort_of_dial, key_of, stops_of, strength

log = logging.getLogger(__name__)


class DialCard:
    """The dial, the controls whose strengths it moves, and the curves that it rides on.

    Parameters
    ----------
    page : Page
    controls : sequence of PolicyControls
        One for each rule; those without a policy have no dot.

    Attributes
    ----------
    dial : Dial
    curves : list of StrengthCurve
        What is drawn.
    """

    def __init__(self, page: Page, controls: Sequence[PolicyControls]) -> None:
        self._page, self._controls = page, controls
        self.dial = Dial(sizing_mode="stretch_both", margin=0)
        self.curves: list[StrengthCurve] = []
        self._stops: list[tuple[Any, ...]] = []  # of each rule's dial
        self._key: Any = None  # of the curves that are drawn, or on their way
        self._desk = Desk(DialArtist)
        self._latest: Latest[tuple[Any, Question], list[StrengthCurve]] = Latest(
            self._compute, page.later(self._show), QUICK, lambda asked: effort_of_dial(asked[1])
        )
        page.binding.bind(self._moved, self.dial, to="places")

    @property
    def dragging(self) -> bool:
        """Whether a hand is on the dial."""
        return bool(self.dial.dragging)

    def follow(self, question: Question) -> None:
        """Stand where the question's strengths are; curves that are of something else fade until theirs come."""
        looks = looks_beside(question.rules)
        self._stops = [stops_of(policy) for policy in question.policies]
        scales = [
            scale_of(policy.rule, look, stops)
            for policy, look, stops in zip(question.policies, looks, self._stops, strict=True)
        ]
        with self._page.binding.by_program(), self._page.held():
            places = [
                stops.index(strength(policy)) for policy, stops in zip(question.policies, self._stops, strict=True)
            ]
            if scales != self.dial.scales:
                self.dial.places = places
                self.dial.scales = scales
            elif places != self.dial.places:
                self.dial.places = places
            self.dial.fresh = self._key_of(question) == self._key and bool(self.curves)

    def ask(self, question: Question) -> None:
        """Compute the curves of a question that is shown, unless they are there."""
        key = self._key_of(question)
        if key != self._key:
            self._key = key
            self.dial.fresh = False
            self._latest.ask((key, question))

    def close(self) -> None:
        """The page was left."""
        self._latest.drop()
        self._desk.close()

    def _key_of(self, question: Question) -> Any:
        parts = self._page.cache.status(question.task).parts
        return (id(parts), *(key_of(policy, question) for policy in question.policies))

    def _sliders(self) -> list[StopSlider]:
        """The sliders of the strengths."""
        shown = [controls.controls for controls in self._controls if controls.controls is not None]
        return [one.widgets[one.rule.strength] for one in shown]

    def _moved(self, event: Any) -> None:
        """A hand on the dial: the rule's own slider follows, and with it everything else."""
        for slider, stops, place in zip(self._sliders(), self._stops, event.new, strict=False):
            if isinstance(place, int) and 0 <= place < len(stops) and stops[place] != slider.value:
                slider.put(stops[place])

    def _compute(self, asked: tuple[Any, Question]) -> list[StrengthCurve]:
        question = asked[1]
        parts, task = self._page.cache.wait(question.task), self._page.cache.task(question.task)
        curves: list[StrengthCurve] = self._desk.draw(question, question, parts, task)
        return curves

    def _show(self, asked: tuple[Any, Question], curves: list[StrengthCurve] | None, error: Exception | None) -> None:
        if asked[0] != self._key:
            return
        with self._page.held():
            if curves is None:
                log.warning("the curves of %s failed: %s", asked[1], error)
                self.dial.words = f"The curves could not be computed. {told(error)}"
                return
            self.curves = curves
            self.dial.curves = curves_of(curves)
            self.dial.words, self.dial.fresh = "", True
