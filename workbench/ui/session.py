"""What all users of one server share: tasks, and their parts, made once and in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from workbench.engine.models.parts import Parts
from workbench.engine.tasks.registry import make_task

log = logging.getLogger(__name__)
SEED = 0
SHORT = 0.03
Q = TypeVar("Q")
A = TypeVar("A")


@dataclass
class Status:
    """How far the parts of a task are: ``parts`` when ready, ``error`` in words when that failed, else ``progress``."""

    progress: float = 0.0
    parts: Parts | None = None
    error: str = ""


def built_in_parts(task: Any, report: Callable[[float], None]) -> Parts:
    """The parts of a built-in task: closed form where it has them, else trained in some seconds and cached on disk."""
    if hasattr(task, "parts"):
        parts: Parts = task.parts()
        return parts
    # Imported here: a page on a closed-form task never pays for the training code.
    from workbench.engine.training.quick import quick_parts

    training = quick_parts(task, SEED)
    while True:
        try:
            report(float(next(training)))
        except StopIteration as end:
            trained: Parts = end.value
            return trained


class ClosingError(Exception):
    """The server ends: what is being made is not wanted any more."""


class Cache:
    """Tasks and parts by task name, for the whole process.

    Parameters
    ----------
    build : callable
        ``build(task, report) -> Parts``.
    """

    def __init__(self, build: Callable[[Any, Callable[[float], None]], Parts] = built_in_parts) -> None:
        self._build = build
        self._status: dict[str, Status] = {}
        self._tasks: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closing = False

    def task(self, name: str) -> Any:
        """The task; ValueError for an unknown name."""
        with self._lock:
            if name not in self._tasks:
                self._tasks[name] = make_task(name)
            return self._tasks[name]

    def status(self, name: str) -> Status:
        """How far the parts are, starting to make them on the first call; a failed try starts again on `retry`."""
        task = self.task(name)
        with self._lock:
            if name in self._status:
                return self._status[name]
            status = self._status[name] = Status()
        thread = threading.Thread(target=self._make, args=(task, status), daemon=True, name=f"train {name}")
        self._threads.append(thread)
        thread.start()
        thread.join(SHORT)  # a closed form is there before the page is drawn
        return status

    def retry(self, name: str) -> None:
        """Forget a failed try."""
        with self._lock:
            if name in self._status and self._status[name].error:
                del self._status[name]

    def wait(self, name: str) -> Parts:
        """The parts, waiting for them; RuntimeError with the reason when they could not be made."""
        status = self.status(name)
        while status.parts is None:
            if status.error:
                raise RuntimeError(status.error)
            threading.Event().wait(0.05)
        return status.parts

    def close(self, patience: float = 10.0) -> None:
        """Stop what is being made at its next report, and wait for that.

        A thread that is still inside torch when the interpreter is torn down makes the process abort.
        """
        self._closing = True
        for thread in self._threads:
            thread.join(patience)

    def _make(self, task: Any, status: Status) -> None:
        def report(progress: float) -> None:
            if self._closing:
                raise ClosingError
            status.progress = progress

        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # networks of 64 units: a second thread on a busy machine made this seven times slower
        try:
            status.parts = self._build(task, report)
        except ClosingError:
            status.error = "the server is stopping"
        except Exception as error:  # whatever it was, the page must say it instead of loading for ever
            log.exception("making the parts of %s failed", task)
            status.error = f"{type(error).__name__}: {error}"
        finally:
            torch.set_num_threads(threads)


CACHE = Cache()


def parts_for(task_name: str) -> Parts:
    """The parts of a built-in task, from the cache shared by all users; waits while they are trained."""
    return CACHE.wait(task_name)


class Latest(Generic[Q, A]):
    """Answer the newest question only: one at a time in a worker thread, dropping those that newer ones overtook.

    Parameters
    ----------
    work : callable
        ``work(question) -> answer``, in a worker thread.
    deliver : callable
        ``deliver(question, answer, error)``; it must bring the result back to the page's own thread.
    """

    pool = ThreadPoolExecutor(4, thread_name_prefix="steer", initializer=torch.set_num_threads, initargs=(1,))

    def __init__(self, work: Callable[[Q], A], deliver: Callable[[Q, A | None, Exception | None], None]) -> None:
        self._work, self._deliver = work, deliver
        self._lock = threading.Lock()
        self._waiting: list[Q] = []
        self._busy = False

    def ask(self, question: Q) -> None:
        """Ask; an earlier question that has not started is forgotten."""
        with self._lock:
            self._waiting = [question]
            if self._busy:
                return
            self._busy = True
        self._next()

    def drop(self) -> None:
        """Forget what has not started."""
        with self._lock:
            self._waiting = []

    @property
    def busy(self) -> bool:
        """Whether something runs or waits."""
        with self._lock:
            return self._busy

    def _next(self) -> None:
        with self._lock:
            if not self._waiting:
                self._busy = False
                return
            question = self._waiting.pop()
        self.pool.submit(self._work, question).add_done_callback(lambda future: self._done(question, future))

    def _done(self, question: Q, future: Future[A]) -> None:
        error = future.exception()
        try:
            if error is None:
                self._deliver(question, future.result(), None)
            elif isinstance(error, Exception):
                self._deliver(question, None, error)
        finally:
            self._next()
