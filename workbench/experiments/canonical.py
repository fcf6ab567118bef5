"""One spelling for every value, so that the same job always has the same key."""

from __future__ import annotations

import hashlib
import json
from typing import Any

KEY_LENGTH = 20  # hex digits of SHA-256 that name a folder: 80 bits, no two of a billion jobs meet


def canonical_json(value: object) -> str:
    """``value`` as JSON with sorted keys and no spaces; -0.0 is written 0.0.

    Raises
    ------
    ValueError
        NaN or infinity, which JSON does not have.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def key_of(value: object) -> str:
    """The first 20 hex digits of the SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:KEY_LENGTH]


def _plain(value: object) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value + 0.0 if isinstance(value, float) else value
