"""Questions that ended the processes which answered them: asked twice, and then refused."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from workbench.engine.words import UserError

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
        self._deaths: OrderedDict[str, tuple[int, float, str]] = OrderedDict()

    def check(self, kind: Callable[..., Any], asked: object) -> bool:
        """Whether a process ended with this question lately.

        Raises
        ------
        UserError
            Two did: it is not asked a third time.
        """
        with self._lock:
            deaths, when, how = self._deaths.get(_name(kind, asked), (0, 0.0, ""))
        if deaths == 0 or self._clock() - when > FORGIVEN:
            return False
        if deaths >= MOST:
            minutes = round(FORGIVEN / 60)
            raise UserError(
                f"Two processes ended with this ({how}), perhaps for want of memory, and it is not tried again for "
                f"{minutes} minutes. Take fewer particles or steps, or change something else."
            )
        return True

    def add(self, kind: Callable[..., Any], asked: object, how: str) -> None:
        """A process ended with it; ``how`` in words."""
        name, now = _name(kind, asked), self._clock()
        with self._lock:
            deaths, when, _ = self._deaths.get(name, (0, now, ""))
            self._deaths[name] = (1 if now - when > FORGIVEN else deaths + 1, now, how)
            self._deaths.move_to_end(name)
            if len(self._deaths) > KEPT:
                self._deaths.popitem(last=False)

    def survived(self, kind: Callable[..., Any], asked: object) -> None:
        """It was answered: the death was chance."""
        if self._deaths:
            with self._lock:
                self._deaths.pop(_name(kind, asked), None)


def _name(kind: Callable[..., Any], asked: object) -> str:
    return f"{kind.__qualname__} {asked!r}"
