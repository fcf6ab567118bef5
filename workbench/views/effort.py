"""What a piece of work may cost, as its asker knows it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple


class Effort(NamedTuple):
    """What a piece of work may cost: the estimate's arguments."""

    kind: Hashable
    shape: Hashable = None
    guess: float = 0.02
