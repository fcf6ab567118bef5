"""Threads that work for many sessions, in turns that are fair."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable

import torch

from workbench.ui.server.costs import Costs
from workbench.ui.server.turns import Turn, Turns
from workbench.views.background import begin, ending
from workbench.views.effort import Effort

log = logging.getLogger(__name__)
HEAVY = 0.1  # seconds of a processor; the pictures that a page opens with take a tenth to a third of it


class Meter(threading.local):
    """About the work of this thread: whether it is heavy, and the seconds that another process has spent on it."""

    heavy = False
    elsewhere = 0.0


METER = Meter()


class Crew:
    """Worker threads; whose question they work on next, `workbench.ui.server.turns` decides.

    Parameters
    ----------
    name : str
        Names the threads.
    workers : int
    heavy : float
        Seconds from which a piece of work counts as heavy. Heavy work never takes the last free worker.
    """

    def __init__(self, name: str, workers: int, heavy: float = HEAVY) -> None:
        self._turns: Turns[tuple[Callable[[], None], Effort]] = Turns(workers, heavy)
        self._costs = Costs()
        self._lock = threading.Lock()
        self._name = name

    def ask(self, key: Hashable, who: Hashable, work: Callable[[], None], effort: Effort) -> None:
        """Do ``work``, which raises nothing, when it is the session's turn.

        Of one key the newest work takes the place of what still waits, and one is done at a time.
        """
        with self._lock:
            self._turns.ask(key, (work, effort), self._costs.estimate(*effort), who)
        self._start()

    def drop(self, key: Hashable) -> bool:
        """Forget the work of ``key`` that has not started; returns whether there was some."""
        with self._lock:
            return self._turns.drop(key) is not None

    def waits(self, key: Hashable) -> bool:
        """Whether work of ``key`` waits for its turn."""
        with self._lock:
            return self._turns.waits(key)

    def busy(self, key: Hashable) -> bool:
        """Whether work of ``key`` waits or is being done."""
        with self._lock:
            return self._turns.busy(key)

    def _start(self) -> None:
        with self._lock:
            while not ending() and (turn := self._turns.take()) is not None:
                begin(self._name, self._work, turn)

    def _work(self, turn: Turn[tuple[Callable[[], None], Effort]] | None) -> None:
        """One turn after the other, as long as there are some."""
        torch.set_num_threads(1)
        while turn is not None:
            self._do(turn)
            with self._lock:
                turn = None if ending() else self._turns.take()
            self._start()  # others that had to stand back, as heavy work before the last worker

    def _do(self, turn: Turn[tuple[Callable[[], None], Effort]]) -> None:
        work, effort = turn.question
        METER.heavy, METER.elsewhere = self._turns.heavy(turn), 0.0
        start = time.thread_time()
        try:
            work()
        except Exception:  # it tells who asked by itself; what still arrives here must not end the others' thread
            log.exception("work of the crew '%s' failed", self._name)
        finally:
            spent = time.thread_time() - start + METER.elsewhere
            with self._lock:
                self._costs.learn(*effort, spent)
                self._turns.done(turn, spent)
