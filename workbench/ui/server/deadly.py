"""Questions that ended the processes which answered them: asked twice, and then refused."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 2  # deaths: one may be chance
KEPT = 64
FORGIVEN = 600.0  # seconds


class Deadly:
    """Counts deaths by question, of whatever session.

    Parameters
    ----------
    clock : callable
        Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: OrderedDict[str, tuple[int, float, str]] = OrderedDict()

    def check(self, kind: type, asked: object) -> bool:
        """Whether a process ended with this question lately.

        Raises
        ------
        ValueError
            Two did: it is not asked a third time.
        """
        with self._lock:
            deaths, when, how = self._found.get(_name(kind, asked), (0, 0.0, "")) if self._found else (0, 0.0, "")
        if deaths == 0 or self._clock() - when > FORGIVEN:
            return False
        if deaths >= MOST:
            minutes = round(FORGIVEN / 60)
            raise ValueError(
                f"Two processes ended while they drew this ({how}), perhaps for want of memory, and it is not tried again for "
                f"{minutes} minutes. Take fewer particles or steps, or change something else."
            )
        return True

    def add(self, kind: type, asked: object, how: str) -> None:
        """A process ended with it; ``how`` in words."""
        name, now = _name(kind, asked), self._clock()
        with self._lock:
            deaths, when, _ = self._found.get(name, (0, now, ""))
            self._found[name] = (1 if now - when > FORGIVEN else deaths + 1, now, how)
            self._found.move_to_end(name)
            if len(self._found) > KEPT:
                self._found.popitem(last=False)

    def survived(self, kind: type, asked: object) -> None:
        """It was answered: the death was chance."""
        if self._found:
            with self._lock:
                self._found.pop(_name(kind, asked), None)


def _name(kind: type, asked: object) -> str:
    return f"{kind.__qualname__} {asked!r}"
