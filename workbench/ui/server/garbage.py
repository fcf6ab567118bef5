"""Python's garbage collector, run when nobody has to wait for it.

Python collects as pages open, and Panel again after each one closes. A pass over everything that thirty open pages hold takes
half a second, in which no page answers. So once a page is open, its objects are set aside (`gc.freeze`) and those passes see
little. The long pass over all objects is made in a quiet moment after somebody left, and gives the memory back to the system.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

from tornado.ioloop import PeriodicCallback

from workbench.engine.allocator import give_back

TICK = 1.0  # seconds between two looks
SETTLED = 2.0  # seconds until an open page has all its objects
BUSY = 0.02  # share of a processor; one person who moves a slider takes more
PATIENCE = 300.0  # seconds after which the long pass is made although people are busy


class Garbage:
    """Sets objects aside and collects garbage: after `start`, `tick` does every `TICK` seconds what is due.

    Parameters
    ----------
    wall, processor : callable
        Seconds of time, and of this process's processor time.
    """

    def __init__(
        self, wall: Callable[[], float] = time.monotonic, processor: Callable[[], float] = time.process_time
    ) -> None:
        self._wall, self._processor = wall, processor
        self._opened = self._left = float("nan")  # when; NaN while there is nothing to do
        self._before = (wall(), processor())
        self._started = False

    def start(self) -> None:
        """Start to watch, once, in the server's loop."""
        if not self._started:
            self._started = True
            PeriodicCallback(self.tick, 1000 * TICK).start()

    def opened(self) -> None:
        """Somebody opens a page."""
        if self._opened != self._opened:
            self._opened = self._wall()

    def left(self, session_context: Any) -> None:
        """Somebody left."""
        if self._left != self._left:
            self._left = self._wall()

    def tick(self) -> None:
        """Set aside or collect, if it is time to."""
        now, spent = self._wall(), self._processor()
        share = (spent - self._before[1]) / max(1e-9, now - self._before[0])
        self._before = (now, spent)
        if now - self._left > (PATIENCE if share > BUSY else TICK):
            gc.unfreeze()
            gc.collect()
            give_back()
            gc.freeze()
            self._opened = self._left = float("nan")
        elif now - self._opened > SETTLED:
            gc.freeze()
            self._opened = float("nan")


GARBAGE = Garbage()
