"""Threads that work for many sessions in fair turns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

import torch

from workbench.ui.server.costs import Costs
from workbench.ui.server.turns import Turn, Turns
from workbench.views.effort import Effort

HEAVY = 0.1  # seconds of a processor; the pictures that a page opens with take a tenth to a third of it


class Meter(threading.local):
    """Of the work that this thread does: whether it is a heavy one, and seconds that it spends in another process."""

    heavy = False
    elsewhere = 0.0


METER = Meter()


class Crew:
    """Workers, and who of the sessions has them next (`workbench.ui.server.turns`).

    Parameters
    ----------
    name : str
        Of the threads.
    workers : int
    heavy : float
        Seconds from which a piece of work is a heavy one: these together never have the last worker.
    """

    def __init__(self, name: str, workers: int, heavy: float = HEAVY) -> None:
        self._turns: Turns[tuple[Callable[[], None], Effort]] = Turns(workers, heavy)
        self._costs = Costs()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(
            workers, thread_name_prefix=name, initializer=torch.set_num_threads, initargs=(1,)
        )

    def ask(self, key: Hashable, who: Hashable, work: Callable[[], None], effort: Effort) -> None:
        """Do ``work``, which raises nothing, when it is the session's turn; of one key the newest that waits, one at a time."""
        with self._lock:
            self._turns.ask(key, (work, effort), self._costs.estimate(*effort), who)
        self._start()

    def drop(self, key: Hashable) -> bool:
        """Forget what has not started; whether there was something."""
        with self._lock:
            return self._turns.drop(key) is not None

    def waits(self, key: Hashable) -> bool:
        """Whether work of ``key`` waits for its turn."""
        with self._lock:
            return self._turns.waits(key)

    def busy(self, key: Hashable) -> bool:
        """Whether work of ``key`` waits or is done."""
        with self._lock:
            return self._turns.busy(key)

    def _start(self) -> None:
        with self._lock:
            while (turn := self._turns.take()) is not None:
                self._threads.submit(self._work, turn)

    def _work(self, turn: Turn[tuple[Callable[[], None], Effort]]) -> None:
        work, effort = turn.question
        METER.heavy, METER.elsewhere = self._turns.heavy(turn), 0.0
        start = time.thread_time()
        try:
            work()
        finally:
            spent = time.thread_time() - start + METER.elsewhere
            with self._lock:
                self._costs.learn(*effort, spent)
                self._turns.done(turn, spent)
            self._start()
