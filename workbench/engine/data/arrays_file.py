"""Arrays in a safetensors file. The format stores every byte that it declares, so reading takes no more memory than the
file has bytes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors.torch import load
from torch import Tensor

from workbench.engine.data.npz import MAX_BYTES
from workbench.engine.data.regular import read_regular
from workbench.engine.words import SaidError


def read_arrays_file(path: Path, digest: str = "", source: str = "its name") -> dict[str, Tensor]:
    """Read a file whose SHA-256 begins with ``digest``, as ``source`` says.

    Raises
    ------
    SaidError
        No such file, no regular one, another digest, or not in the format.
    """
    try:
        content = read_regular(path, MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise SaidError(f"{path} is missing; restore it or train again") from None
    except OSError as error:
        raise SaidError(f"{path} cannot be read ({error.strerror}); restore a copy or train again") from None
    if not hashlib.sha256(content).hexdigest().startswith(digest):
        raise SaidError(
            f"{path} is truncated or was edited (its SHA-256 is not the one in {source}); restore a copy or train again"
        )
    try:
        return load(content)
    except Exception as error:  # beside its own error the library lets through what unknown types of numbers cause
        raise SaidError(f"{path} is no valid safetensors file: {error!r}") from None
