"""Methods compared at the same measured shift, and not only each at its best.

A strength (w, L, N) means something else for every rule; the distance that actions really moved is the same
quantity for all. Each method's strengths trace a curve of return against shift; it is read off between its points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import isotonic_regression

from workbench.engine.metrics.choose import Played, by_strength
from workbench.engine.metrics.intervals import RESAMPLES, Interval, resampled_run_means
from workbench.engine.words import UserError

APART = 1e-9  # shifts closer than this are one


def return_at_shift(shifts: np.ndarray, returns: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Read a curve of return against shift, given at the strengths in growing order, at the shifts ``at`` (H,).

    The shift of a larger strength counts as at least that of a smaller one: small reversals, which are noise, are levelled by
    isotonic regression, and strengths with the same shift are averaged. Between the points runs the monotone cubic of
    Fritsch and Carlson (PCHIP): it rises between two points where the second is higher, and never past either of them.

    Parameters
    ----------
    shifts, returns : ndarray
        (G,) each, measured.
    at : ndarray
        (H,) shifts.

    Returns
    -------
    ndarray
        (H,), NaN outside the measured shifts: nothing is extrapolated.
    """
    level = isotonic_regression(np.asarray(shifts, dtype=np.float64)).x
    start = np.concatenate(([True], np.diff(level) > APART))
    x, group = level[start], np.cumsum(start) - 1
    y = np.bincount(group, returns) / np.bincount(group)
    at = np.asarray(at, dtype=np.float64)
    if len(x) == 1:
        return np.where(np.abs(at - x[0]) <= APART, y[0], np.nan)
    inside = (at >= x[0] - APART) & (at <= x[-1] + APART)
    return np.where(inside, PchipInterpolator(x, y)(np.clip(at, x[0], x[-1])), np.nan)


def compare_at_shift(
    methods: Mapping[str, Iterable[Played]],
    at: Sequence[float],
    seeds: Iterable[int],
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, list[Interval | None]]:
    """Return of each method at each of the shifts ``at``, with 95% intervals.

    The bootstrap draws training seeds with replacement, the same ones for every strength and every method, and episodes of
    each; shift and return of a strength are means over the training seeds drawn, and each resample reads its own curve.

    Parameters
    ----------
    methods : mapping of str to iterable of Played
        By name; each with its ``shift`` measured. All must have been played by the same runs with the same seeds.
    at : sequence of float
        Shifts, in the unit in which they were measured.
    seeds : iterable of int
        Evaluation seeds to use: those that no strength was chosen on.
    seed : int
        Fixes the bootstrap.
    level : float

    Returns
    -------
    dict of str to list
        For each method one entry per shift; None where the method was not measured on both sides of it, in the whole or in more
        than one resample in twenty.

    Raises
    ------
    UserError
        Methods played by different runs or seeds, or a shift that is not a number.
    """
    places = np.asarray(at, dtype=np.float64)
    tables = _comparable(methods, set(seeds))
    return {name: _intervals(*_read(table, places, set(seeds), seed), level) for name, table in tables.items()}


def difference_at_shift(
    methods: Mapping[str, Iterable[Played]],
    against: str,
    at: Sequence[float],
    seeds: Iterable[int],
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, list[Interval | None]]:
    """Return of each method minus that of the method ``against`` at each of the shifts ``at``, with 95% intervals.

    Paired: in each resample both have drawn the same training seeds and episodes. Parameters and errors as for
    `compare_at_shift`.
    """
    places = np.asarray(at, dtype=np.float64)
    by_method = {
        name: _read(table, places, set(seeds), seed) for name, table in _comparable(methods, set(seeds)).items()
    }
    whole, read = by_method[against]
    return {name: _intervals(mine - whole, drawn - read, level) for name, (mine, drawn) in by_method.items()}


def _comparable(methods: Mapping[str, Iterable[Played]], wanted: set[int]) -> dict[str, list[Played]]:
    """The methods' episodes, once it is sure that all met the same starts and noise."""
    tables = {name: list(played) for name, played in methods.items()}
    players = {name: {(p.run, p.seed) for p in table if p.seed in wanted} for name, table in tables.items()}
    for name, strengths in players.items():
        if strengths != next(iter(players.values())):
            raise UserError(
                f"'{name}' and '{next(iter(players))}' were played by different training seeds or with different evaluation "
                "seeds; methods are compared on the same start states and noise"
            )
    return tables


def _read(played: list[Played], at: np.ndarray, seeds: set[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return at the shifts ``at`` (H,), and in each resample (resamples, H); NaN where it was not measured on both sides."""
    returns = by_strength(played, seeds)
    shifts = by_strength([p._replace(returns=np.array([p.shift])) for p in played], seeds)
    mean_shift = np.array([[run.mean() for run in runs] for runs in shifts.values()])  # (G, runs)
    if not np.isfinite(mean_shift).all():
        raise UserError("every strength needs its measured shift, a finite number, to be compared at matched shift")
    whole = return_at_shift(
        mean_shift.mean(1), np.array([np.mean([r.mean() for r in runs]) for runs in returns.values()]), at
    )
    count = mean_shift.shape[1]
    drawn = np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
    times = np.stack([(drawn == i).sum(1) for i in range(count)], 1) / count  # (resamples, runs)
    means = np.stack([_resampled(runs, times, seed) for runs in returns.values()])
    read = np.stack([return_at_shift(s, r, at) for s, r in zip((mean_shift @ times.T).T, means.T, strict=True)])
    return whole, read


def _intervals(whole: np.ndarray, read: np.ndarray, level: float) -> list[Interval | None]:
    intervals: list[Interval | None] = []
    for h, value in enumerate(whole):
        column = read[:, h][np.isfinite(read[:, h])]
        if not np.isfinite(value) or len(column) < 0.95 * RESAMPLES:
            intervals.append(None)
            continue
        low, high = np.quantile(column, (0.5 - level / 2, 0.5 + level / 2))
        intervals.append(Interval(float(value), float(low), float(high)))
    return intervals


def _resampled(runs: list[np.ndarray], times: np.ndarray, seed: int) -> np.ndarray:
    """Mean return (resamples,) of runs weighted by ``times`` (resamples, runs), their episodes drawn anew.

    A run's draw is fixed by ``seed``: every strength and method loses and keeps the same episodes, which share starts and noise.
    """
    episodes = [resampled_run_means([run], np.random.default_rng((seed, i))) for i, run in enumerate(runs)]
    return np.asarray((times * np.stack(episodes, 1)).sum(1))
