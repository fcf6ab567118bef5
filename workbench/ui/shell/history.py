"""Undo and redo over a page's links: a link says everything, so the history of a page is a list of links."""

from __future__ import annotations

MERGE_SECONDS = 0.8
LENGTH = 200


class History:
    """Links in the order they were shown.

    Parameters
    ----------
    first : str
        The link the page was opened with.
    """

    def __init__(self, first: str) -> None:
        self._past: list[str] = []
        self._now = first
        self._future: list[str] = []
        self._last = -MERGE_SECONDS

    @property
    def can(self) -> dict[str, bool]:
        """Whether there is something to undo, and to redo."""
        return {"undo": bool(self._past), "redo": bool(self._future)}

    def record(self, link: str, seconds: float) -> None:
        """Remember ``link`` as what is shown at time ``seconds``.

        Changes that follow each other within 0.8 s (a slider on its way) are one step.
        """
        if link == self._now:
            return
        if seconds - self._last >= MERGE_SECONDS or not self._past:
            self._past = [*self._past[-LENGTH:], self._now]
        self._now, self._future, self._last = link, [], seconds

    def undo(self) -> str | None:
        """Step back; returns the link to show, None at the beginning."""
        if not self._past:
            return None
        self._future.append(self._now)
        self._now, self._last = self._past.pop(), -MERGE_SECONDS
        return self._now

    def redo(self) -> str | None:
        """Step forward again; None at the end."""
        if not self._future:
            return None
        self._past.append(self._now)
        self._now, self._last = self._future.pop(), -MERGE_SECONDS
        return self._now
