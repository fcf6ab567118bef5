"""A store at a URL that fsspec knows (s3://, gs://, memory://, …).

Object stores cannot append and have no locks, so that here

- an appended line is an object of its own, in a folder named as the file;
- nobody waits for anybody: two workers may do the same job or training at the same time. `UrlPlace.write_once` keeps the
  first result where the file system can create exclusively (memory, s3 and gcs with conditional writes). Elsewhere it looks
  first and then writes: of two results that arrive within that moment the later one stays, never both. A job is
  deterministic, so the two agree in everything but wall times;
- trained networks are made in the user's cache folder and copied.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
from platformdirs import user_cache_path

from workbench.engine.data.atomic import write_atomic
from workbench.engine.words import UserError
from workbench.experiments.place import never


class UrlPlace:
    """A place that fsspec reaches.

    Raises
    ------
    UserError
        fsspec does not know the scheme, or its package is missing.
    """

    def __init__(self, url: str) -> None:
        try:
            self._fs, path = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise UserError(f"cannot open the store {url}: {error}") from None
        self._root, self._url = path.rstrip("/"), url
        self._cache = user_cache_path("workbench") / "stores" / hashlib.sha256(url.encode()).hexdigest()[:16]

    @property
    def where(self) -> str:
        """The URL."""
        return self._url

    def read(self, name: str) -> bytes | None:
        """The content of an object; None when there is none."""
        try:
            content: bytes = self._fs.cat_file(self._path(name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """Make or replace an object."""
        self._fs.makedirs(self._parent(name), exist_ok=True)
        self._fs.pipe_file(self._path(name), content)

    def write_once(self, name: str, content: bytes) -> bool:
        """Make an object unless it is there, see the top of this file."""
        self._fs.invalidate_cache()
        if self._fs.exists(self._path(name)):
            return False
        self._fs.makedirs(self._parent(name), exist_ok=True)
        try:
            self._fs.pipe_file(self._path(name), content, mode="create")
        except FileExistsError:
            return False
        except (TypeError, NotImplementedError):  # a file system that knows no exclusive creation
            self._fs.pipe_file(self._path(name), content)
        return True

    def append(self, name: str, line: str) -> None:
        """A line is an object whose name begins with the time."""
        self.write(f"{name}/{time.time_ns():020d}-{uuid.uuid4().hex[:8]}", line.encode())

    def lines(self, name: str) -> list[str]:
        """All lines, by time."""
        return [(self.read(f"{name}/{item}") or b"").decode(errors="replace") for item in self.files(name)]

    def rewrite(self, name: str, lines: list[str]) -> None:
        """Delete the objects, and add one for each line."""
        self.remove(name)
        for line in lines:
            self.append(name, line)

    def listing(self, folder: str) -> dict[str, dict[str, float]]:
        """Folders below ``folder`` with their files; times are not asked for here (0)."""
        stamps: dict[str, dict[str, float]] = {}
        for path in self._find(folder):
            name, _, file = path.partition("/")
            if file:
                stamps.setdefault(name, {})[file.partition("/")[0]] = 0.0
        return stamps

    def files(self, folder: str) -> list[str]:
        """Names of the files in ``folder``."""
        return sorted(path for path in self._find(folder) if "/" not in path)

    def remove(self, folder: str) -> None:
        """Delete everything below ``folder``."""
        if self._fs.exists(self._path(folder)):
            self._fs.rm(self._path(folder), recursive=True)

    def move(self, folder: str, to: str) -> bool:
        """Copy, then delete: a crash in between leaves both, and moving again finishes it."""
        contents = {file: self.read(f"{folder}/{file}".rstrip("/")) or b"" for file in self._find(folder)}
        there = self._find(to)
        if not contents or any(contents.get(file) != self.read(f"{to}/{file}") for file in there):
            return False
        for file, content in contents.items():
            self.write(f"{to}/{file}".rstrip("/"), content)  # an object by itself has no file below it
        self.remove(folder)
        return True

    def stamp(self, names: tuple[str, ...]) -> tuple[float, ...]:
        """The number of objects below each name."""
        return tuple(float(len(self._find(name))) for name in names)

    @contextmanager
    def lock(self, name: str, should_stop: Callable[[], bool] = never) -> Iterator[None]:
        """No locks here."""
        yield

    def working_folder(self, name: str) -> Path:
        """A folder in the user's cache."""
        return self._cache / name

    def publish(self, name: str, last: str) -> None:
        """Copy the working folder, the file ``last`` at the end."""
        folder = self.working_folder(name)
        if self.read(f"{name}/{last}") == (folder / last).read_bytes():
            return
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
        for path in sorted(files, key=lambda path: path == folder / last):
            self.write(f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def fetch(self, name: str, last: str) -> bool:
        """Copy a folder here, the file ``last`` at the end; what the place has counts more than what lies here."""
        folder = self.working_folder(name)
        content, present = self.read(f"{name}/{last}"), folder / last
        if content is None or (present.is_file() and present.read_bytes() == content):
            return present.is_file()
        for file in self._find(name):
            if file != last:
                path = folder / file
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(path, self.read(f"{name}/{file}") or b"")
        write_atomic(present, content)
        return True

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _parent(self, name: str) -> str:
        return self._path(name).rpartition("/")[0]

    def _find(self, folder: str) -> list[str]:
        """Files below ``folder``, relative to it."""
        self._fs.invalidate_cache()
        start = self._path(folder)
        try:
            names = self._fs.find(start)
        except (FileNotFoundError, NotADirectoryError):
            return []
        cut = len(self._fs._strip_protocol(start).rstrip("/")) + 1
        return [path[cut:] for path in names]
