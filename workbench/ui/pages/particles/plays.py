"""The episodes that a page of particles plays from where the agent stands."""

from __future__ import annotations

import logging
from collections.abc import Callable

from workbench.ui.server.parts_cache import LONG, Latest
from workbench.ui.shell.page import Page
from workbench.views.caller import OvertakenError, Waiting
from workbench.views.episodes import Play, episodes
from workbench.views.question import Question

log = logging.getLogger(__name__)


class Plays:
    """Plays them in a worker thread, and stops when the reader has moved on.

    Parameters
    ----------
    page : Page
    wanted : callable
        ``wanted()``, the question that the reader asks now.
    show : callable
        ``show()`` once ``newest`` are there.

    Attributes
    ----------
    newest : list of Play or None
        Of the question that was asked last; None until they are played.
    """

    def __init__(self, page: Page, wanted: Callable[[], Question], show: Callable[[], None]) -> None:
        self._page, self._wanted, self._show = page, wanted, show
        self.newest: list[Play] | None = None
        self._question: Question | None = None
        self._latest: Latest[Question, list[Play]] = Latest(self._play, page.later(self._receive), LONG)

    def ask(self, question: Question) -> None:
        """Play the episodes of ``question``."""
        self._question = question
        self._latest.ask(question)

    def forget(self) -> None:
        """Another picture is shown: what was played does not belong to it."""
        self._question = self.newest = None

    @property
    def busy(self) -> bool:
        """Whether something is played or waits."""
        return self._latest.busy

    def drop(self) -> None:
        """Forget what waits."""
        self._latest.drop()

    def _play(self, question: Question) -> list[Play]:
        caller = Waiting(gone=lambda: self._page.closed or question != self._wanted())
        rules = (policy.rule for policy in question.policies)
        return self._page.cache.work(episodes, question, question.task, rules, caller)

    def _receive(self, question: Question, plays: list[Play] | None, error: Exception | None) -> None:
        if question != self._question or question != self._wanted():
            return
        if plays is not None:
            self.newest = plays
            self._show()
        elif not isinstance(error, OvertakenError):
            log.warning("episodes failed for %s: %s", question, error)
