"""Where the reader's own settings lie among the curves: they are evaluated with a few episodes."""

from __future__ import annotations

from collections.abc import Callable

from workbench.ui.controls.awaited import Awaited
from workbench.ui.pages.store_page import StorePage
from workbench.ui.server.fault import told
from workbench.ui.server.parts_cache import LONG, Latest
from workbench.views.budget import Here, marks
from workbench.views.caller import Waiting
from workbench.views.question import Question


class MySettings:
    """Evaluates the policies of the link that the reader came with, waiting for their parts where they are being trained.

    Parameters
    ----------
    page : StorePage
    question : callable
        ``question()``, of the page's link.
    show : callable
        ``show(marks)``, in the page's thread.

    Attributes
    ----------
    marks : list of Here
        The last ones; empty before the first.
    """

    def __init__(self, page: StorePage, question: Callable[[], Question], show: Callable[[list[Here]], None]) -> None:
        self._page, self._question, self._show = page, question, show
        self.marks: list[Here] = []
        self.awaited = Awaited(page.cache, self.mark)
        self._latest: Latest[Question, list[Here]] = Latest(self._evaluate, page.later(self._receive), LONG)

    def mark(self) -> None:
        """Evaluate them; while a part is trained, say so and ask again."""
        question = self._question()
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

    def _evaluate(self, question: Question) -> list[Here]:
        rules = (policy.rule for policy in question.policies)
        return self._page.cache.work(marks, question, question.task, rules, Waiting(gone=lambda: self._page.closed))

    def _receive(self, _: Question, marks: list[Here] | None, error: Exception | None) -> None:
        if marks is None:
            self._page.notice.say("error", f"Your settings could not be evaluated. {told(error)}")
            return
        self._page.notice.say("", "")
        self.marks = marks
        self._show(marks)
