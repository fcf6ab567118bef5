"""Folders for a moment, which a process that is killed does not leave behind for long.

All of a process lie in one folder that it holds (`workbench.engine.data.hold`). The kernel gives the hold up when the process
ends, however it ends: so the next start knows which folders nobody owns any more, and never takes a living process's.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from workbench.engine.data.hold import FILE, HeldError, Hold
from workbench.engine.words import UserError

PREFIX = ".workbench-scratch-"
YOUNG = 3600.0  # seconds in which a folder without a lock may be one that its process is about to hold

_lock = threading.Lock()
_own: dict[tuple[int, Path], tuple[Path, Hold | None]] = {}  # by process, for one that was forked owns nothing yet


def scratch_folder(kind: str, beside: Path | None = None) -> Path:
    """A new, empty folder; whoever made it deletes it, and if that process is killed, `clear_scratch` does.

    Parameters
    ----------
    kind : str
        What it is for, as a beginning of its name.
    beside : Path, optional
        A folder on whose disk it must lie; without it the system's folder for temporary files.
    """
    return Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=_held(_place(beside))))


def clear_scratch(beside: Path | None = None) -> int:
    """Delete what processes that have ended left behind; how many processes' folders these were."""
    gone = 0
    place = _place(beside)
    for folder in place.glob(f"{PREFIX}*") if place.is_dir() else ():
        try:
            if not (folder / FILE).exists() and time.time() - folder.stat().st_mtime < YOUNG:
                continue
            hold = Hold(folder)
        except (UserError, OSError):  # its process lives, or it is another person's
            continue
        shutil.rmtree(folder, ignore_errors=True)
        hold.release()
        gone += 1
    return gone


def _place(beside: Path | None) -> Path:
    return Path(tempfile.gettempdir()) if beside is None else beside


def _held(place: Path) -> Path:
    """The folder of this process in ``place``, held."""
    with _lock:
        key = os.getpid(), place
        folder = _own[key][0] if key in _own else None
        if folder is None or not folder.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
            try:
                hold = Hold(folder)
            except (HeldError, OSError):  # no locks here: nobody else takes it for a dead process's either
                hold = None
            _own[key] = folder, hold
        return folder


@atexit.register
def _close() -> None:
    for (process, _), (folder, hold) in _own.items():
        if process == os.getpid():
            shutil.rmtree(folder, ignore_errors=True)
            if hold is not None:
                hold.release()
