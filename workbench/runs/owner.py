"""Who started something: a browser's secret, of which only the digest is written down."""

from __future__ import annotations

import hashlib


def digest(secret: str) -> str:
    """What is kept of an owner's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
