"""Bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean with its 95% percentile bootstrap interval, in the unit of the data."""

    mean: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """``{"mean": …, "low": …, "high": …}``."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


def bootstrap_mean(values: np.ndarray, seed: int = 0, level: float = 0.95) -> Interval:
    """Mean of ``values`` (E,) with a percentile bootstrap interval over its entries (methods.md, section 7).

    Raises
    ------
    ValueError
        Empty input.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.size == 0:
        raise ValueError("no values to average: at least one episode is needed")
    mean = float(values.mean())
    if values.size == 1 or np.ptp(values) == 0.0:
        return Interval(mean, mean, mean)
    rng = np.random.default_rng(seed)
    result = bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, confidence_level=level, method="percentile", rng=rng, batch=100
    )
    return Interval(mean, float(result.confidence_interval.low), float(result.confidence_interval.high))


def bootstrap_runs(runs: Sequence[np.ndarray], seed: int = 0, level: float = 0.95) -> Interval:
    """Mean over runs of each run's mean, with an interval for both: over training seeds and over their episodes.

    Each resample draws as many runs with replacement, and from each of them as many episodes with replacement (the hierarchical,
    or two-stage, bootstrap). Episodes of one run share its networks, so that pooling all of them would make intervals
    that are too short. With few runs it is still somewhat short, as every bootstrap over few values is: about √(1 - 1/n) of
    the right width for n runs. One run gives an interval over its episodes alone.

    Parameters
    ----------
    runs : sequence of ndarray
        One array of episode returns (E_i,) per training seed; lengths may differ.
    seed : int
        Fixes the resamples.
    level : float
        Confidence level in (0, 1).

    Raises
    ------
    ValueError
        No runs, or a run without episodes.
    """
    means = resampled_run_means(runs, np.random.default_rng(seed))
    low, high = np.quantile(means, (0.5 - level / 2, 0.5 + level / 2))
    return Interval(float(np.mean([run.mean() for run in map(np.asarray, runs)])), float(low), float(high))


def resampled_run_means(runs: Sequence[np.ndarray], rng: np.random.Generator, resamples: int = RESAMPLES) -> np.ndarray:
    """Means (resamples,) of the two-stage bootstrap that `bootstrap_runs` describes."""
    arrays = [np.asarray(run, dtype=np.float64) for run in runs]
    if not arrays or any(run.size == 0 for run in arrays):
        raise ValueError("no values to average: at least one run, each with at least one episode, is needed")
    drawn = rng.integers(len(arrays), size=(resamples, len(arrays)))
    total = np.zeros(resamples)
    for i, run in enumerate(arrays):
        times = (drawn == i).sum(1)  # how often each resample took this run; each time with fresh episodes
        means = run[rng.integers(run.size, size=(int(times.sum()), run.size))].mean(1)
        total += np.bincount(np.repeat(np.arange(resamples), times), means, resamples)
    return total / len(arrays)
