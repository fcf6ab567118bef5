"""Writing files so that a crash, a full disk or a killed process never leaves half of one."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workbench.engine.data.hold import FILE as LOCK
from workbench.engine.data.hold import HeldError, Hold

DRAFT = ".draft"
JUST_MADE = 10.0  # seconds in which a draft may not be held yet by the process that makes it
TOO_LITTLE_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disk, quota, or the shell's limit on file sizes


def write_atomic(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` through a temporary file in the same folder, fsync and rename.

    Raises
    ------
    OSError
        The disk is full or the folder cannot be written; nothing is left behind and an older file stays as it was.
    """
    with explained(path, len(content)):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def explained(path: Path, size: int) -> Iterator[None]:
    """Say which file did not fit when writing ``size`` bytes to ``path`` fails for lack of space."""
    try:
        yield
    except OSError as error:
        if error.errno not in TOO_LITTLE_SPACE:
            raise
        reason = {errno.ENOSPC: "disk full", errno.EDQUOT: "disk quota exceeded"}.get(error.errno, "file size limit")
        wanted = f"{max(size / 2**20, 0.1):.1f} MiB for {path} do not fit"
        raise OSError(error.errno, f"{reason}: {wanted}; free some space and run it again") from error


def remove_leftovers(folder: Path, of: str = "*") -> None:
    """Delete what a killed `write_atomic` left in ``folder``, for files whose name matches the pattern ``of``."""
    for path in folder.glob(f".{of}.*.tmp"):
        path.unlink(missing_ok=True)


@contextmanager
def made_folder(path: Path) -> Iterator[None]:
    """Make ``path`` and its missing parents. When the block fails, those of them that are empty are removed again.

    Raises
    ------
    ValueError
        A file stands where a folder is needed.
    """
    missing = []
    for place in (path, *path.parents):
        if place.is_dir():
            break
        if place.exists():
            raise ValueError(f"{place} is a file where a folder is needed; choose another place")
        missing.append(place)
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for place in missing:
            try:
                place.rmdir()
            except OSError:
                break  # it holds something by now
        raise


@contextmanager
def folder_at_once(path: Path) -> Iterator[Path]:
    """Give a draft folder that becomes ``path`` when the block ends without an error: so ``path`` is complete, or not
    there at all.

    Raises
    ------
    ValueError
        Another process made ``path`` meanwhile; what it made stays as it is.
    """
    with made_folder(path.parent):
        _remove_abandoned(path)
        draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=DRAFT))
        try:
            held = Hold(draft)
            draft.chmod(0o777 & ~_umask())
            yield draft
            (draft / LOCK).unlink(missing_ok=True)
            _rename_new(draft, path)
            held.release()
            _sync_folder(path.parent)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def _rename_new(draft: Path, path: Path) -> None:
    try:
        draft.rename(path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        raise ValueError(
            f"{path} was made by another process meanwhile; go on with what is in it, or choose another place"
        ) from None


def _remove_abandoned(path: Path) -> None:
    """Delete the drafts of ``path`` whose process was killed: nobody holds them."""
    for draft in path.parent.glob(f".{glob.escape(path.name)}*{DRAFT}"):
        with suppress(HeldError, OSError):
            if (draft / LOCK).exists() or time.time() - draft.stat().st_mtime > JUST_MADE:
                held = Hold(draft)
                shutil.rmtree(draft, ignore_errors=True)
                held.release()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable (a no-op where folders cannot be opened)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
