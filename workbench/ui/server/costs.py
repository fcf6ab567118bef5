"""What a question will cost, estimated from what earlier ones like it have cost."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

KEPT = 512  # shapes
FORGETS = 0.2  # share of a new, lower cost


class Costs:
    """Estimates in seconds of processor time, corrected by every measurement.

    A question of the same shape as an earlier one is expected to cost the same. Any other one is expected to cost its first
    guess, times the factor by which guesses of its kind were wrong. A rise is believed at once and a fall slowly: one
    picture may be cheap only because it could keep parts of the one before, and the next may not.
    """

    def __init__(self) -> None:
        self._shapes: OrderedDict[Hashable, float] = OrderedDict()
        self._kinds: OrderedDict[Hashable, float] = OrderedDict()

    def estimate(self, kind: Hashable, shape: Hashable, guess: float) -> float:
        """Seconds.

        Parameters
        ----------
        kind : hashable
            Questions of one kind have guesses that are wrong by the same factor.
        shape : hashable
            Within a kind, questions of one shape cost the same.
        guess : float
            Seconds, expected before anything was measured.
        """
        known = self._shapes.get((kind, shape))
        return guess * self._kinds.get(kind, 1.0) if known is None else known

    def learn(self, kind: Hashable, shape: Hashable, guess: float, spent: float) -> None:
        """Such a question has cost ``spent`` seconds."""
        _blend(self._shapes, (kind, shape), spent)
        _blend(self._kinds, kind, spent / max(guess, 1e-9))


def _blend(known: OrderedDict[Hashable, float], key: Hashable, new: float) -> None:
    before = known.get(key, new)
    known[key] = max(new, before + FORGETS * (new - before))
    known.move_to_end(key)
    if len(known) > KEPT:
        known.popitem(last=False)
