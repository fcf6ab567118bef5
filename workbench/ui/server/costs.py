"""What a question will cost: from what the last ones like it did."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

KEPT = 512  # shapes
FORGETS = 0.2  # share of a new, lower cost


class Costs:
    """Estimates in seconds of processor time, corrected by every measurement.

    A question of the same shape as an earlier one costs what that did; another one its first guess, times how far guesses
    of its kind were off. A rise is believed at once and a fall slowly: what one picture could keep of the one before
    says little about the next.
    """

    def __init__(self) -> None:
        self._shapes: OrderedDict[Hashable, float] = OrderedDict()
        self._kinds: OrderedDict[Hashable, float] = OrderedDict()

    def estimate(self, kind: Hashable, shape: Hashable, guess: float) -> float:
        """Seconds.

        Parameters
        ----------
        kind : hashable
            What guesses are off by the same factor.
        shape : hashable
            What costs the same, within ``kind``.
        guess : float
            Seconds, before anything was measured.
        """
        known = self._shapes.get((kind, shape))
        return guess * self._kinds.get(kind, 1.0) if known is None else known

    def learn(self, kind: Hashable, shape: Hashable, guess: float, spent: float) -> None:
        """It cost ``spent`` seconds."""
        _blend(self._shapes, (kind, shape), spent)
        _blend(self._kinds, kind, spent / max(guess, 1e-9))


def _blend(known: OrderedDict[Hashable, float], key: Hashable, new: float) -> None:
    before = known.get(key, new)
    known[key] = max(new, before + FORGETS * (new - before))
    known.move_to_end(key)
    if len(known) > KEPT:
        known.popitem(last=False)
