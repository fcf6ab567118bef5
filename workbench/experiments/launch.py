"""Sweeps that a page starts: ``workbench sweep`` in a child process, which goes on when the page is closed.

It ends with its server. The store keeps what is done, so a sweep that was cancelled, or whose server stopped, is started
again and goes on.
"""

from __future__ import annotations

import shlex
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from workbench.engine.words import UserError
from workbench.experiments.grid import Grid
from workbench.experiments.owners import Owners
from workbench.experiments.store import Store
from workbench.runs.child import ChildProgram
from workbench.runs.owner import digest


class SweepRefusedError(UserError):
    """A sweep that cannot be started or stopped; the message says why and what to do."""


@dataclass(frozen=True)
class SweepState:
    """How far the latest sweep is.

    Attributes
    ----------
    running : bool
    done, total : int
        Of its jobs.
    command : str
        What to write to run it again.
    eta_seconds : float or None
        Time left at the pace so far; None until a run of this sweep is done.
    error : str
        Why it ended early, in the words of the command line; "" when it did not.
    """

    running: bool
    done: int
    total: int
    command: str
    error: str
    eta_seconds: float | None = None


class Sweeps:
    """The sweeps of one server into one store, one at a time.

    Parameters
    ----------
    folder : Path
        Of the store; it is made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._child: ChildProgram | None = None
        self._owner = ""
        self._command = ""
        self._keys = frozenset[str]()
        self._started = 0.0
        self._done_before = 0  # runs of it that were done when it started
        self._log = folder.parent / f"{folder.name}-sweep.log"

    def found(self) -> Store | None:
        """The store as it is, or None while there is none: looking at a page should not make a folder."""
        return Store(self.folder) if self.folder.exists() and any(self.folder.iterdir()) else None

    def store(self) -> Store:
        """The store, made when it is missing: for callers that write into it."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        return Store(self.folder, create=True)

    def start(self, owner: str, grid: Grid, workers: int = 1) -> None:
        """Start a sweep.

        Raises
        ------
        SweepRefusedError
            One is running.
        UserError
            A grid with unknown names or values out of bounds.
        """
        keys = frozenset(job.key for job in grid.jobs())
        with self._lock:
            if self._child is not None and self._child.is_alive:
                raise SweepRefusedError(
                    "a sweep is running on this server already; wait for it, or let its owner cancel it"
                )
            store = self.store()
            left = store.unfinished(keys)
            Owners(store).note(owner, left)
            self._started = time.monotonic()
            self._done_before = len(keys) - len(left)
            self._command = grid.command(store.where)
            self._keys = keys
            self._owner = digest(owner)
            words = shlex.split(self._command)[1:]
            self._child = ChildProgram("workbench.cli", [*words, "--workers", str(workers)], self._log)

    def cancel(self, owner: str, *, anybody: bool = False) -> None:
        """Stop the running sweep; what is done stays.

        Parameters
        ----------
        owner : str
        anybody : bool
            Everybody may: a server of one person, whose browsers may be several.

        Raises
        ------
        SweepRefusedError
            It belongs to someone else.
        """
        with self._lock:
            if self._child is None or not self._child.is_alive:
                return
            if not anybody and digest(owner) != self._owner:
                raise SweepRefusedError("this sweep belongs to someone else; only its owner can cancel it")
            self._child.ask_to_stop(signal.SIGINT)

    def state(self) -> SweepState | None:
        """How far the latest sweep of this server is; None when there was none."""
        with self._lock:
            child = self._child
        if child is None:
            return None
        running = child.is_alive  # asked before the store is: what is done when it ends is counted
        left = len(self.store().unfinished(self._keys))
        new = len(self._keys) - left - self._done_before
        eta = (time.monotonic() - self._started) / new * left if running and new > 0 else None
        error = "" if running or child.was_stopped else child.last_error() or self._silent_end(child)
        return SweepState(running, len(self._keys) - left, len(self._keys), self._command, error, eta)

    def close(self) -> None:
        """End the running sweep: it gets time to stop its workers, then all of them are killed."""
        with self._lock:
            child = self._child
        if child is not None:
            child.stop()

    @staticmethod
    def _silent_end(child: ChildProgram) -> str:
        return f"the sweep stopped without saying why ({child.how_it_ended()}); start it again, it goes on where it was"
