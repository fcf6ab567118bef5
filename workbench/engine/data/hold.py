"""Folders that one process at a time writes into: the kernel holds the lock, so that it ends with its process.

The lock is a file in the folder. Its text says who holds it, and the error that a second process gets quotes that.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from workbench.engine.data.records import Record, checked, read_json
from workbench.engine.words import SaidError

FILE = ".lock"


class HeldError(SaidError):
    """Another process works in the folder; the message says which, and since when."""


class Holder(Record):
    """Who holds a folder."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


class Hold:
    """A folder that this process holds from now on: until `release`, or until the process ends, however it ends.

    Parameters
    ----------
    folder : Path
        It exists.

    Raises
    ------
    HeldError
        Another process holds it, or another `Hold` of this one.
    OSError
        The folder cannot be written, or lies where the kernel knows no locks; the message says what to do.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, path = folder, folder / FILE
        self._lock = FileLock(path, timeout=0, thread_local=False, fallback_to_soft=False)
        try:
            self._lock.acquire()
        except Timeout:
            who = holder(folder) or "another process"
            raise HeldError(
                f"{folder} is being worked on by {who}; wait for it, or end it, or choose another folder"
            ) from None
        except OSError as error:
            words = error.strerror or str(error)
            raise OSError(
                error.errno,
                f"{folder} cannot be locked ({words}), and without a lock two processes could spoil it; "
                "work in a folder that you may write, on a file system that knows locks",
            ) from error
        me = Holder(pid=os.getpid(), host=socket.gethostname(), since=datetime.now(UTC).isoformat(" ", "seconds")[:19])
        with suppress(OSError):  # on a full disk the lock holds all the same, only nobody can say whose it is
            path.write_text(me.model_dump_json() + "\n", encoding="utf-8")

    def release(self) -> None:
        """Let others in; releasing twice does nothing."""
        if self._lock.is_locked:
            with suppress(
                OSError
            ):  # whoever waits for this very file sees that it has no name any more, and begins anew
                (self.folder / FILE).unlink()
            self._lock.release()


@contextmanager
def held_until_made(folder: Path) -> Iterator[Hold]:
    """Hold ``folder`` for what is being made of it: it goes on holding it, unless it could not be made.

    Parameters and errors as for `Hold`.
    """
    hold = Hold(folder)
    try:
        yield hold
    except BaseException:
        hold.release()
        raise


def holder(folder: Path) -> Holder | None:
    """Which process wrote last that it holds ``folder``; None when none did. Only the lock (`is_held`) knows whether it
    still does.
    """
    try:
        return checked(Holder, read_json(folder / FILE, 10_000))
    except (SaidError, OSError):
        return None


def is_held(folder: Path) -> Holder | None:
    """Who holds ``folder`` now; None when nobody does, or nobody says who."""
    if not (folder / FILE).exists():
        return None
    try:
        Hold(folder).release()
    except HeldError:
        return holder(folder)
    except OSError:
        return None
    return None
