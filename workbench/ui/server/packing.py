"""Pictures as bytes for a pipe whose other end still has the last one: only what changed travels."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from workbench.engine.steering.trace import Trace

LARGE = 1000  # numbers; a smaller array travels again


def size_of(held: dict[int, Any]) -> int:
    """Bytes of what one end keeps of a picture."""
    return sum(_bytes(value) for value in held.values())


def _bytes(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_bytes(part) for part in value.values())
    if isinstance(value, Trace):
        return _bytes(vars(value))
    return int(value.nbytes) if isinstance(value, np.ndarray | torch.Tensor) else 0


def packed(picture: Any, held: dict[int, Any]) -> tuple[tuple[bytes, bytes], dict[int, Any]]:
    """A picture as bytes without what the other end has; and what it has then, by number.

    Parameters
    ----------
    picture : object
    held : dict
        What the other end has: the traces and large arrays of the page's last picture.
    """
    now: dict[int, Any] = {}

    def shared(value: Any) -> int | None:
        if isinstance(value, Trace) or (isinstance(value, np.ndarray) and value.size > LARGE):
            now[id(value)] = value
            return id(value)
        return None

    outline = _dumped(picture, shared)
    new = {number: value for number, value in now.items() if number not in held}
    return (_dumped(new, lambda _: None), outline), now


def unpacked(new: bytes, outline: bytes, held: dict[int, Any]) -> tuple[Any, dict[int, Any]]:
    """Invert `packed`: what was there before is the same object again."""
    have = held | pickle.loads(new)  # noqa: S301
    now: dict[int, Any] = {}

    class Outline(pickle.Unpickler):
        def persistent_load(self, number: int) -> Any:
            now[number] = have[number]
            return have[number]

    return Outline(io.BytesIO(outline)).load(), now


def _dumped(value: Any, number_of: Callable[[Any], int | None]) -> bytes:
    """``value`` pickled; tensors as arrays, which is many times faster; what has a number as that."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, part: Any) -> int | None:
            return number_of(part)

        def reducer_override(self, part: Any) -> Any:
            if type(part) is not torch.Tensor:
                return NotImplemented
            return torch.from_numpy, (part.detach().cpu().numpy(),)

    file = io.BytesIO()
    Pickler(file, protocol=5).dump(value)
    return file.getvalue()
