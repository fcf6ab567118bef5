"""What a dataset looks like in two small histograms: its actions, and the lengths of its episodes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from workbench.engine.data.columns import Arrays

BINS = 24
MOST_DIMS = 8  # lines that an eye can tell apart
MOST_ROWS = 50_000  # of a piece: more do not change the picture


@dataclass(frozen=True)
class Histogram:
    """Counts between edges.

    Attributes
    ----------
    edges : tuple of float
        (n + 1,).
    counts : tuple of tuple of int
        One row of n for each line.
    """

    edges: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return asdict(self)


class Pictures:
    """Collects what the two histograms need, from one piece of a dataset after the other."""

    def __init__(self) -> None:
        self._actions: list[np.ndarray] = []
        self._lengths: list[np.ndarray] = []

    def add(self, plain: Arrays) -> None:
        """One piece in the plain form."""
        actions = np.asarray(plain["actions"])[:: max(1, len(plain["actions"]) // MOST_ROWS), :MOST_DIMS]
        self._actions.append(actions[np.isfinite(actions).all(1)].astype(np.float32))
        ends = np.asarray(plain["ends"], dtype=bool).copy()
        ends[-1:] = True
        self._lengths.append(np.diff(np.flatnonzero(ends), prepend=-1))

    def actions(self) -> Histogram:
        """A line for each of the first 8 numbers of an action, in the file's units."""
        rows = np.concatenate(self._actions)
        if not rows.size:
            return Histogram((), ())
        low, high = float(rows.min()), float(rows.max())
        edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
        return _histogram(list(rows.T), edges)

    def lengths(self) -> Histogram:
        """Episodes by how many rows they have; bins hold whole numbers."""
        lengths = np.concatenate(self._lengths)
        if not len(lengths):
            return Histogram((), ())
        low, high = int(lengths.min()), int(lengths.max())
        width = max(1, -(-(high - low + 1) // BINS))
        edges = low - 0.5 + width * np.arange(-(-(high - low + 1) // width) + 1)
        return _histogram([lengths], edges)


def _histogram(lines: list[np.ndarray], edges: np.ndarray) -> Histogram:
    counts = (np.histogram(line.astype(np.float64), edges)[0] for line in lines)
    return Histogram(tuple(edges.tolist()), tuple(tuple(row.tolist()) for row in counts))
