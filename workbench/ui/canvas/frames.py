"""Numbers on their way to the browser: one JSON header and float32 arrays in one block of bytes.

One block per update keeps a picture and its numbers together: the browser never shows half of a change.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def pack(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Join ``header`` and ``arrays`` (as little-endian float32).

    Layout: uint32 length of the header, the header as UTF-8 JSON padded with spaces to a multiple of four bytes, then
    the arrays one after another; ``header["arrays"]`` gives each one's first element and its shape.
    """
    table, place, blocks = {}, 0, []
    for name, array in arrays.items():
        block = np.ascontiguousarray(array, dtype="<f4")
        table[name] = [place, list(block.shape)]
        place += block.size
        blocks.append(block.tobytes())
    text = json.dumps({**header, "arrays": table}, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + b"".join(blocks)


def unpack(block: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Invert `pack`; what the browser does, in Python, for tests."""
    size = int.from_bytes(block[:4], "little")
    header = json.loads(block[4 : 4 + size])
    values = np.frombuffer(block, dtype="<f4", offset=4 + size)
    arrays = {
        name: values[first : first + math.prod(shape)].reshape(shape)
        for name, (first, shape) in header.pop("arrays").items()
    }
    return header, arrays
