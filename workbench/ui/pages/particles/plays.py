"""The episodes that a page of particles plays from where the agent stands.

While a hand moves something they follow it, some times a second: those that are being played are played to their end, and shown
though the hand has gone on. What takes longer is given up for the newest question, and comes when the hand rests.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from workbench.ui.server.parts_cache import LONG, Latest
from workbench.ui.shell.page import Page
from workbench.views.caller import OvertakenError, Waiting
from workbench.views.episodes import Play, episodes
from workbench.views.question import Question

log = logging.getLogger(__name__)
LIVE = 0.5  # seconds; what takes longer would not follow a hand


class Plays:
    """Plays them in a worker thread, and stops when the reader has moved on and they take long.

    Parameters
    ----------
    page : Page
    wanted : callable
        ``wanted()``, the question that the reader asks now.
    show : callable
        ``show(whole)`` once ``newest`` are there, or (``whole`` is False) only ``passing`` ones.

    Attributes
    ----------
    newest : list of Play or None
        Of the question that was asked last; None until they are played.
    passing : list of Play or None
        Of a question that was asked a moment ago; for the eye, not for numbers.
    """

    def __init__(self, page: Page, wanted: Callable[[], Question], show: Callable[[bool], None]) -> None:
        self._page, self._wanted, self._show = page, wanted, show
        self.newest: list[Play] | None = None
        self.passing: list[Play] | None = None
        self._question: Question | None = None
        self._latest: Latest[Question, list[Play]] = Latest(self._play, page.later(self._receive), LONG)

    def ask(self, question: Question) -> None:
        """Play the episodes of ``question``."""
        self._question = question
        self._latest.ask(question)

    def forget(self) -> None:
        """Another picture is shown: what was played does not belong to it."""
        self._question = self.newest = None

    def leave(self) -> None:
        """Another task, or other rules: nothing that was played belongs there."""
        self.forget()
        self.passing = None

    @staticmethod
    def fit(first: Question, second: Question) -> bool:
        """Whether the episodes of one are to be seen for a moment while the other is shown."""
        return (first.task, first.rules) == (second.task, second.rules)

    @property
    def busy(self) -> bool:
        """Whether something is played or waits."""
        return self._latest.busy

    def drop(self) -> None:
        """Forget what waits."""
        self._latest.drop()

    def _play(self, question: Question) -> list[Play]:
        late = time.monotonic() + LIVE
        caller = Waiting(
            gone=lambda: self._page.closed or (question != self._wanted() and time.monotonic() > late),
        )
        rules = (policy.rule for policy in question.policies)
        return self._page.cache.work(episodes, question, question.task, rules, caller)

    def _receive(self, question: Question, plays: list[Play] | None, error: Exception | None) -> None:
        now = question == self._question and question == self._wanted()
        if plays is not None and now:
            self.newest, self.passing = plays, None
            self._show(True)
        elif plays is not None and self.fit(question, self._wanted()):
            self.passing = plays
            self._show(False)
        elif now and not isinstance(error, OvertakenError):
            log.warning("episodes failed for %s: %s", question, error)
