"""Where a store lies: a folder of this machine (or a shared one), behind the few operations that a store needs.

What "once" means: `Place.write_once` decides between writers. In a folder it is a hard link, which the file system makes
for one of them only; see `workbench.experiments.url_place` for what other places promise.
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Protocol

from filelock import FileLock, Timeout

from workbench.engine.data.atomic import explained, write_atomic
from workbench.engine.data.regular import read_regular

try:
    import fcntl
except ImportError:  # no such locks on Windows: two lines that are added at once may be mixed there, and are left out
    fcntl = None  # type: ignore[assignment]

MOST = 2**30  # bytes of one file
POLL = 0.1  # seconds between two tries to get a lock


class Stopped(Exception):
    """The caller asked to stop."""


def never() -> bool:
    """Never stop."""
    return False


class Place(Protocol):
    """What a store needs of the place it lies in. Names are relative, with ``/``."""

    @property
    def where(self) -> str:
        """The place as one writes it on a command line."""
        ...

    def read(self, name: str) -> bytes | None:
        """The content of a file; None when there is none."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Make or replace a file; readers see the old content or the new one."""
        ...

    def write_once(self, name: str, content: bytes) -> bool:
        """Make a file unless it is there; says whether this call made it."""
        ...

    def append(self, name: str, line: str) -> None:
        """Add a line; a line that a crash cut short spoils no other one."""
        ...

    def lines(self, name: str) -> list[str]:
        """The lines of a file that `append` wrote."""
        ...

    def rewrite(self, name: str, lines: list[str]) -> None:
        """Replace the lines of a file that `append` wrote."""
        ...

    def listing(self, folder: str) -> dict[str, dict[str, float]]:
        """Folders below ``folder``, each with its files and the time of their last change."""
        ...

    def files(self, folder: str) -> list[str]:
        """Names of the files in ``folder``."""
        ...

    def remove(self, folder: str) -> None:
        """Delete a folder and all in it."""
        ...

    def move(self, folder: str, to: str) -> bool:
        """Give a folder another name; False, and nothing is changed, when it is missing or ``to`` has files already."""
        ...

    def stamp(self, names: tuple[str, ...]) -> tuple[float, ...]:
        """Numbers that differ when one of the files or folders has changed; cheap enough to ask every second."""
        ...

    def lock(self, name: str, should_stop: Callable[[], bool] = never) -> AbstractContextManager[None]:
        """A block that one process at a time may be in, as far as the place knows locks; ``name`` is a file."""
        ...

    def working_folder(self, name: str) -> Path:
        """A folder of this machine that stands for the folder ``name`` of the place."""
        ...

    def publish(self, name: str, last: str) -> None:
        """Bring the working folder to the place; its file ``last`` comes last, so that it marks a complete copy."""
        ...

    def fetch(self, name: str, last: str) -> bool:
        """Bring a folder of the place to its working folder; False when its file ``last`` is not there."""
        ...


class FolderPlace:
    """A folder on a disk, local or shared (NFS)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def where(self) -> str:
        """The path as it was given."""
        return str(self._root)

    def read(self, name: str) -> bytes | None:
        """The content of a regular file; None when there is none."""
        try:
            return read_regular(self._root / name, MOST)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, content: bytes) -> None:
        """Temporary file, fsync, rename."""
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)

    def write_once(self, name: str, content: bytes) -> bool:
        """Temporary file, fsync, then a hard link: the file system makes it for one writer only."""
        path = self._root / name
        if path.exists():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        try:
            write_atomic(draft, content)
            try:
                os.link(draft, path)
            except FileExistsError:
                return False
            except OSError:  # a file system without hard links: the one who makes the file owns it
                return _claim(path, draft)
            return True
        finally:
            draft.unlink(missing_ok=True)

    def append(self, name: str, line: str) -> None:
        """One write under a lock; a line that lacks its end is ended first."""
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = (line + "\n").encode()
        with explained(path, len(content)), path.open("ab+") as file, _locked(file):
            file.seek(0, os.SEEK_END)
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                content = content if file.read(1) == b"\n" else b"\n" + content
            file.write(content)
            file.flush()

    def lines(self, name: str) -> list[str]:
        """All lines; the last one may be cut short."""
        return (self.read(name) or b"").decode(errors="replace").splitlines()

    def rewrite(self, name: str, lines: list[str]) -> None:
        """As `write`."""
        self.write(name, "".join(f"{line}\n" for line in lines).encode())

    def listing(self, folder: str) -> dict[str, dict[str, float]]:
        """Folders below ``folder``, each with its files and their times."""
        stamps: dict[str, dict[str, float]] = {}
        try:
            folders = [entry.name for entry in os.scandir(self._root / folder) if not entry.name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            return stamps
        for name in folders:
            try:
                stamps[name] = {entry.name: _changed(entry) for entry in os.scandir(self._root / folder / name)}
            except (FileNotFoundError, NotADirectoryError):
                continue  # removed in the meantime, or no run
            except OSError:
                stamps[name] = {}  # a link to itself, or no permission: reading it says which
        return stamps

    def files(self, folder: str) -> list[str]:
        """Names of the files in ``folder``."""
        try:
            return sorted(entry.name for entry in os.scandir(self._root / folder) if not entry.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def remove(self, folder: str) -> None:
        """Rename it away, which is one step, then delete it."""
        path = self._root / folder
        away = path.with_name(f".removed-{uuid.uuid4().hex}")
        try:
            path.rename(away)
        except FileNotFoundError:
            return
        if away.is_symlink() or not away.is_dir():
            away.unlink()
        shutil.rmtree(away, ignore_errors=True)

    def move(self, folder: str, to: str) -> bool:
        """Rename it, which the file system does in one step or not at all."""
        path = self._root / to
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            (self._root / folder).rename(path)
        except (FileNotFoundError, FileExistsError):
            return False
        except OSError as error:
            if error.errno == errno.ENOTEMPTY:
                return False
            raise
        return True

    def stamp(self, names: tuple[str, ...]) -> tuple[float, ...]:
        """Time and size of each file."""
        numbers: list[float] = []
        for name in names:
            try:
                stat = (self._root / name).stat()
                numbers += [stat.st_mtime_ns, stat.st_size]
            except (FileNotFoundError, NotADirectoryError):
                numbers += [0, 0]
        return tuple(numbers)

    @contextmanager
    def lock(self, name: str, should_stop: Callable[[], bool] = never) -> Iterator[None]:
        """The kernel's own lock on the file ``name``, made when missing: it ends with its process, however that ends.

        Raises
        ------
        Stopped
            ``should_stop`` said so while waiting.
        """
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, poll_interval=POLL, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire(cancel_check=should_stop)
        except Timeout:
            raise Stopped from None
        try:
            yield
        finally:
            lock.release()

    def working_folder(self, name: str) -> Path:
        """The folder itself."""
        return self._root / name

    def publish(self, name: str, last: str) -> None:
        """It is there already."""

    def fetch(self, name: str, last: str) -> bool:
        """Whether it is there."""
        return (self._root / name / last).is_file()


def open_place(where: str | Path) -> Place:
    """A folder, or with ``scheme://`` whatever fsspec knows; ``file://`` is a folder too."""
    text = str(where)
    if text.startswith("file://"):
        return FolderPlace(Path(text[len("file://") :]))
    if "://" in text:
        from workbench.experiments.url_place import UrlPlace

        return UrlPlace(text)
    return FolderPlace(Path(text).expanduser())


def _changed(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:
        return 0.0  # a link that leads nowhere


def _claim(path: Path, draft: Path) -> bool:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    draft.replace(path)
    return True


@contextmanager
def _locked(file: IO[bytes]) -> Iterator[None]:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)
    yield  # closing the file ends the lock
