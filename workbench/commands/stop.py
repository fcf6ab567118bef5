"""Stopping long work by Ctrl-C or SIGTERM without losing it."""

from __future__ import annotations

import signal
import sys
from types import FrameType


class StopOnSignal:
    """Within this block the first Ctrl-C (or SIGTERM) asks the loop to stop after its update, a second interrupts."""

    def __init__(self, saying: str = "stopping after this update, then saving …") -> None:
        self._asked, self._saying = False, saying

    def asked(self) -> bool:
        return self._asked

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        print(f"\n{self._saying}", file=sys.stderr, flush=True)
