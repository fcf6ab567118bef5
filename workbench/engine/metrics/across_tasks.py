"""Comparing methods over many tasks: the aggregates of rliable, with its stratified bootstrap.

Source: Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice", arXiv 2108.13264. Scores are
(runs, tasks), one number per training seed and task, on a scale that makes tasks comparable (success rates, or returns
normalised between a random and an expert score).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata, trim_mean

from workbench.engine.metrics.intervals import Interval

RESAMPLES = 2000
BLOCK = 50_000  # scores of resamples at once; a profile has some fifty numbers for each
Score = float | np.ndarray


def interquartile_mean(scores: np.ndarray) -> Score:
    """Mean (...,) of the middle half of all (..., runs, tasks) ``scores``: a quarter of the values is cut off at each end."""
    scores = _checked(scores)
    return _score(trim_mean(scores.reshape(*scores.shape[:-2], -1), 0.25, axis=-1))


def optimality_gap(scores: np.ndarray, goal: float = 1.0) -> Score:
    """Mean amount (...,) by which ``scores`` (..., runs, tasks) fail to reach ``goal``; scores above it count as reaching it."""
    return _score((goal - np.minimum(_checked(scores), goal)).mean((-2, -1)))


def probability_of_improvement(x: np.ndarray, y: np.ndarray) -> Score:
    r"""Probability (...,) that a run of method X beats a run of method Y on a task drawn at random.

    .. math:: \frac1M \sum_m \frac{1}{NK} \sum_{i,j} \big[ 1(x_{im} > y_{jm}) + \tfrac12 1(x_{im} = y_{jm}) \big]

    That is, the mean over the M tasks of the Mann-Whitney U statistic over N·K pairs of runs.

    Parameters
    ----------
    x, y : ndarray
        (..., N, M) and (..., K, M) scores.
    """
    x, y = _checked(x), _checked(y)
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(f"both methods need the same tasks, got {x.shape[-1]} and {y.shape[-1]}")
    runs, others = x.shape[-2], y.shape[-2]
    ranks = rankdata(np.concatenate((x, y), -2), axis=-2)[..., :runs, :].sum(-2)  # ties take their mean rank
    wins = ranks - runs * (runs + 1) / 2
    return _score((wins / (runs * others)).mean(-1))


def performance_profile(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Share (..., H) of the (..., runs, tasks) ``scores`` above each of ``thresholds`` (H,): the higher curve is better."""
    return np.asarray((_checked(scores)[..., None] > np.asarray(thresholds)).mean((-3, -2)))


AT_ONCE = (interquartile_mean, optimality_gap, probability_of_improvement)


def stratified_interval(
    statistic: Callable[..., Score],
    scores: Sequence[np.ndarray],
    seed: int = 0,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Interval:
    """``statistic(*scores)`` with a percentile interval of the stratified bootstrap.

    Each resample draws, task by task and method by method, as many runs with replacement as there are: the tasks are
    fixed, and only the training seeds are random.

    Parameters
    ----------
    statistic : callable
        Of as many methods as given: one number of their (runs, tasks). This module's own take many resamples at once.
    scores : sequence of ndarray
        (runs, tasks) for each method.
    seed : int
        Fixes the resamples.
    level : float
        Confidence level in (0, 1).
    resamples : int
    """
    many = statistic if statistic in AT_ONCE else _one_by_one(statistic)
    draws = _resampled(many, scores, seed, resamples)
    low, high = np.quantile(draws, (0.5 - level / 2, 0.5 + level / 2))
    return Interval(float(statistic(*scores)), float(low), float(high))


def profile_band(
    scores: np.ndarray, thresholds: np.ndarray, seed: int = 0, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Pointwise 95% band, two (H,), of `performance_profile` by the stratified bootstrap."""
    draws = _resampled(lambda s: performance_profile(s, thresholds), [scores], seed, RESAMPLES)
    low, high = np.quantile(draws, (0.5 - level / 2, 0.5 + level / 2), axis=0)
    return low, high


def _one_by_one(statistic: Callable[..., Score]) -> Callable[..., Score]:
    return lambda *stacks: np.array([statistic(*one) for one in zip(*stacks, strict=True)])


def _score(found: Any) -> Score:
    """A number where there is one, an array where there are more."""
    return found if np.ndim(found) else float(found)


def _resampled(statistic: Callable[..., Score], scores: Sequence[np.ndarray], seed: int, resamples: int) -> np.ndarray:
    """``statistic`` of each resample: many at once, as few as keep each array within `BLOCK` numbers."""
    rng = np.random.default_rng(seed)
    arrays = [_checked(s) for s in scores]
    at_once = max(1, BLOCK // sum(s.size for s in arrays))
    draws = []
    for begin in range(0, resamples, at_once):
        many = min(at_once, resamples - begin)
        drawn = [rng.integers(len(s), size=(many, *s.shape)) for s in arrays]
        draws.append(
            np.asarray(
                statistic(*(np.take_along_axis(s[None], rows, 1) for s, rows in zip(arrays, drawn, strict=True)))
            )
        )
    return np.concatenate(draws)


def _checked(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim < 2 or scores.size == 0 or not np.isfinite(scores).all():
        raise ValueError(f"scores must be finite numbers (runs, tasks), at least one of each, got shape {scores.shape}")
    return scores
