"""Threads beside the one that talks to people: the process waits for them, for a while, before it ends.

A thread that is inside torch when the interpreter is torn down makes the process abort. So what they do stops when the process
is `ending`, and the interpreter is torn down once they are gone. One that hangs is not waited for longer than `PATIENCE`.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

PATIENCE = 10.0  # seconds, all threads together

_running: WeakSet[threading.Thread] = WeakSet()


def begin(name: str, work: Callable[..., None], *arguments: Any) -> threading.Thread:
    """Start a thread; long work asks now and then whether the process is `ending`."""
    thread = threading.Thread(target=work, args=arguments, daemon=True, name=name)
    _running.add(thread)
    thread.start()
    return thread


def ending() -> bool:
    """Whether this process ends: nothing that is still being made will be seen."""
    return not threading.main_thread().is_alive()


@atexit.register
def _wait() -> None:
    until = time.monotonic() + PATIENCE
    for thread in list(_running):
        thread.join(max(0.0, until - time.monotonic()))
