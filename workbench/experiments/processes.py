"""The local executor: spawned processes with one torch thread each. One that dies is replaced and its item done again."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from typing import Any

from workbench.engine.words import UserError
from workbench.experiments.items import Event, Item
from workbench.experiments.store import Store
from workbench.experiments.waiting import Queue
from workbench.runs.child import ChildFunction, parent_is_alive

QUIET = 0.2  # seconds without news after which the caller gets a turn
PATIENCE = 10.0  # seconds that a worker has to stop


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Processes:
    """Work through items in processes of this machine.

    Parameters
    ----------
    workers : int, optional
        As many as there are cores without it.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise UserError(f"workers must be at least 1, got {workers}")
        self._workers = workers or usable_cores()

    @property
    def workers(self) -> int:
        """Number of processes."""
        return self._workers

    def run(self, store: Store, items: list[Item], should_stop: Callable[[], bool]) -> Iterator[Event | None]:
        """As `Executor.run`.

        Raises
        ------
        OSError
            The store cannot be written.
        """
        stop = multiprocessing.get_context("spawn").Event()
        queue = Queue(store, items)
        team = [_Worker(store.where, stop) for _ in range(min(self._workers, len(items)))]
        try:
            while not queue.finished:
                if should_stop() and not stop.is_set():
                    stop.set()
                    yield from queue.stop_waiting()
                for worker in team:
                    if worker.item is None and not stop.is_set():
                        item = queue.next(worker.last)
                        if item is not None:
                            worker.give(item)
                yield from self._news(queue, team, stop.is_set())
                team = [worker for worker in team if not worker.pipe.closed]  # nobody is replaced while stopping
        finally:
            stop.set()
            for worker in team:
                worker.close()

    def _news(self, queue: Queue, team: list[_Worker], stopping: bool) -> Iterator[Event | None]:
        if not team:
            return
        ready = wait([worker.pipe for worker in team], timeout=QUIET)
        if not ready:
            yield None
        for worker in team:
            if worker.pipe not in ready:
                continue
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                item, how = worker.item, worker.bury()
                if item is not None:
                    yield from queue.died(item, how) if not stopping else queue.ended(Event(item.name, "stopped"))
                continue
            if "broken" in message:
                raise OSError(message["broken"])
            event = Event(**message)
            if event.happened in ("begun", "progress"):
                yield event
            else:
                worker.item = None
                yield from queue.ended(event)


class _Worker:
    """A process, and what it works on."""

    def __init__(self, where: str, stop: Any) -> None:
        self._stop = stop
        self._child = ChildFunction(serve, where, stop, name="work for a sweep")
        self.item: Item | None = None
        self.last: str | None = None

    @property
    def pipe(self) -> Connection:
        """To the process; closed once there is none."""
        return self._child.pipe

    def give(self, item: Item) -> None:
        """Let it do ``item``."""
        self.item, self.last = item, item.after or item.name
        with suppress(OSError):  # it died: the next reading of the pipe says so
            self.pipe.send(item.as_dict())

    def bury(self) -> str:
        """Replace a process that died, unless all stop; how it died, in words."""
        self.item, self.last = None, None
        if self._stop.is_set():
            self._child.stop(PATIENCE)
            return self._child.how_it_ended()
        return self._child.restart(PATIENCE)

    def close(self) -> None:
        """End it."""
        self._child.stop(PATIENCE)


def serve(pipe: Connection, where: str, stop: Any) -> None:
    """What a worker process does until its pipe closes."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they reach the whole group; the parent decides
        signal.signal(number, signal.SIG_IGN)
    import torch

    from workbench.experiments.work import Bench, work

    torch.set_num_threads(1)
    store, bench = Store(where), Bench()

    def should_stop() -> bool:
        return bool(stop.is_set()) or not parent_is_alive()  # nobody is left to hear of it

    def tell(event: Event) -> None:
        pipe.send(asdict(event))

    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            item = Item(**pipe.recv())
            try:
                event = work(store, item, bench, should_stop, tell)
            except (BrokenPipeError, ConnectionResetError):
                return
            except OSError as error:
                pipe.send({"broken": f"the store cannot be written: {error}"})
                return
            tell(event)
