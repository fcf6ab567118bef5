"""Curves of the dial that somebody has had computed: thirty people who open one link wait for one of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

from workbench.engine.models.parts import Parts
from workbench.views.strength_curves import StrengthCurve

KEPT = 256  # curves, of a few kilobytes each


class KnownCurves:
    """The newest curves by what they depend on; for many threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[Parts, StrengthCurve]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, parts: Parts, key: Hashable) -> StrengthCurve | None:
        """The curve of these very parts, or None."""
        with self._lock:
            known = self._kept.get(key)
            if known is None or known[0] is not parts:
                return None
            self._kept.move_to_end(key)
            return known[1]

    def put(self, parts: Parts, key: Hashable, curve: StrengthCurve) -> None:
        """Keep a curve in the place of that of other parts, and of the one that was used longest ago."""
        with self._lock:
            self._kept[key] = (parts, curve)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


CURVES = KnownCurves()
