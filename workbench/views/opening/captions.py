"""What is said while the strength rises: three sentences, each computed from the numbers that are shown beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from workbench.engine.digits import figure


class Caption(NamedTuple):
    """One sentence.

    Attributes
    ----------
    name : str
        ``gains``, ``best`` or ``exploited``.
    start : int
        The frame from which on it is said.
    frame : int
        The frame whose numbers it gives.
    text : str
    """

    name: str
    start: int
    frame: int
    text: str


def captions_of(
    words: Sequence[str], shift: np.ndarray, earned: np.ndarray, promised: np.ndarray
) -> tuple[Caption, Caption, Caption]:
    """What a sweep of F ≥ 2 frames shows.

    Parameters
    ----------
    words : sequence of str
        (F,), the strength of every frame in words, as "weight 0.3"; the first one steers nothing.
    shift, earned, promised : ndarray
        (F,) each.
    """
    best, last, none, top = int(earned.argmax()), len(earned) - 1, float(earned[0]), float(earned.max())
    half = int(np.argmax(earned >= none + 0.5 * (top - none)))
    return (
        _gains(words, earned, half, best),
        _best(words, shift, earned, half, best),
        _far(words, earned, promised, best, last),
    )


def _gains(words: Sequence[str], earned: np.ndarray, half: int, best: int) -> Caption:
    if best == 0:
        text = f"Steering gains nothing here: at {words[1]} the actions earn {figure(earned[1])}, unsteered {figure(earned[0])}."
        return Caption("gains", 0, 1, text)
    text = (
        f"A small push pays: at {words[half]} the actions earn {figure(earned[half])}, unsteered {figure(earned[0])}."
    )
    return Caption("gains", 0, half, text)


def _best(words: Sequence[str], shift: np.ndarray, earned: np.ndarray, half: int, best: int) -> Caption:
    if best == 0:
        return Caption("best", 1, 0, f"Best is not to steer: {figure(earned[0])}.")
    text = f"Best at {words[best]}: {figure(earned[best])} earned, for a shift of {figure(shift[best])}."
    return Caption("best", max(half + 1, best - 1) if best > half else best, best, text)


def _far(words: Sequence[str], earned: np.ndarray, promised: np.ndarray, best: int, last: int) -> Caption:
    if best == last:
        text = f"It still pays at {words[last]}, the farthest that was tried: no critic was exploited."
        return Caption("exploited", last, last, text)
    lost = np.flatnonzero(earned[best:] < (earned[0] + earned[best]) / 2.0)
    start = best + int(lost[0]) if lost.size and lost[0] > 0 else (best + last + 1) // 2
    said = f"at {words[last]} the critic promises {figure(promised[last])}, earned is {figure(earned[last])}"
    if earned[last] < earned[0]:
        said += ", less than without steering"
    fooled = promised[last] > max(promised[best], earned[last])
    return Caption(
        "exploited", start, last, f"Too far: {said}. The critic is exploited." if fooled else f"Farther: {said}."
    )
