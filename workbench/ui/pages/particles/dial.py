"""The budget dial of the page of particles: its curves are asked for apart from the pictures, and seldom."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.abilities import HasTruth
from workbench.experiments.summary import curves as curves_of_store
from workbench.ui.canvas.dial import Dial, curves_of, looks_beside, scale_of
from workbench.ui.controls.rule import PolicyControls, StopSlider
from workbench.ui.server.draw_processes import Desk
from workbench.ui.server.fault import told
from workbench.ui.server.lab import stamp_of_store, sweeps
from workbench.ui.server.parts_cache import LONG, QUICK, Latest
from workbench.ui.shell.page import Page
from workbench.views.caller import OvertakenError, Waiting
from workbench.views.known_curves import CURVES
from workbench.views.measured import Ride, ride_of, rides
from workbench.views.question import Policy, Question
from workbench.views.strength_curves import (
    DialArtist,
    StrengthCurve,
    effort_of_dial,
    key_of,
    measure,
    of_ride,
    ride_for,
    stops_of,
    strength,
)

log = logging.getLogger(__name__)
KEPT = 16  # curves that were measured on this page


class DialCard:
    """The dial, the controls whose strengths it moves, and the curves that it rides on.

    Parameters
    ----------
    page : Page
    controls : sequence of PolicyControls
        One for each rule; those without a policy have no dot.
    held : callable
        Whether a hand moves what the curves are of.

    Attributes
    ----------
    dial : Dial
    curves : list of StrengthCurve
        What is drawn.
    """

    def __init__(self, page: Page, controls: Sequence[PolicyControls], held: Callable[[], bool]) -> None:
        self._page, self._controls, self._held = page, controls, held
        self.dial = Dial(self._pressed, sizing_mode="stretch_both", margin=0)
        self.curves: list[StrengthCurve] = []
        self._stops: list[tuple[Any, ...]] = []  # of each rule's dial
        self._key: Any = None  # of the curves that are drawn, or on their way
        self._asked: Question | None = None
        self._read: tuple[Any, list[Ride]] = (None, [])  # which task of which state of the store, and its curves
        self._measured: OrderedDict[Hashable, StrengthCurve] = OrderedDict()
        self._measuring: Hashable = None
        self._share = 0.0
        self._desk = Desk(DialArtist)
        self._latest: Latest[tuple[Any, Question], list[StrengthCurve]] = Latest(
            self._compute, page.later(self._show), QUICK, lambda asked: effort_of_dial(asked[1])
        )
        self._long: Latest[tuple[Hashable, Policy, Question], StrengthCurve] = Latest(
            self._play, page.later(self._played), LONG
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
        pairs = list(zip(question.policies, self._stops, strict=True))
        scales = [scale_of(policy.rule, look, stops) for (policy, stops), look in zip(pairs, looks, strict=True)]
        with self._page.binding.by_program(), self._page.held():
            self.dial.places = [stops.index(strength(policy)) for policy, stops in pairs]
            if scales != self.dial.scales:
                self.dial.scales = scales
            self.dial.fresh = self._key_of(question) == self._key and bool(self.curves)

    def ask(self, question: Question, again: bool = False) -> None:
        """Ask for the curves of a question that is shown, unless they are there."""
        if self._held():
            return  # the peak moves under a hand, and every curve with it: they come when it rests
        key = self._key_of(question)
        if key != self._key or again:
            self._key, self._asked = key, question
            self.dial.fresh = False
            self._latest.ask((key, question))

    def close(self) -> None:
        """The page was left."""
        self._measuring = None
        self._latest.drop()
        self._long.drop()
        self._desk.close()

    def _key_of(self, question: Question) -> Any:
        parts = self._page.cache.status(question.task).parts
        return (id(parts), *(key_of(policy, question) for policy in question.policies))

    def _moved(self, event: Any) -> None:
        """A hand on the dial: the rule's own slider follows, and with it everything else."""
        for controls, stops, place in zip(self._shown(), self._stops, event.new, strict=False):
            slider: StopSlider = controls.widgets[controls.rule.strength]
            if isinstance(place, int) and 0 <= place < len(stops) and stops[place] != slider.value:
                slider.put(stops[place])

    def _shown(self) -> list[Any]:
        return [controls.controls for controls in self._controls if controls.controls is not None]

    # In a worker thread

    def _compute(self, asked: tuple[Any, Question]) -> list[StrengthCurve]:
        question = asked[1]
        parts, task = self._page.cache.wait(question.task), self._page.cache.task(question.task)
        keys = [key_of(policy, question) for policy in question.policies]
        known = [CURVES.get(parts, key) for key in keys]
        if not isinstance(task, HasTruth):
            found = self._rides(question.task)
            measured = [self._known(policy, question, found) for policy in question.policies]
            known = [curve or computed for curve, computed in zip(measured, known, strict=True)]
        missing = tuple(policy for policy, curve in zip(question.policies, known, strict=True) if curve is None)
        drawn: list[StrengthCurve] = []
        if missing:
            order = replace(question, policies=missing)
            drawn = self._desk.draw(order, order, parts, task)
            for policy, curve in zip(missing, drawn, strict=True):
                CURVES.put(parts, key_of(policy, question), curve)
        rest = iter(drawn)
        return [next(rest) if curve is None else curve for curve in known]

    def _rides(self, task: str) -> list[Ride]:
        """One's own measured curves of a task: read again once the store has changed."""
        state = (task, stamp_of_store())
        if self._read[0] != state:
            store = sweeps().found()
            self._read = (state, [] if store is None else rides(curves_of_store(store, (task,)), task))
        return self._read[1]

    def _known(self, policy: Policy, question: Question, found: Sequence[Ride]) -> StrengthCurve | None:
        here = self._measured.get(_name(policy, question))
        shipped = ride_of(question.task, policy.rule)
        ride = ride_for(policy, found) or ride_for(policy, [] if shipped is None else [shipped])
        return here if here is not None or ride is None else of_ride(ride)

    def _play(self, asked: tuple[Hashable, Policy, Question]) -> StrengthCurve:
        name, policy, question = asked

        def hear(share: float) -> None:
            self._share = share

        caller = Waiting(hear, lambda: self._page.closed or self._measuring != name)
        return self._page.cache.work(measure, (policy, question.seed), question.task, (policy.rule,), caller)

    # In the page's thread

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
            self.dial.fresh = True
            self._tell()

    def _tell(self) -> None:
        """What is said below: of a curve that nobody measured, that it can be measured; else nothing but its source."""
        unmeasured = [RULES[curve.rule].title for curve in self.curves if curve.source == "promised"]
        names = " and ".join(dict.fromkeys(unmeasured))
        if self._measuring is not None:
            self.dial.param.update(words=f"Measuring what it earns: {self._share:.0%}…", button="Stop")
        elif unmeasured:
            self.dial.param.update(words=f"What {names} earns is not measured.", button="Measure it")
        else:
            self.dial.param.update(words="", button="")

    def _pressed(self) -> None:
        """The button: measure the first curve that is not, or stop that."""
        if self._measuring is not None:
            self._measuring = None
            self._long.drop()
            self._tell()
            return
        question = self._asked
        if question is None:
            return
        for policy, curve in zip(question.policies, self.curves, strict=False):
            if curve.source == "promised":
                self._measuring, self._share = _name(policy, question), 0.0
                self._long.ask((self._measuring, policy, question))
                self._report()
                return

    def _report(self) -> None:
        self._tell()
        if self._measuring is not None:
            self._page.every(1.0, self._report)

    def _played(
        self, asked: tuple[Hashable, Policy, Question], curve: StrengthCurve | None, error: Exception | None
    ) -> None:
        name = asked[0]
        if name != self._measuring or isinstance(error, OvertakenError):
            return
        self._measuring = None
        if curve is None:
            self.dial.param.update(words=f"It could not be measured. {told(error)}", button="Measure it")
            return
        self._measured[name] = curve
        while len(self._measured) > KEPT:
            self._measured.popitem(last=False)
        self._tell()
        if self._asked is not None:
            self.ask(self._asked, again=True)


def _name(policy: Policy, question: Question) -> Hashable:
    """What a curve that was measured in episodes depends on."""
    return key_of(policy, replace(question, state=(), shown=0, peak=None))
