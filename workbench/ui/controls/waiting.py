"""While a picture takes longer than usual, the page says that it waits for its turn or is still being drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.ui.server.parts_cache import Latest
from workbench.ui.shell.page import Page

QUIET = 0.3  # seconds without a picture and without a word
TURN = "Waiting for its turn: others are served before this one…"
DRAWN = "Being drawn; this picture takes longer…"


class Waiting:
    """Says so when the newest picture has not come `QUIET` seconds after it was asked for.

    The page calls `came` when it shows a picture or an error, which replace these words, and `stop` when it says something
    else instead of asking.

    Parameters
    ----------
    page : Page
    latest : Latest
        Where the page asks.
    say : callable
        ``say(kind, text)``.
    """

    def __init__(self, page: Page, latest: Latest[Any, Any], say: Callable[[str, str], None]) -> None:
        self._page, self._latest, self._say = page, latest, say
        self._said = False
        self._stop: Callable[[], None] | None = None

    def asked(self) -> None:
        """The page has asked for a picture."""
        if self._stop is None:  # a hand that goes on asking waits since the first picture that did not come
            self._stop = self._page.soon(QUIET, self._look)

    def came(self) -> None:
        """A picture has come, or an error; of a newer question the wait begins now."""
        self.stop()
        if self._latest.busy:
            self.asked()

    def stop(self) -> None:
        """Nothing is waited for."""
        if self._stop is not None:
            self._stop()
        self._stop, self._said = None, False

    def _look(self) -> None:
        if self._stop is None:
            return
        self._stop = None
        if self._latest.busy:
            self._said = True
            self._say("waiting", TURN if self._latest.waits else DRAWN)
            self.asked()
        elif self._said:  # what came was of a picture that nobody wants any more
            self._said = False
            self._say("", "")
