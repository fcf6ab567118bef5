"""Measured curves as a dial rides them: own before shipped, from the behaviour policy on, and the words about them."""

from pathlib import Path

import numpy as np
import pytest
from experiments.made_up import made_up_store

from workbench.engine.metrics.intervals import Interval
from workbench.experiments.grid import Grid
from workbench.experiments.store import Store
from workbench.experiments.summary import curves
from workbench.plots.palette import looks_of
from workbench.views.dial import BETWEEN, Scale, loss, scale_of, track_of, verdict
from workbench.views.measured import is_wide, read, ride, ride_of, rides, shipped_curves, with_shipped

RETURNS = {0.0: 0.2, 0.1: 0.5, 1.0: 0.8, 10.0: 0.2}
SHIFTS = {0.0: 0.0, 0.1: 0.02, 1.0: 0.2, 10.0: 0.9}


def measure(settings: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    weight = settings.get("weight", 0.0)
    returns = RETURNS[weight] + np.array([-0.1, 0.1]) + 0.02 * seed
    return returns, returns, SHIFTS[weight], 1.0 + weight


@pytest.fixture
def store(tmp_path: Path) -> Store:
    axes = {"qgf.weight": (0.1, 1.0, 10.0)}
    grid = Grid(tasks=("three_exits",), rules=("bc", "qgf"), axes=axes, seeds=(0, 1), episodes=2)
    return made_up_store(tmp_path / "store", grid, measure)


def test_ones_own_curve_takes_the_place_of_the_shipped_one(store: Store) -> None:
    shipped = ride_of("three_exits", "qgf")
    assert shipped is not None
    assert shipped.origin.startswith("shipped example: measured with workbench ")
    own = ride_of("three_exits", "qgf", store)
    assert own is not None
    assert own.origin == ""
    assert own.strength == (0.0, 0.1, 1.0, 10.0)
    other = ride_of("three_exits", "vgf", store)
    assert other is not None
    assert other.origin
    assert ride_of("bandit2d", "qgf", store) is None
    found, damaged = read(store)
    assert not damaged
    assert all(not curve.origin for curve in found)
    assert all(curve.origin for curve in read(None)[0])
    one_strength = [curve for curve in curves(store) if curve.rule == "bc"]
    assert any(curve.origin for curve in with_shipped(one_strength))  # nothing to compare with yet


def test_a_ride_begins_at_the_behaviour_policy_and_has_every_seed(store: Store) -> None:
    (found,) = rides(curves(store), "three_exits")
    assert found.shift == pytest.approx((0.0, 0.02, 0.2, 0.9))
    assert [one.mean for one in found.returns] == pytest.approx([0.21, 0.51, 0.81, 0.21])
    assert found.best == 2
    assert found.seeds == (0, 1)
    assert np.array(found.per_seed["return"]).shape == (4, 2)
    assert found.gap[1].mean == pytest.approx(1.1 - 0.51, abs=1e-6)
    assert found.place(0.0) == 0
    assert found.place(0.7) == 2
    assert found.place(1e6) == 3


def test_every_shipped_curve_can_be_ridden() -> None:
    found = rides(shipped_curves(), "three_exits")
    assert {one.rule for one in found} == {curve.rule for curve in shipped_curves()} - {"bc"}
    for one in found:
        assert one.best is not None
        assert all(interval is not None for interval in (*one.promised, *one.earned, *one.gap))
    assert next(one for one in found if one.rule == "qgf").strength[0] == 0.0
    assert next(one for one in found if one.rule == "vgf").strength[0] == 1.0  # ten particles at L = 0 are best-of-N


def test_between_two_strengths_the_dial_is_on_the_drawn_line(store: Store) -> None:
    (found,) = rides(curves(store), "three_exits")
    scale = scale_of(np.array(found.shift))
    assert scale.unit > 0.0
    track = track_of(found, scale)
    assert len(track.strengths) == 3 * BETWEEN + 1 == len(track.words)
    assert track.strengths[::BETWEEN] == found.strength
    assert track.columns["value"][::BETWEEN] == pytest.approx([one.mean for one in found.returns])
    middle = BETWEEN + BETWEEN // 2  # between 0.1 and 1
    assert track.strengths[middle] == pytest.approx(np.sqrt(0.1), rel=0.01)
    assert track.columns["value"][middle] == pytest.approx((0.51 + 0.81) / 2)
    assert track.columns["at"][middle] == pytest.approx((scale.to(0.02) + scale.to(0.2)) / 2)
    assert track.columns["gap"] == pytest.approx(track.columns["promised"] - track.columns["earned"])
    assert track.words[2 * BETWEEN] == "w = 1: return 0.81 at shift 0.20, the critic is wrong by 1.19"
    assert "about" in track.words[middle]


def test_whole_strengths_stay_whole_between_two() -> None:
    found = ride_of("three_exits", "grad_step")
    assert found is not None
    track = track_of(found, scale_of(np.array(found.shift)))
    assert all(strength == int(strength) for strength in track.strengths)


def test_the_sentence_is_arithmetic_of_the_curve(store: Store) -> None:
    (found,) = rides(curves(store), "three_exits")
    lost = (0.81 - 0.21) / 0.81
    assert verdict(found) == f"w = 1 earns 0.81 at shift 0.20; w = 10 loses {lost:.0%} of it."
    assert lost == pytest.approx(0.741, abs=1e-3)
    shipped = ride_of("three_exits", "qgf")
    best, last = shipped.returns[shipped.best].mean, shipped.returns[-1].mean
    assert f"{shipped.strength[-1]:g} loses {(best - last) / best:.0%} of it" in verdict(shipped)


@pytest.mark.parametrize(
    ("best", "other", "words"),
    [
        (0.8, 0.2, "loses 75% of it"),
        (0.5, 0.6, "loses nothing of it here (0.60)"),
        (-10.0, -25.0, "gives 15.00 less"),
        (10.0, -5.0, "gives 15.00 less"),
    ],
)
def test_a_loss_is_a_share_only_where_that_means_something(best: float, other: float, words: str) -> None:
    assert loss(Interval(best, best, best), Interval(other, other, other)) == words


def test_without_a_stronger_one_no_peak_is_claimed(store: Store) -> None:
    curve = next(curve for curve in curves(store) if is_wide(curve))
    short = ride(type(curve)(**{**vars(curve), "points": curve.points[:2]}))
    assert short.best == 1
    assert (
        verdict(short) == "w = 1 earns 0.81 at shift 0.20; no stronger one was measured, so the peak may lie beyond it."
    )


def test_an_axis_is_logarithmic_where_shifts_span_a_decade() -> None:
    even = scale_of(np.array([0.2, 0.5, 1.0]))
    assert even == Scale(0.0, 1.0)
    assert even.ticks() == {}
    wide = scale_of(np.array([0.0, 0.05, 0.3, 17.0]))
    places = wide.to([0.0, 0.5, 5.0, 50.0])
    assert places[0] == 0.0
    steps = np.diff(places)
    assert steps[1] == pytest.approx(steps[2], rel=0.01)  # a decade is as long as the next
    ticks = wide.ticks()
    assert {"0", "0.1", "1", "10"} <= set(ticks.values())
    for place, word in ticks.items():
        assert place == pytest.approx(float(wide.to(float(word))))
    assert scale_of(np.array([np.nan, np.nan])).ticks() == {}


def test_no_two_curves_look_alike() -> None:
    looks = looks_of(["qgf", "vgf", "qgf", "qgf", "bc", "vgf"])
    assert len(set(looks)) == 6
    assert looks[0] == looks_of(["qgf"])[0]
    of_qgf = [looks[0], looks[2], looks[3]]
    assert len({one.light for one in of_qgf[:2]}) == len({one.shape for one in of_qgf[:2]}) == 2
