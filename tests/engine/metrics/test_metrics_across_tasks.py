"""rliable's aggregates against their definitions, restated, and intervals that cover.

The first three were also found equal to rliable 1.2.0's own code, on twenty random tables each; it is not a dependency,
since it brings packages that the workbench does not need.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workbench.engine.metrics.across_tasks import (
    interquartile_mean,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    profile_band,
    stratified_interval,
)
from workbench.engine.metrics.intervals import bootstrap_mean, bootstrap_runs

SCORES = st.tuples(st.integers(1, 6), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 1.5]))
)


@given(SCORES)
def test_interquartile_mean_is_the_middle_half(scores: np.ndarray) -> None:
    ordered = sorted(scores.ravel())
    cut = len(ordered) // 4  # rounded down, as scipy's and so rliable's
    assert interquartile_mean(scores) == pytest.approx(np.mean(ordered[cut : len(ordered) - cut]))


@given(SCORES)
def test_optimality_gap_and_profile(scores: np.ndarray) -> None:
    assert optimality_gap(scores) == pytest.approx(np.mean([max(1.0 - s, 0.0) for s in scores.ravel()]))
    thresholds = np.array([-1.0, 0.25, 0.6, 2.0])
    expected = [sum(s > tau for s in scores.ravel()) / scores.size for tau in thresholds]
    assert performance_profile(scores, thresholds) == pytest.approx(expected)


@settings(max_examples=50)
@given(st.data(), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))
def test_probability_of_improvement_counts_pairs(data: st.DataObject, n: int, k: int, tasks: int) -> None:
    values = st.sampled_from([0.0, 0.5, 1.0])
    x = data.draw(arrays(np.float64, (n, tasks), elements=values))
    y = data.draw(arrays(np.float64, (k, tasks), elements=values))
    wins = [
        np.mean([1.0 if a > b else 0.5 if a == b else 0.0 for a, b in itertools.product(x[:, m], y[:, m])])
        for m in range(tasks)
    ]
    assert probability_of_improvement(x, y) == pytest.approx(np.mean(wins))
    assert probability_of_improvement(x, y) + probability_of_improvement(y, x) == pytest.approx(1.0)


def test_certain_cases() -> None:
    assert probability_of_improvement(np.ones((3, 2)), np.zeros((4, 2))) == 1.0
    assert interquartile_mean(np.array([[0.0], [1.0], [2.0], [100.0]])) == 1.5
    same = stratified_interval(interquartile_mean, [np.full((3, 2), 0.7)])
    assert (same.low, same.mean, same.high) == (0.7, 0.7, 0.7)


def test_strata_are_tasks() -> None:
    """Tasks that differ by 100 while their runs agree: resampling runs within tasks sees no spread at all."""
    scores = np.array([[0.0, 100.0], [0.0, 100.0], [0.0, 100.0]])
    found = stratified_interval(lambda s: float(s.mean()), [scores])
    assert (found.low, found.high) == (50.0, 50.0)


def test_stratified_interval_covers() -> None:
    """Difference of two methods, ten runs on four tasks, 60 repetitions: 95%, three standard errors are 8 points."""
    rng, hits = np.random.default_rng(0), 0
    for seed in range(60):
        x, y = rng.normal(0.5, 0.2, (10, 4)), rng.normal(0.3, 0.2, (10, 4))
        found = stratified_interval(lambda a, b: float(a.mean() - b.mean()), [x, y], seed, resamples=300)
        hits += found.low <= 0.2 <= found.high
    assert 0.86 <= hits / 60 <= 1.0


@pytest.mark.parametrize("tasks", [1, 7])
def test_resamples_at_once_are_those_one_by_one(tasks: int) -> None:
    """Leading axes are many tables; a function of one's own is called for each, on the same resamples."""
    rng = np.random.default_rng(tasks)
    x, y = rng.normal(size=(6, tasks)).round(1), rng.normal(size=(3, tasks)).round(1)  # with ties
    for statistic, tables in (
        (interquartile_mean, [x]),
        (optimality_gap, [x]),
        (probability_of_improvement, [x, y]),
    ):
        many = [np.stack([table[rng.permutation(len(table))] + i for i in range(4)]) for table in tables]
        np.testing.assert_allclose(statistic(*many), [statistic(*one) for one in zip(*many, strict=True)])
        own = stratified_interval(lambda *one, statistic=statistic: statistic(*one), tables)
        assert own == stratified_interval(statistic, tables)
    thresholds = np.linspace(-1, 1, 9)
    np.testing.assert_allclose(performance_profile(x[None], thresholds)[0], performance_profile(x, thresholds))


def test_profile_band_holds_the_profile() -> None:
    scores, thresholds = np.random.default_rng(0).uniform(size=(8, 5)), np.linspace(0, 1, 7)
    low, high = profile_band(scores, thresholds)
    profile = performance_profile(scores, thresholds)
    assert (low <= profile).all()
    assert (profile <= high).all()
    assert (high - low).max() > 0.05


def test_scores_are_checked() -> None:
    with pytest.raises(ValueError, match="same tasks"):
        probability_of_improvement(np.zeros((2, 3)), np.zeros((2, 4)))
    for bad in (np.zeros(3), np.zeros((0, 2)), np.full((2, 2), np.nan)):
        with pytest.raises(ValueError, match="finite numbers"):
            interquartile_mean(bad)


def test_bootstrap_over_runs_covers_both_sources_of_chance() -> None:
    """Runs differ by 0.3, episodes by 1: eight runs of 40 episodes, 120 repetitions. Pooling would cover far less."""
    rng, hits, pooled_hits = np.random.default_rng(2), 0, 0
    for seed in range(120):
        runs = [rng.normal(mean, 1.0, 40) for mean in rng.normal(0.0, 0.3, 8)]
        found, pooled = bootstrap_runs(runs, seed), bootstrap_mean(np.concatenate(runs), seed)
        hits += found.low <= 0.0 <= found.high
        pooled_hits += pooled.low <= 0.0 <= pooled.high
    assert 0.89 <= hits / 120 <= 1.0
    assert pooled_hits / 120 < 0.75


def test_variance_of_the_bootstrap_over_runs() -> None:
    """Two runs that agree, and differ: the width comes from the right place."""
    episodes = np.array([0.0, 1.0] * 200)
    alike = bootstrap_runs([episodes, episodes])
    alone = bootstrap_mean(np.concatenate([episodes, episodes]))
    assert alike.high - alike.low == pytest.approx(alone.high - alone.low, rel=0.1)
    apart = bootstrap_runs([np.zeros(9), np.ones(9)])
    assert (apart.low, apart.mean, apart.high) == (0.0, 0.5, 1.0)
    uneven = bootstrap_runs([np.zeros(1), np.ones(99)])
    assert uneven.mean == 0.5  # a run is a run, however many episodes it played


def test_bootstrap_over_one_run_is_over_its_episodes() -> None:
    values = np.random.default_rng(0).normal(size=300)
    one, plain = bootstrap_runs([values]), bootstrap_mean(values)
    assert one.mean == plain.mean
    assert one.high - one.low == pytest.approx(plain.high - plain.low, rel=0.1)
    with pytest.raises(ValueError, match="at least one run"):
        bootstrap_runs([])
    with pytest.raises(ValueError, match="at least one episode"):
        bootstrap_runs([np.array([])])
