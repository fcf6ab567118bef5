"""Budgets chosen and reported fairly; methods read at the same shift."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workbench.engine.metrics.choose import Played, choose_strength
from workbench.engine.metrics.intervals import bootstrap_runs
from workbench.engine.metrics.matched import compare_at_shift, return_at_shift


def played(budget: float, run: int, seed: int, mean: float, shift: float = 0.0, episodes: int = 50) -> Played:
    noise = np.random.default_rng((run, seed)).normal(
        size=episodes
    )  # the same for every budget: same starts, same noise
    return Played(budget, run, seed, mean + noise, shift)


def test_chosen_on_one_set_and_reported_on_the_other() -> None:
    table = [
        played(w, run, seed, mean)
        for w, mean in ((0.0, 0.1), (1.0, 0.9), (9.0, 0.4))
        for run in (0, 1)
        for seed in (1, 2)
    ]
    found = choose_strength(table, [1], [2])
    assert found.strength == 1.0
    own = [p.returns for p in table if p.strength == 1.0 and p.seed == 2]
    assert found.reported == bootstrap_runs(own)
    assert found.chosen_at == pytest.approx(
        np.mean([p.returns.mean() for p in table if p.strength == 1.0 and p.seed == 1])
    )
    assert found.regret == 0.0


def test_the_reported_number_does_not_know_the_luck_of_the_chosen_one() -> None:
    """Twenty budgets of equal worth 0: the chosen mean is far above 0, the reported one is not (100 repetitions)."""
    flattered, fair = [], []
    for trial in range(100):
        rng = np.random.default_rng(trial)
        table = [Played(float(w), 0, seed, rng.normal(size=25)) for w in range(20) for seed in (1, 2)]
        found = choose_strength(table, {1}, {2})
        flattered.append(found.chosen_at)
        fair.append(found.reported.mean)
        assert found.regret >= 0.0
    assert np.mean(flattered) > 0.3  # 1.87 standard deviations of 0.2 in expectation
    assert abs(np.mean(fair)) < 4 * 0.2 / np.sqrt(100)


def test_overlapping_seeds_are_refused() -> None:
    table = [played(1.0, 0, seed, 0.5) for seed in (1, 2)]
    with pytest.raises(ValueError, match="seed 2 is in both sets"):
        choose_strength(table, [1, 2], [2, 3])
    with pytest.raises(ValueError, match="no episodes"):
        choose_strength(table, [1], [])
    with pytest.raises(ValueError, match="strength 3 was not played on the reporting seeds"):
        choose_strength([*table, played(3.0, 0, 1, 0.5)], [1], [2])
    with pytest.raises(ValueError, match="strength 1 was not played by training seed 4 with evaluation seed 2"):
        choose_strength([*table, played(3.0, 0, 1, 0.5), played(3.0, 4, 2, 0.5)], [1], [2])


def test_of_equal_budgets_the_smallest() -> None:
    table = [Played(w, 0, seed, np.ones(3)) for w in (5.0, 1.0, 3.0) for seed in (1, 2)]
    assert choose_strength(table, [1], [2]).strength == 1.0


def test_reading_a_curve() -> None:
    shifts, returns = np.array([0.0, 1.0, 2.0, 4.0]), np.array([0.0, 1.0, 0.5, 0.5])
    assert return_at_shift(shifts, returns, shifts) == pytest.approx(returns)
    between = return_at_shift(shifts, returns, np.linspace(0, 1, 30))
    assert (np.diff(between) > 0).all()  # monotone between two points, and past neither
    assert return_at_shift(shifts, returns, np.array([3.0])) == pytest.approx([0.5])
    assert np.isnan(return_at_shift(shifts, returns, np.array([-0.1, 4.1]))).all()
    line = return_at_shift(np.array([0.0, 2.0]), np.array([1.0, 3.0]), np.array([0.5]))
    assert line == pytest.approx([1.5])


def test_shifts_that_reverse_by_noise_are_levelled() -> None:
    found = return_at_shift(np.array([0.0, 1.1, 0.9, 2.0]), np.array([0.0, 2.0, 4.0, 5.0]), np.array([1.0, 2.0]))
    assert found == pytest.approx([3.0, 5.0])
    assert return_at_shift(np.zeros(3), np.array([1.0, 2.0, 3.0]), np.array([0.0])) == pytest.approx([2.0])


@given(
    arrays(np.float64, 5, elements=st.floats(0.0, 3.0)),
    arrays(np.float64, 5, elements=st.floats(-1.0, 1.0)),
    arrays(np.float64, 7, elements=st.floats(-1.0, 4.0)),
)
def test_a_reading_never_leaves_the_range_of_the_curve(shifts: np.ndarray, returns: np.ndarray, at: np.ndarray) -> None:
    found = return_at_shift(shifts, returns, at)
    inside = np.isfinite(found)
    assert (found[inside] >= returns.min() - 1e-9).all()
    assert (found[inside] <= returns.max() + 1e-9).all()
    assert not inside[(at < shifts.min() - 1e-6) | (at > shifts.max() + 1e-6)].any()


def curve(name: str, slope: float, scale: float) -> list[Played]:
    """Return = slope · shift, budgets on a scale of the method's own."""
    return [
        played(scale * b, run, 7, slope * b + 0.1 * run, shift=float(b), episodes=400)
        for b in (0.0, 1.0, 2.0)
        for run in range(4)
    ]


def test_methods_at_matched_shift() -> None:
    """Budgets of different units; at equal shift the one with the steeper slope is better by the difference of slopes."""
    methods = {"a": curve("a", 1.0, 1.0), "b": curve("b", 0.5, 1000.0)}
    found = compare_at_shift(methods, [0.0, 1.5, 9.0], [7])
    a, b = found["a"], found["b"]
    assert a[1].mean - b[1].mean == pytest.approx(0.75)
    assert a[0].mean == b[0].mean  # same runs, same episodes
    assert a[1].high - a[1].low == pytest.approx(b[1].high - b[1].low)  # and the same resamples
    assert a[1].low < a[1].mean < a[1].high
    assert a[2] is None
    # runs differ by 0.1 (sd 0.112 of four), episodes by 1: standard error √(0.112²/4 + 1/1600) = 0.061
    assert (a[1].high - a[1].low) / 3.92 == pytest.approx(0.061, rel=0.25)


def test_methods_must_have_met_the_same_starts() -> None:
    methods = {"a": curve("a", 1.0, 1.0), "b": [p for p in curve("b", 1.0, 1.0) if p.run != 3]}
    with pytest.raises(ValueError, match="same start states"):
        compare_at_shift(methods, [1.0], [7])
    with pytest.raises(ValueError, match="measured shift"):
        compare_at_shift({"a": [p._replace(shift=float("nan")) for p in methods["a"]]}, [1.0], [7])
