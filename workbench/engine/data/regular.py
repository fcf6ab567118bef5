"""Reading whole regular files. Refused are pipes, whose reader would wait, devices, which never end, and files with
holes, which are longer than what is stored of them.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from workbench.engine.words import UserError

FLOOR = 64 * 2**20  # bytes that any file may unpack to
RATIO = 100  # beyond that, bytes for each byte that is stored: constant columns compress 1000-fold, whole datasets some 10-fold
KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class OddFileError(UserError):
    """Something that is no regular file, or is larger than it may be; the message says what and the cure."""


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file for reading; a link to one is one.

    Raises
    ------
    OddFileError
        A pipe, socket or device, or a file with holes, of which next to nothing is stored.
    OSError
        No such file, a folder, a link that leads nowhere, or no permission.
    """
    _check(path, os.stat(path))
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _check(path, os.fstat(handle))  # it may have been replaced since it was looked at
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: str | Path, most: int) -> bytes:
    """The content of a regular file of at most ``most`` bytes; raises as `open_regular`."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size  # reading more would set as much memory aside
        if size > most:
            raise OddFileError(
                f"{path}: larger than {most:,} bytes, the most that is read here; put the right file there"
            )
        return file.read(size)


def too_much(declared: int, stored: int) -> bool:
    """Whether ``declared`` bytes are more than a file of ``stored`` bytes may unpack to: 64 MiB, or 100 for each byte."""
    return declared > FLOOR and declared > RATIO * stored


def _check(path: str | Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise OddFileError(f"{path}: is {kind}, a regular file is needed; put the file itself there")
    stored = getattr(status, "st_blocks", None)
    if stored is not None and too_much(status.st_size, 512 * stored):
        raise OddFileError(
            f"{path}: has {status.st_size:,} bytes, of which {512 * stored:,} are stored; the rest is holes. "
            "If it should be so, copy it: cp --sparse=never"
        )
