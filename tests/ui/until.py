"""Waiting in tests: for something to become true, for a page to have read its store, and whether a process lives."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from workbench.ui.pages.store_page import StoreReading


def until(true: Callable[[], bool], seconds: float = 240.0) -> None:
    """Wait until ``true()``; the limit is for a machine that does much else."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "nothing changed"
        time.sleep(0.01)


def lives(process: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def until_read(reading: StoreReading) -> None:
    """Wait until a page outside a server has shown what it asked for when it was made.

    There it is shown in the worker's thread: a test that sets something meanwhile is taken for the program.
    """
    until(lambda: not reading._latest.busy)
