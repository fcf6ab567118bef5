"""The curves of the budget dial: computed points are the pictures' own numbers, measured ones are the store's."""

from dataclasses import replace

import numpy as np
import pytest
from plain_rules import rules_without_parts

from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.tasks.bandits import Bandit2D
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.views.caller import OvertakenError, Waiting
from workbench.views.known_curves import KnownCurves
from workbench.views.measured import ride_of
from workbench.views.parts import parts_for
from workbench.views.question import Policy, Question, answer
from workbench.views.strength_curves import (
    EPISODES,
    DialArtist,
    along,
    as_csv,
    grid_of,
    key_of,
    measure,
    of_ride,
    ride_for,
    stops_of,
    strength_of,
)


@pytest.fixture(scope="module")
def bandit():
    return parts_for("bandit2d"), Bandit2D()


def asked(rule, **settings):
    policy = Policy(rule, settings)
    return policy, Question("bandit2d", (policy,), 0, 64)


@pytest.mark.parametrize("rule", ["qgf", "grad_step", "vgf"])
def test_every_point_is_what_the_stage_says_at_that_strength(bandit, rule):
    policy, question = asked(rule)
    curve = along(policy, question, *bandit)
    assert list(curve.strengths) == [float(stop) for stop in grid_of(policy, question.shown)]
    axis, rows = RULES[rule].strength, make_rule(rule).particles * 64
    for place in (0, len(curve.strengths) // 2, len(curve.strengths) - 1):
        stop = grid_of(policy, question.shown)[place]
        one = Question("bandit2d", (Policy(rule, {axis: stop}),), 0, max(64, rows))
        numbers = answer(one, *bandit).numbers[1]
        found = (curve.shift[place], curve.promised[place], curve.earned[place], curve.error[place])
        assert found == pytest.approx((numbers.shift, numbers.promised, numbers.earned, numbers.gap_error))


@pytest.mark.parametrize("rule", [name for name in rules_without_parts() if name != "bc"])
def test_the_dial_stops_at_the_strength_that_is_set_wherever_that_is(rule):
    field = strength_of(rule)
    for value in (field.default, field.low, field.high, field.stops[len(field.stops) // 3]):
        stops = stops_of(Policy(rule, {field.name: value}))
        assert value in stops
        assert list(stops) == sorted(stops)
        assert len(stops) > 3


def test_the_gap_opens_past_the_peak_and_its_interval_says_so(bandit):
    curve = along(*asked("qgf"), *bandit)
    gap, best = curve.promised - curve.earned, curve.best
    assert abs(gap[0]) <= max(curve.error[0], 0.02)  # the critic is right about the data
    assert 0 < best < len(gap) - 1
    assert gap[best:].max() > 2 * curve.error[int(gap.argmax())]


def test_a_curve_depends_on_everything_but_the_strength():
    policy, question = asked("qgf", weight=0.3)
    key = key_of(policy, question)
    assert key_of(Policy("qgf", {"weight": 2.0}), question) == key
    assert key_of(Policy("qgf", {"flow_steps": 20}), question) != key
    others = [Question("bandit2d", (policy,), 1, 64), Question("bandit2d", (policy,), 0, 64, peak=(0.1, 0.2))]
    assert all(key_of(policy, other) != key for other in others)


def test_of_two_rules_each_has_its_own_curve_and_the_peak_moves_it(bandit):
    artist = DialArtist()
    both = Question("bandit2d", (Policy("qgf"), Policy("grad_step")), 0, 32)
    first = artist.draw(both, *bandit)
    assert [curve.rule for curve in first] == ["qgf", "grad_step"]
    with_peak = artist.draw(Question("bandit2d", (Policy("qgf"),), 0, 32, peak=(-0.5, 0.5)), *bandit)
    assert not np.allclose(with_peak[0].earned, first[0].earned)


def test_a_curve_is_known_to_everybody_while_the_parts_are_the_same(bandit, monkeypatch):
    monkeypatch.setattr("workbench.views.known_curves.KEPT", 2)
    parts, known = bandit[0], KnownCurves()
    (curve,) = DialArtist().draw(Question("bandit2d", (Policy("qgf"),), 0, 32), *bandit)
    keys = [key_of(Policy("qgf"), Question("bandit2d", (Policy("qgf"),), seed, 32)) for seed in range(3)]
    weaker = Policy("qgf", {"weight": 1.0})
    known.put(parts, keys[0], curve)
    assert (
        known.get(parts, key_of(weaker, Question("bandit2d", (weaker,), 0, 32))) is curve
    )  # the strength does not matter
    assert known.get(replace(parts), keys[0]) is None
    assert known.get(parts, keys[1]) is None
    for key in keys[1:]:
        known.put(parts, key, curve)
    assert known.get(parts, keys[0]) is None  # the oldest is let go
    assert known.get(parts, keys[2]) is curve


def test_a_measured_curve_is_the_stores_own_and_says_where_it_is_from():
    ride = ride_of("three_exits", "qgf")
    curve = of_ride(ride)
    np.testing.assert_allclose(curve.strengths, ride.strength)
    np.testing.assert_allclose(curve.earned, [one.mean for one in ride.earned])
    assert curve.source == "measured"
    assert curve.note.startswith("Shipped example, ")
    assert ride.origin in curve.where
    assert ride_for(Policy("qgf", {"weight": 3.0}), [ride]) is ride
    assert ride_for(Policy("qgf", {"flow_steps": 20}), [ride]) is None  # it was measured with other settings
    assert ride_for(Policy("noisy"), [ride]) is None


def test_without_a_true_reward_only_the_promise_is_computed_and_episodes_measure_the_rest(monkeypatch):
    monkeypatch.setattr("workbench.views.strength_curves.EPISODES", 4)
    monkeypatch.setattr("workbench.views.strength_curves.MEASURED_AT", 2)
    parts, task, policy = parts_for("three_exits"), ThreeExits(), Policy("grad_step")
    question = Question("three_exits", (policy,), 0, 16, state=(0.0, -0.8, 0.0, 0.0))
    promised = along(policy, question, parts, task)
    assert promised.source == "promised"
    assert promised.best is None
    assert np.isfinite(promised.promised).all()
    shares = []
    curve = measure((policy, 0), parts, task, Waiting(shares.append))
    assert shares == [0.5, 1.0]
    assert curve.source == "measured"
    assert np.isfinite([*curve.earned, *curve.promised, *curve.shift]).all()
    assert "4 episodes at each of 2 strengths" in curve.note
    with pytest.raises(OvertakenError):
        measure((policy, 0), parts, task, Waiting(gone=lambda: True))
    assert EPISODES >= 30


def test_the_curves_as_a_table(bandit):
    curve = along(*asked("qgf"), *bandit)
    lines = as_csv([curve]).decode().splitlines()
    assert lines[0].split(",")[:6] == ["rule", "strength", "shift", "promised", "earned", "gap"]
    assert len(lines) == 1 + len(curve.strengths)
    row = lines[-1].split(",")
    assert float(row[5]) == pytest.approx(float(row[3]) - float(row[4]), abs=1e-4)
