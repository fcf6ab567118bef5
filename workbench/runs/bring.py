"""Files that visitors of a server bring: where they lie meanwhile, and the processes that look at them.

Nothing that comes from outside is read in the server's own process. An `Upload` writes the pieces that a browser sends into a
folder of its own, within limits, and is gone with the session that made it. An `Errand` (`workbench.runs.brought`) reads them in
a child process with little memory, which can be cancelled.
"""

from __future__ import annotations

import atexit
import json
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from workbench.engine.data.atomic import write_atomic
from workbench.engine.data.records import read_json
from workbench.engine.words import UserError, plain, shown
from workbench.runs.brought import ANSWER, ORDER, PROGRESS
from workbench.runs.child import ChildProgram
from workbench.runs.scratch import scratch_folder

MIB = 2**20
MOST_BYTES = 256 * MIB  # of one upload
MOST_FILES = 20_000  # of one upload: a zarr folder has a file a chunk
MOST_DEPTH = 8  # folders in each other
MOST_TOGETHER = 4 * 2**30  # bytes of all uploads of a server
MOST_ERRANDS = 2  # that run at once, on one server
MEMORY = 6 * 2**30  # bytes that an errand may take for itself
PATIENCE = 600.0  # seconds after which an errand is ended
BESIDE = ("flags.json", "normalization.npz")  # what may lie beside a checkpoint
FORBIDDEN = set('<>:"|?*\\')

State = Literal["waiting", "running", "done"]


class Shelf:
    """All uploads of one server.

    Parameters
    ----------
    most : int
        Bytes of all of them together.
    """

    def __init__(self, most: int = MOST_TOGETHER) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._uploads: set[Upload] = set()
        atexit.register(self.close)

    def open(self, most: int = MOST_BYTES) -> Upload:
        """A new, empty upload that takes ``most`` bytes; who opened it closes it."""
        upload = Upload(self, most)
        with self._lock:
            self._uploads.add(upload)
        return upload

    def check(self, more: int) -> None:
        """Raise `UserError` when ``more`` bytes are more than the server takes now."""
        with self._lock:
            size = sum(upload.size for upload in self._uploads)
        if size + more > self.most:
            raise UserError(
                f"this server holds {size // MIB:,} MiB of visitors' files, {self.most // MIB:,} at most; try again later, or "
                "use the command line: workbench data describe FILE"
            )

    def forget(self, upload: Upload) -> None:
        """It is closed."""
        with self._lock:
            self._uploads.discard(upload)

    def close(self) -> None:
        """Delete everything: the server ends."""
        with self._lock:
            uploads = list(self._uploads)
        for upload in uploads:
            upload.close()


class Upload:
    """Files that one visitor sends, piece by piece.

    Attributes
    ----------
    folder : Path
        Deleted by `close`.
    size : int
        Bytes so far.
    """

    def __init__(self, shelf: Shelf, most: int) -> None:
        self._shelf, self._most = shelf, most
        self.folder = scratch_folder("brought")
        self.size = 0
        self._names: set[str] = set()
        self._lock = threading.Lock()
        self.closed = False

    def add(self, name: str, piece: bytes) -> None:
        """Append ``piece`` to the file ``name``, a path relative to what was chosen.

        Raises
        ------
        UserError
            A name that leads elsewhere, too many files, or too many bytes; nothing of this piece is written.
        OSError
            The disk is full.
        """
        place = safe_name(name)
        with self._lock:
            if self.closed:
                return
            if self.size + len(piece) > self._most:
                raise UserError(
                    f"more than {self._most // MIB:,} MiB, the most that this page takes; on the command line there is no such "
                    "limit: workbench data describe FILE, workbench import FILE --task TASK --out RUN"
                )
            if place not in self._names and len(self._names) >= MOST_FILES:
                raise UserError(f"more than {MOST_FILES:,} files; pack them into fewer, or use workbench data describe")
            self._shelf.check(len(piece))
            path = self.folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab" if place in self._names else "xb") as file:
                file.write(piece)
            self._names.add(place)
            self.size += len(piece)

    def wrote(self, name: str) -> None:
        """An errand wrote the file ``name`` into the folder."""
        with self._lock:
            self._names.add(name)
            self.size += (self.folder / name).stat().st_size

    def path(self) -> Path:
        """What the files are together: one file, a checkpoint with its settings beside it, or a folder.

        Raises
        ------
        UserError
            There is nothing.
        """
        if not self._names:
            raise UserError("nothing was sent; choose a file or a folder")
        tops = sorted({PurePosixPath(name).parts[0] for name in self._names})
        own = [top for top in tops if top not in BESIDE]
        return self.folder / own[0] if len(own) == 1 else self.folder

    def close(self) -> None:
        """Delete the files."""
        with self._lock:
            self.closed = True
            shutil.rmtree(self.folder, ignore_errors=True)
        self._shelf.forget(self)


def safe_name(name: str) -> str:
    """``name`` as a relative path inside a folder; UserError where it would lead out of it or is no plain name."""
    parts = PurePosixPath(name).parts
    good = (
        0 < len(parts) <= MOST_DEPTH
        and not name.startswith("/")
        and all(part not in (".", "..") and len(part.encode()) <= 200 for part in parts)
        and name.isprintable()
        and not FORBIDDEN & set(name)
    )
    if not good:
        raise UserError(f"{shown(name)} is no name of a file that is taken here; rename it: letters, digits, - _ .")
    return "/".join(parts)


class Errand:
    """One thing that is done with brought files, in a process of its own.

    Parameters
    ----------
    order : mapping
        As `workbench.runs.brought.Order`.
    hide : mapping of Path to str
        Folders of this server and the words that messages have in their place.
    """

    _lock = threading.Lock()
    _running: set[Errand] = set()

    def __init__(self, order: Mapping[str, Any], hide: Mapping[Path, str] | None = None) -> None:
        self.order = dict(order)
        self.folder = scratch_folder("errand")
        self._hide = dict(hide or {})
        self._child: ChildProgram | None = None
        self._answer: dict[str, Any] | None = None
        self._since = time.monotonic()
        self.cancelled = False
        write_atomic(self.folder / ORDER, json.dumps(self.order).encode())
        self.look()

    def look(self) -> State:
        """How far it is; one that waits is started when there is room."""
        if self._answer is not None:
            return "done"
        if self._child is None:
            with self._lock:
                if len(self._running) >= MOST_ERRANDS:
                    return "waiting"
                self._running.add(self)
            self._child = ChildProgram(
                "workbench.runs.brought", [str(self.folder)], self.folder / "log.txt", memory=MEMORY
            )
            self._since = time.monotonic()
        if self._child.is_alive and time.monotonic() - self._since < PATIENCE:
            return "running"
        self._end()
        return "done"

    @property
    def seconds(self) -> float:
        """How long it has run, or waited."""
        return time.monotonic() - self._since

    def words(self) -> str:
        """What it does now, as it says itself; "" while it has not said."""
        try:
            return plain(str(read_json(self.folder / PROGRESS)["words"]))
        except (OSError, UserError, KeyError, TypeError):
            return ""

    def answer(self) -> dict[str, Any]:
        """What came of it, once it is done.

        Raises
        ------
        UserError
            It was refused, in words without paths of this server; or its process ended.
        """
        assert self._answer is not None, "it is not done"
        if "done" in self._answer:
            return dict(self._answer["done"])
        raise UserError(self._answer["refused"])

    def cancel(self) -> None:
        """End it and forget it; what it wrote for itself is deleted."""
        self.cancelled = True
        if self._child is not None:
            self._child.kill()  # what it writes lies in folders that are deleted with it
            self._child.wait()
        self._forget()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        child = self._child
        assert child is not None
        late = child.is_alive
        if late:
            child.kill()
        child.wait()
        self._forget()
        try:
            said = read_json(self.folder / ANSWER)
        except (OSError, UserError):
            why = f"took more than {PATIENCE / 60:.0f} minutes" if late else f"ended ({child.how_it_ended()})"
            said = {
                "refused": f"the process that read this {why}, perhaps for want of memory; nothing was kept. On the command line "
                "there is no such limit: workbench data describe FILE"
            }
        if "fault" in said:
            said = {"refused": f"this is a fault of the workbench, not of your file ({said['fault']})"}
        self._answer = self._hidden(said)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _hidden(self, said: Any) -> Any:
        """An answer without the places of this server, in whatever words of it they stand."""
        if isinstance(said, dict):
            return {key: self._hidden(value) for key, value in said.items()}
        if isinstance(said, list):
            return [self._hidden(value) for value in said]
        if not isinstance(said, str):
            return said
        for folder, name in self._hide.items():
            said = said.replace(f"{folder}/", f"{name}/" if name else "").replace(str(folder), name or "these files")
        return said

    def _forget(self) -> None:
        with self._lock:
            self._running.discard(self)
