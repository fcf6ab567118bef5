"""Numbers against numbers: what a figure of measurements draws, whatever it measures."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workbench.engine.digits import exact
from workbench.plots.palette import Look, look


class Series(NamedTuple):
    """One line of a figure: P points, G seeds.

    Attributes
    ----------
    name : str
        In the legend.
    rule : str
        Gives colour and marker.
    x, y : ndarray
        (P,) means.
    low, high : ndarray or None
        (P,) ends of the interval of ``y``.
    seed_x, seed_y : ndarray or None
        (G, P), every seed; NaN where one was not measured.
    labels : tuple of str
        What a pointer over a point reads; one for each point, or none.
    chosen : int or None
        Point that was chosen, which gets a ring.
    dashed : bool
    own_look : Look or None
        Where several lines are of one rule; else the rule's.
    """

    name: str
    rule: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    seed_x: np.ndarray | None = None
    seed_y: np.ndarray | None = None
    labels: tuple[str, ...] = ()
    chosen: int | None = None
    dashed: bool = False
    own_look: Look | None = None

    @property
    def look(self) -> Look:
        """Colour and marker."""
        return self.own_look or look(self.rule)

    def seeds(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The points of each seed, those that were measured."""
        if self.seed_x is None or self.seed_y is None:
            return []
        known = [np.isfinite(x) & np.isfinite(y) for x, y in zip(self.seed_x, self.seed_y, strict=True)]
        return [(x[k], y[k]) for x, y, k in zip(self.seed_x, self.seed_y, known, strict=True) if k.any()]


class Axes(NamedTuple):
    """What stands at the axes: labels with units, and names of places on the horizontal one (instead of numbers)."""

    x: str
    y: str
    ticks: tuple[tuple[float, str], ...] = ()
    title: str = ""
    zero: bool = False  # draw the horizontal line at 0
    log: bool = False  # the vertical axis is logarithmic; what is not above 0 must be NaN


def places(values: np.ndarray) -> tuple[tuple[float, str], ...]:
    """Evenly spaced places for strengths that span orders of magnitude, 0 among them: (place, its name) each."""
    return tuple((float(place), exact(value)) for place, value in enumerate(values))
