"""Where the reader's own settings lie among the curves: they are evaluated with a few episodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from workbench.experiments.summary import Curve
from workbench.ui.controls.awaited import Awaited
from workbench.ui.pages.store_page import StorePage
from workbench.ui.server.fault import told
from workbench.ui.server.parts_cache import LONG, Latest
from workbench.views.budget import Here, marks, on_curve
from workbench.views.caller import Waiting
from workbench.views.policies import find
from workbench.views.question import Question


class MySettings:
    """Evaluates the policies of the link that the reader came with, waiting for their parts where they are being trained.

    Parameters
    ----------
    page : StorePage
    question : callable
        ``question()``, the policies of the page's link on the task that is shown.
    curves : callable
        ``curves()``, those that are shown: settings that one of them was measured with are read off it.
    show : callable
        ``show(marks)``, in the page's thread.

    Attributes
    ----------
    marks : list of Here
        The last ones; empty before the first.
    """

    def __init__(
        self,
        page: StorePage,
        question: Callable[[], Question],
        curves: Callable[[], list[Curve]],
        show: Callable[[list[Here]], None],
    ) -> None:
        self._page, self._question, self._curves, self._show = page, question, curves, show
        self.marks: list[Here] = []
        self.awaited = Awaited(page.cache, self.mark)
        self._latest: Latest[Question, list[Here]] = Latest(self._evaluate, page.later(self._receive), LONG)

    def mark(self) -> None:
        """Evaluate them; while a part is trained, say so and ask again."""
        with self._page.held():
            self._mark()

    def _mark(self) -> None:
        question = self._question()
        read_off = self._read_off(question)
        found = [mark for mark in read_off if mark is not None]
        if len(found) == len(read_off):
            self._receive(question, found, None)
            return
        parts, words = self.awaited.ask(question.task, [policy.rule for policy in question.policies])
        if parts is not None:
            self._page.notice.say("loading", "Evaluating your settings…")
            self._latest.ask(question)
            return
        self._page.notice.say(*words)
        if words.kind == "loading":
            self._page.again(self.mark)

    def drop(self) -> None:
        """Forget what waits."""
        self._latest.drop()

    def forget(self) -> None:
        """Another task is shown: the marks were of the one before."""
        self.marks = []
        self._latest.drop()

    def _evaluate(self, question: Question) -> list[Here]:
        read_off = self._read_off(question)
        rest = tuple(policy for policy, mark in zip(question.policies, read_off, strict=True) if mark is None)
        rules, waits = [policy.rule for policy in rest], Waiting(gone=lambda: self._page.closed)
        found = iter(self._page.cache.work(marks, replace(question, policies=rest), question.task, rules, waits))
        return [next(found) if mark is None else mark for mark in read_off]

    def _read_off(self, question: Question) -> list[Here | None]:
        """Where each policy lies on a curve; a run's own policy lies on none: they were measured with others."""
        curves = self._curves() if find(question.task).run is None else []
        return [on_curve(policy, curves) for policy in question.policies]

    def _receive(self, question: Question, marks: list[Here] | None, error: Exception | None) -> None:
        if question.task != self._question().task:
            return
        if marks is None:
            self._page.notice.say("error", f"Your settings could not be evaluated. {told(error)}")
            return
        self._page.notice.say("", "")
        self.marks = marks
        self._show(marks)
