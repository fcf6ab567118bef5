"""Successive halving: few episodes for many strengths, more for the better half, until one is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.engine.words import UserError

Play = Callable[[float, int, int], np.ndarray]  # (value, episodes, seed) -> returns


@dataclass(frozen=True)
class Round:
    """One round.

    Attributes
    ----------
    number, rounds : int
    seed : int
        Of its episodes: the same starts and noise for every value.
    episodes : int
        Played at each value in this round.
    means : dict of float to float
        Mean return of each value over all its episodes so far.
    kept : tuple of float
        Values that go on.
    """

    number: int
    rounds: int
    seed: int
    episodes: int
    means: dict[float, float]
    kept: tuple[float, ...]


def successive_halving(
    play: Play, values: Sequence[float], episodes: int, seeds: Callable[[int], int], keep: int = 2
) -> Iterator[Round]:
    """Find the best of ``values`` with about ``episodes`` episodes in all.

    All rounds play the same number of episodes in sum, so that the values that are left get more and more of them. The
    values of a round meet the same starts and noise. Source: Karnin, Koren and Somekh, Almost Optimal Exploration in
    Multi-Armed Bandits (ICML 2013), algorithm 1, but with means over all rounds, as Jamieson and Talwalkar (2016) do.

    Parameters
    ----------
    play : callable
        ``play(value, episodes, seed)`` returns the episodes' returns.
    values : sequence of float
        At least 1, all different.
    episodes : int
        In all, at least one for each value.
    seeds : callable
        Evaluation seed of a round by its number; none of them may be used to report.
    keep : int
        One in ``keep`` values survives a round (2: half of them).

    Yields
    ------
    Round
        The last one keeps a single value: the chosen one. Between equals the smaller value wins.

    Raises
    ------
    UserError
        No values, values twice, too few episodes, or ``keep`` below 2.
    """
    if not values or len(set(values)) != len(values):
        raise UserError(f"successive halving needs values that are all different, got {list(values)}")
    if keep < 2:
        raise UserError(f"keep must be at least 2, got {keep}")
    if episodes < len(values):
        raise UserError(
            f"{len(values)} values need at least {len(values)} episodes, got {episodes}; give more --episodes"
        )
    rounds = max(1, math.ceil(math.log(len(values)) / math.log(keep) - 1e-9))
    left, seen = tuple(sorted(values)), {value: np.empty(0) for value in values}
    for number in range(rounds):
        each = max(1, episodes // (rounds * len(left)))
        seed = seeds(number)
        for value in left:
            seen[value] = np.concatenate((seen[value], play(value, each, seed)))
        means = {value: float(seen[value].mean()) for value in left}
        ranked = sorted(left, key=lambda value: (-means[value], value))
        left = tuple(sorted(ranked[: 1 if number == rounds - 1 else math.ceil(len(left) / keep)]))
        yield Round(number, rounds, seed, each, means, left)
