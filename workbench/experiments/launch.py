"""Sweeps that a page starts: ``workbench sweep`` in a child process, which goes on when the page is closed.

The store keeps what is done, so a sweep that was cancelled, or whose server stopped, is started again and goes on.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from workbench.engine.words import UserError
from workbench.experiments.grid import Grid
from workbench.experiments.owners import Owners
from workbench.experiments.store import Store
from workbench.runs.launched import digest

GRACE = 15.0  # seconds a sweep has for stopping its workers before it is killed


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
        self._process: subprocess.Popen[bytes] | None = None
        self._owner, self._command, self._keys = "", "", frozenset[str]()
        self._started, self._found = 0.0, 0  # when, and how many runs were done by then
        self._log = folder.parent / f"{folder.name}-sweep.log"

    def found(self) -> Store | None:
        """The store as it is; None while there is none, for who looks at a page should not make a folder."""
        return Store(self.folder) if self.folder.exists() and any(self.folder.iterdir()) else None

    def store(self) -> Store:
        """The store, made when it is missing: for what writes into it."""
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
            if self._process is not None and self._process.poll() is None:
                raise SweepRefusedError(
                    "a sweep is running on this server already; wait for it, or let its owner cancel it"
                )
            store = self.store()
            left = store.unfinished(keys)
            Owners(store).note(owner, left)
            self._started, self._found = time.monotonic(), len(keys) - len(left)
            self._command, self._keys, self._owner = grid.command(store.where), keys, digest(owner)
            words = shlex.split(self._command)[1:]
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "workbench.cli", *words, "--workers", str(workers)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=os.environ | {"OMP_NUM_THREADS": "1"},
                    start_new_session=True,
                )

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
            if self._process is None or self._process.poll() is not None:
                return
            if not anybody and digest(owner) != self._owner:
                raise SweepRefusedError("this sweep belongs to someone else; only its owner can cancel it")
            self._process.send_signal(signal.SIGINT)

    def state(self) -> SweepState | None:
        """How far the latest sweep of this server is; None when there was none."""
        with self._lock:
            process = self._process
            if process is None:
                return None
            running, code = process.poll() is None, process.returncode
        left = len(self.store().unfinished(self._keys))
        new = len(self._keys) - left - self._found
        eta = (time.monotonic() - self._started) / new * left if running and new > 0 else None
        stopped = code in (None, 0, 130, -signal.SIGINT, -signal.SIGTERM)
        return SweepState(
            running, len(self._keys) - left, len(self._keys), self._command, "" if stopped else self._error(), eta
        )

    def close(self) -> None:
        """End the running sweep: it gets time to stop its workers, then it is killed."""
        with self._lock:
            process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _error(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines() if self._log.exists() else []
        told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        return told[-1] if told else "the sweep stopped without saying why; start it again, it goes on where it was"
