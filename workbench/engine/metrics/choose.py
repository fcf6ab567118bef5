"""Choosing a strength fairly: on one set of evaluation seeds, reported on another.

The maximum over strengths of noisy means is too high, since it also picks luck. So the luck of the episodes on which a
strength is chosen must not enter the number that is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from workbench.engine.metrics.intervals import Interval, bootstrap_runs
from workbench.engine.words import UserError


class Played(NamedTuple):
    """Episodes that one policy played at one strength.

    Attributes
    ----------
    strength : float
        The rule's strength (w, L, N, …), or any number that names its setting.
    run : int
        Training seed of the policy.
    seed : int
        Evaluation seed: fixes start states and noise.
    returns : ndarray
        (E,) undiscounted episode returns.
    shift : float
        Measured there, for comparisons at matched shift; NaN where it is not needed.
    """

    strength: float
    run: int
    seed: int
    returns: np.ndarray
    shift: float = float("nan")


@dataclass(frozen=True)
class Choice:
    """A strength and what it gives.

    Attributes
    ----------
    strength : float
        Best mean return on the choosing seeds; of equals the smallest.
    chosen_at : float
        Its mean return there, which is too high on average: the strength that was luckiest there was chosen.
    reported : Interval
        Its return on the reporting seeds, with the two-stage bootstrap over training seeds and episodes.
    regret : float
        How far its reported mean lies below that of the best strength on the reporting seeds: what choosing on few
        episodes cost. At least 0. It is a little too large on average, since the best strength is again the luckiest.
    """

    strength: float
    chosen_at: float
    reported: Interval
    regret: float


def choose_strength(
    played: Iterable[Played], choosing: Iterable[int], reporting: Iterable[int], seed: int = 0
) -> Choice:
    """Choose the strength with the best mean return on ``choosing`` seeds and report it on ``reporting`` seeds.

    One strength is chosen for all training seeds together.

    Parameters
    ----------
    played : iterable of Played
        Of one rule. Every strength must have been played by the same runs with the same seeds.
    choosing, reporting : iterable of int
        Evaluation seeds; other seeds in ``played`` are left alone.
    seed : int
        Fixes the bootstrap.

    Raises
    ------
    UserError
        The two sets of seeds share one, one of them is empty, or a strength lacks episodes that another has.
    """
    first, second = set(choosing), set(reporting)
    if both := sorted(first & second):
        raise UserError(
            f"evaluation seed {both[0]} is in both sets: a strength chosen and reported on the same episodes is flattered by "
            "their luck; report on other seeds"
        )
    table = list(played)
    chosen, report = by_strength(table, first), by_strength(table, second)
    if missing := sorted(chosen.keys() ^ report.keys()):
        where = "choosing" if missing[0] in report else "reporting"
        raise UserError(
            f"strength {missing[0]:g} was not played on the {where} seeds; play every strength on both sets"
        )
    means = {strength: float(np.mean([run.mean() for run in runs])) for strength, runs in chosen.items()}
    best = max(means, key=lambda strength: (means[strength], -strength))
    reported = bootstrap_runs(report[best], seed)
    top = max(float(np.mean([run.mean() for run in runs])) for runs in report.values())
    return Choice(best, means[best], reported, top - reported.mean)


def by_strength(played: Sequence[Played], seeds: set[int]) -> dict[float, list[np.ndarray]]:
    """Returns of each strength, in growing order: one array per training seed, the episodes of all ``seeds`` together.

    Raises
    ------
    UserError
        Nothing was played with these seeds, or strengths differ in who played them: they could not be compared on the same
        start states and the same noise.
    """
    table: dict[float, dict[tuple[int, int], np.ndarray]] = {}
    for item in played:
        if item.seed in seeds:
            table.setdefault(item.strength, {})[item.run, item.seed] = np.asarray(item.returns, dtype=np.float64)
    if not table:
        raise UserError(f"no episodes with evaluation seeds {sorted(seeds)} were given")
    everybody = sorted(set().union(*table.values()))
    for strength, returns in table.items():
        if missing := [key for key in everybody if key not in returns]:
            run, seed = missing[0]
            raise UserError(
                f"strength {strength:g} was not played by training seed {run} with evaluation seed {seed}, others were; "
                "compare strengths on the same start states and noise"
            )
    runs = sorted({run for run, _ in everybody})
    return {
        strength: [np.concatenate([r for (of, _), r in sorted(returns.items()) if of == run]) for run in runs]
        for strength, returns in sorted(table.items())
    }
