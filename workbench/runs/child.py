"""One supervisor of child processes: started, watched, stopped, started again, and never left behind.

`ChildProgram` runs a Python module as its command line would, and writes what it says into a log. `ChildFunction` runs a
function at the other end of a pipe. Both end with the process that started them, even when that one is killed and can tell
nobody: a child sees that its pipe to the parent has closed, is asked to stop, and is killed when it takes too long.

``python -m workbench.runs.child MODULE ...`` is the child's side of a `ChildProgram`.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from workbench.engine.data.regular import open_regular
from workbench.engine.words import UserError, plain

GRACE = 15.0  # seconds that a child has for saving before it is killed
LOG_TAIL = 2**16  # bytes at the end of a log in which its last error is looked for
ERROR = "error: "  # how the command line begins the line that says what went wrong
INTERRUPTED = 130  # exit code of a command that Ctrl-C stopped
ENVIRONMENT = {"OMP_NUM_THREADS": "1"}  # of a program: the sliders of the pages need the other cores


def exit_words(code: int) -> str:
    """``signal SIGKILL`` or ``exit code 3``."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"signal {-code}"


class ChildProcess(ABC):
    """A child process: whether it runs, how it ended, and how it is stopped.

    Attributes
    ----------
    asked_to_stop : bool
        Somebody asked it to stop, and it may still be saving.
    """

    asked_to_stop = False

    @property
    @abstractmethod
    def pid(self) -> int:
        """Its number."""

    @property
    @abstractmethod
    def exit_code(self) -> int | None:
        """None while it runs, minus the number of the signal that ended it."""

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.exit_code is None

    @abstractmethod
    def ask_to_stop(self, number: int = signal.SIGTERM) -> None:
        """Ask it to save and end; it may take its time."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once."""

    @abstractmethod
    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended, at most so long; whether it has."""

    def stop(self, grace: float = GRACE) -> None:
        """Ask it to stop, kill it when it has not after ``grace`` seconds, and wait for its end."""
        if self.is_alive:
            self.ask_to_stop()
            if not self.wait(grace):
                self.kill()
        self.wait()

    def how_it_ended(self) -> str:
        """In words; "" while it runs."""
        return "" if self.exit_code is None else exit_words(self.exit_code)


class ChildProgram(ChildProcess):
    """A Python module that runs as a command, in a session of its own, and its log.

    A Ctrl-C in the parent's terminal does not reach it: the parent passes on what it wants.

    Parameters
    ----------
    module : str
        As for ``python -m``.
    words : sequence of str
        Its arguments.
    log : Path
        Where its output is written.
    append : bool
        Keep what an earlier run wrote there.
    memory : int, optional
        Bytes that it may take for itself, where the system can limit another process (Linux).
    """

    def __init__(
        self, module: str, words: Sequence[str], log: Path, *, append: bool = False, memory: int | None = None
    ) -> None:
        self.log = log
        with log.open("ab" if append else "wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "workbench.runs.child", module, *words],
                stdin=subprocess.PIPE,  # nothing is written: it closes when this process ends
                stdout=output,
                stderr=output,
                env=os.environ | ENVIRONMENT,
                start_new_session=True,
            )
        if memory is not None:
            _limit_memory(self._process.pid, memory)
        threading.Thread(target=self._bury, daemon=True, name=f"wait for {module} {self.pid}").start()

    @property
    def pid(self) -> int:
        """Its number, which is also that of its group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs, minus the number of the signal that ended it."""
        return self._process.poll()

    @property
    def was_stopped(self) -> bool:
        """Whether it ended as one that was told to, or that had nothing left to do."""
        return self.exit_code in (0, INTERRUPTED, -signal.SIGINT, -signal.SIGTERM)

    @property
    def was_killed(self) -> bool:
        """Whether somebody ended it at once, the system perhaps for want of memory."""
        return self.exit_code == -signal.SIGKILL

    def ask_to_stop(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal, on which the commands of the workbench save and end."""
        self.asked_to_stop = True
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it, and what it started, at once."""
        if os.name == "posix" and self.is_alive:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        else:
            self._process.kill()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended, at most so long; whether it has."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_error(self) -> str:
        """The last error that it wrote, in the words of the command line; "" when there is none."""
        return last_error(self.log)

    def _bury(self) -> None:
        """Wait for its end, so that it does not stay in the system's table when nobody looks at it."""
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()


class ChildFunction(ChildProcess):
    """A function in a process of its own, and the pipe to it; one that ended is started again by `restart`.

    Where the system can (not on Windows) and ``preload`` names modules, it is forked from a process that has imported them
    and does nothing else: a new one is there within a tenth of a second, and what they import is in memory once.

    Parameters
    ----------
    function : callable
        ``function(pipe, *arguments)``, that can be imported by its name; it ends when its pipe closes.
    arguments : object
        Which can travel.
    name : str
        Which Linux's list of processes shows too, as far as it has room (15 letters).
    preload : sequence of str
        Modules. Those of the first child of this process that names any count for all.
    most_failed_starts : int, optional
        So many times in a row it may end without `came_up`; without it, it is started again without limit.

    orphan_grace : float
        Seconds that it has to end by itself when its parent is gone.

    Attributes
    ----------
    pipe : Connection
        Replaced by `restart`.
    has_come_up : bool
        It answered since it was started.
    """

    def __init__(
        self,
        function: Callable[..., None],
        *arguments: Any,
        name: str,
        preload: Sequence[str] = (),
        most_failed_starts: int | None = None,
        orphan_grace: float = GRACE,
    ) -> None:
        self._call = (orphan_grace, function, arguments)
        self._name = name
        self._most_failed_starts = most_failed_starts
        self._context = _context(preload)
        self.pipe: Connection
        self._process: Any = None
        self._ending = threading.Lock()
        self._failed_starts = 0
        self._exit_code = 0
        self._start()

    def _start(self) -> None:
        self.has_come_up = False
        self.pipe, theirs = self._context.Pipe()
        try:
            self._process = self._started(theirs)
        except OSError:  # no place for the socket to the process that forks
            if self._context.get_start_method() == "spawn":
                raise
            self._context = multiprocessing.get_context("spawn")
            self._process = self._started(theirs)
        finally:
            theirs.close()

    def _started(self, theirs: Connection) -> Any:
        arguments = (theirs, self._name, *self._call)
        process = self._context.Process(target=_run_until_orphaned, args=arguments, daemon=True, name=self._name)
        process.start()
        return process

    @property
    def pid(self) -> int:
        """Its number; 0 once it is buried."""
        return 0 if self._process is None else int(self._process.pid)

    @property
    def exit_code(self) -> int | None:
        """None while it runs, minus the number of the signal that ended it."""
        if self._process is None:
            return self._exit_code
        code: int | None = self._process.exitcode
        return code

    @property
    def gave_up(self) -> bool:
        """It ended again and again before it had come up: something here is wrong, and it is not started any more."""
        return self._most_failed_starts is not None and self._failed_starts >= self._most_failed_starts

    def came_up(self) -> None:
        """It answers: an end from now on is not a failed start."""
        self.has_come_up = True
        self._failed_starts = 0

    def ask_to_stop(self, number: int = signal.SIGTERM) -> None:
        """Close its pipe, on which it ends; signals it may ignore, for they reach a terminal's whole group."""
        self.asked_to_stop = True
        self.pipe.close()

    def kill(self) -> None:
        """End it at once; it is not started again. Its pipe stays, for somebody may be reading it in another thread."""
        self.asked_to_stop = True
        with suppress(ValueError, AttributeError):  # buried meanwhile
            self._process.kill()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended, at most so long; whether it has. One that has is buried: nothing of it is left."""
        with self._ending:
            if self._process is not None:
                self._process.join(seconds)
                if self._process.exitcode is None:
                    return False
                self._exit_code = self._process.exitcode
                self._process.close()
                self._process = None
                self.pipe.close()
        return True

    def restart(self, grace: float = 0.0) -> str:
        """Start it again in the place of one that ended, or is ended; how that one ended, in words.

        Parameters
        ----------
        grace : float
            Seconds that one which still runs has to end.
        """
        if not self.wait(grace):
            self._process.kill()
            self.wait()
        words = self.how_it_ended()
        self._failed_starts += not self.has_come_up
        self.has_come_up = False
        if not self.asked_to_stop and not self.gave_up:
            self._start()
        return words


def parent_is_alive() -> bool:
    """Whether the process that started this `ChildFunction` still runs; True in one that nobody started so."""
    parent = multiprocessing.parent_process()
    return parent is None or parent.is_alive()


def last_error(log: Path) -> str:
    """The last line of a log that begins with ``error:``, without that word; "" when there is none."""
    try:
        with open_regular(log) as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL))
            lines = file.read(LOG_TAIL).decode(errors="replace").splitlines()
    except (OSError, UserError):
        return ""
    errors = [plain(line) for line in lines if line.startswith(ERROR)]
    return errors[-1].removeprefix(ERROR) if errors else ""


def _context(preload: Sequence[str]) -> Any:
    if preload and "forkserver" in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(preload))
        return context
    return multiprocessing.get_context("spawn")


def _run_until_orphaned(
    pipe: Connection, name: str, grace: float, function: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    """The child's side of a `ChildFunction`."""
    with suppress(OSError):  # another system
        Path("/proc/self/comm").write_text(name)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def outlive() -> None:
        parent.join()
        time.sleep(grace)
        os._exit(1)

    threading.Thread(target=outlive, daemon=True, name="outlive the parent").start()
    function(pipe, *arguments)


def _limit_memory(pid: int, size: int) -> None:
    with suppress(ImportError, AttributeError, OSError, ValueError):  # another system, or it has ended already
        import resource

        resource.prlimit(pid, resource.RLIMIT_DATA, (size, size))


def _stop_when_orphaned() -> None:
    """The child's side of a `ChildProgram`: its standard input closes when the parent ends, however that ends."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    if os.name == "posix":
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    del sys.argv[0]
    threading.Thread(target=_stop_when_orphaned, daemon=True, name="outlive the parent").start()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
