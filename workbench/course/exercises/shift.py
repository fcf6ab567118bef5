"""Lesson 6, return against shift: honest choice, and comparison at equal shift."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.course.answers import choice, function
from workbench.course.exercise import Compared, Mistake

SHIFT = [0.0, 0.08, 0.2, 0.5, 0.9]
RETURN = [0.15, 0.52, 0.74, 0.55, 0.22]
# the same curve, not in order
MIXED = [0.5, 0.0, 0.9, 0.2, 0.08]
PAID = [0.55, 0.15, 0.22, 0.74, 0.52]
# two points, falling
FEW = [0.4, 0.1]
EARNED = [0.3, 0.9]
WAYS = {
    "a": "Try ten weights on 200 episodes and report the best of the ten returns.",
    "b": "Try ten weights on 200 episodes, take the best weight, and play 200 new episodes with it: report those.",
    "c": "Take the weight with the highest promised value, and report its return on 200 episodes.",
    "d": "Try ten weights on 200 episodes and report the mean over the ten.",
    "e": "Try ten weights with ten seeds each, and report the best of the hundred.",
    "f": "Take the weight with the smallest shift, and report its return on 200 episodes.",
    "g": "Try ten weights on 200 episodes, take the best weight, and play the same 200 starts with the same noise again: report those.",
    "h": "Try ten weights on 200 episodes, take the best weight, play 200 new episodes, and report the mean over all 400.",
    "i": "Try ten weights on 200 episodes, play 200 new episodes with each of the best three, and report the best of these three.",
}


def _at(shifts: Sequence[float], returns: Sequence[float], s: float) -> float:
    order = np.argsort(shifts)
    return float(np.interp(s, np.asarray(shifts)[order], np.asarray(returns)[order]))


def _neighbours(shifts: Sequence[float], returns: Sequence[float], s: float) -> tuple[float, float]:
    """Returns of the points left and right of s."""
    pairs = sorted(zip(shifts, returns, strict=True))
    right = next(i for i, (d, _) in enumerate(pairs) if d >= s)
    return pairs[right - 1][1], pairs[right][1]


EXERCISES = (
    Compared(
        name="shift.honest",
        ask="Which report is honest? " + " ".join(f"({key}) {text}" for key, text in WAYS.items()),
        hints=(
            "A number must not be used twice: once to choose, once to boast.",
            "Choosing and reporting need different episodes.",
        ),
        well="Choose on some episodes, report on others. `workbench evaluate` takes a seed for exactly this.",
        read=choice(WAYS),
        right="b",
        mistakes=(
            Mistake("a", "The best of ten noisy numbers is too high: part of it is luck, which does not come again."),
            Mistake(
                "c",
                "The return is honest, but the choice is bad: the promise is highest exactly where the critic is exploited.",
            ),
            Mistake(
                "d",
                "Nothing is chosen here, so nobody is flattered; but it is the return of no policy that you would run.",
            ),
            Mistake("e", "The best of a hundred is luckier still than the best of ten."),
            Mistake("f", "The smallest shift is no steering at all. Honest, and useless."),
            Mistake(
                "g", "The same episodes again give the same numbers again, luck included. New ones need another seed."
            ),
            Mistake("h", "Half of these 400 chose the weight, so half of the luck is still in the mean."),
            Mistake("i", "Less luck than with ten, but the best of three is chosen on the episodes that are reported."),
        ),
        otherwise="Answer with one letter.",
    ),
    Compared(
        name="shift.matched",
        ask="Write `at_shift(shifts, returns, s)`: the return of a method at shift `s`, by straight lines between its measured "
        "points. The points may come in any order.",
        hints=(
            "`np.interp(s, x, y)` draws straight lines, but only if x is in rising order.",
            "`order = np.argsort(shifts)`, then index both lists by it.",
        ),
        well="Two methods compared at the same shift: neither wins by having been pushed further.",
        read=function(
            "at_shift(shifts, returns, s)",
            (SHIFT, RETURN, 0.3),
            (MIXED, PAID, 0.3),
            (MIXED, PAID, 0.05),
            (FEW, EARNED, 0.33),
            (SHIFT, RETURN, 0.7),
        ),
        right=_at,
        mistakes=(
            Mistake(
                lambda x, y, s: np.interp(s, x, y),
                "np.interp needs rising x: sort the points by their shift first. (It does not complain; it returns something wrong.)",
            ),
            Mistake(
                lambda x, y, s: y[int(np.argmin(np.abs(np.asarray(x) - s)))],
                "You take the nearest measured point. Draw a line between its two neighbours.",
            ),
            Mistake(lambda x, y, s: max(y), "That is the best return at any shift. The question is about shift s."),
            Mistake(
                lambda x, y, s: float(np.mean(y)), "That is the mean over all shifts. The question is about shift s."
            ),
            Mistake(
                lambda x, y, s: np.interp(s, np.sort(x), y),
                "You sorted the shifts but left the returns as they were: the pairs are broken. Sort both by the same order.",
            ),
            Mistake(
                lambda x, y, s: np.interp(s, np.sort(x), np.sort(y)),
                "You sorted both lists on their own: the pairs are broken, and the fall of the curve is gone.",
            ),
            Mistake(
                lambda x, y, s: max(r for d, r in zip(x, y, strict=True) if d <= s),
                "That is the best return up to shift s. At matched shift both methods stand at exactly s.",
            ),
            Mistake(
                lambda x, y, s: np.interp(s, sorted(y), [d for _, d in sorted(zip(y, x, strict=True))]),
                "x and y are swapped: you look up a shift for a return. `np.interp(s, shifts, returns)`, sorted by shift.",
            ),
            Mistake(
                lambda x, y, s: _neighbours(x, y, s)[0],
                "You take the point on the left. Draw a line to the one on the right.",
            ),
            Mistake(
                lambda x, y, s: sum(_neighbours(x, y, s)) / 2,
                "That is the middle of the two neighbours wherever s is between them. Weigh them by how near they are.",
            ),
            Mistake(
                lambda x, y, s: np.polyval(np.polyfit(x, y, 1), s),
                "One straight line through all points misses the rise and the fall. Draw lines between neighbours.",
            ),
        ),
        otherwise="Sort the points by shift, keep the pairs together, interpolate.",
    ),
)
