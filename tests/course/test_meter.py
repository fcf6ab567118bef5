"""The board's meter: honest rules read what they are, and rules that only fool a meter land where they belong."""

import importlib.util

import capstone_rules
import numpy as np
import pytest
import torch

import workbench as wb
from workbench.course import meter
from workbench.course.meter import Plan, measure
from workbench.course.player import Refused, board_parts
from workbench.course.result import LIMIT, TO_BEAT, Result
from workbench.engine.steering.run import act

PLAN = Plan((3, 4), 60)


class Here:
    """A rule in this process; notes what it is asked."""

    held: tuple[str, ...] = ()

    def __init__(self, rule):
        self.rule, self.parts, self.calls = rule, board_parts(), []
        self.particles, self.extra, self.twins = rule.particles, rule.extra_draws(), rule.pick == "uniform"

    def act(self, states, noise):
        self.calls.append(states)
        return act(self.rule, self.parts, torch.from_numpy(states), noise).numpy().clip(-1.0, 1.0)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(meter, "STATES", 80)
    monkeypatch.setattr(meter, "DRAWS", 8)
    monkeypatch.setattr(meter, "AT_ONCE", 60)
    monkeypatch.setattr(meter, "MORE", 180)
    capstone_rules.SEEN.clear()


def test_the_behaviour_policy_reads_no_shift_and_a_strong_push_reads_one():
    still = measure(Here(wb.make_rule("bc")), board_parts(), PLAN)
    assert max(still.shift.mean, still.own_shift.mean) < 1e-3
    assert len(still.returns) == 120
    pushed = measure(Here(wb.make_rule("qgf", weight=1.0)), board_parts(), PLAN)
    assert pushed.shift.low > LIMIT
    assert pushed.returns.mean() > still.returns.mean() + 0.2


def test_best_of_n_reads_its_shift_though_it_moves_no_particle():
    found = measure(Here(wb.make_rule("best_of_n", particles=16)), board_parts(), PLAN)
    assert min(found.shift.low, found.own_shift.low) > LIMIT


def test_the_same_plan_gives_the_same_numbers_and_another_plan_others():
    first, second = (measure(Here(wb.make_rule("qgf", weight=0.1)), board_parts(), PLAN) for _ in range(2))
    assert np.array_equal(first.returns, second.returns)
    assert first.shift == second.shift
    assert not np.array_equal(
        first.returns, measure(Here(wb.make_rule("qgf", weight=0.1)), board_parts(), Plan((5, 6), 60)).returns
    )


def test_play_and_measuring_share_their_calls_and_no_call_holds_a_state_twice():
    here = Here(wb.make_rule("bc"))
    measure(here, board_parts(), PLAN)
    assert all(len(np.unique(states, axis=0)) == len(states) for states in here.calls)
    every, times = np.unique(np.concatenate(here.calls), axis=0, return_counts=True)
    measured = {state.tobytes() for state in every[times >= meter.DRAWS]}
    mixed = [np.mean([state.tobytes() in measured for state in states]) for states in here.calls if len(states) > 20]
    assert np.mean(np.array(mixed) < 1.0) == 1.0  # never measuring alone
    assert np.mean(np.array(mixed) > 0.0) > 0.95  # nor play alone


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (capstone_rules.Silent(weight=1.0), "acts otherwise|another action"),
        (capstone_rules.ByCount(weight=1.0), "another action"),
        (capstone_rules.Dice(weight=1.0), "another action"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_rule_that_knows_when_it_is_measured_is_refused(rule, says):
    with pytest.raises(Refused, match=says):
        measure(Here(rule), board_parts(), PLAN)


@pytest.mark.parametrize(
    "rule", [capstone_rules.Driver(), capstone_rules.Elsewhere(weight=0.5)], ids=lambda rule: rule.name
)
def test_a_rule_that_leaves_the_behaviour_policy_is_too_far(rule):
    found = measure(Here(rule), board_parts(), PLAN)
    assert min(found.shift.low, found.own_shift.low) > LIMIT


@pytest.mark.parametrize("share", [0.15, 0.3, 1.0])
def test_the_audit_finds_rules_that_are_violent_in_some_of_their_play(share, rng):
    clouds = []
    for _ in range(300):
        home = rng.normal(0.0, 0.1, (16, 2))
        chosen = home.copy()
        chosen[0] += 0.5 * (rng.random() < share)
        clouds.append(meter.Cloud(chosen, home, None))
    assert meter.stands_out(clouds)


@pytest.mark.parametrize("push", [0.0, 0.3])
def test_the_audit_lets_honest_rules_pass(push, rng):
    for _ in range(50):
        homes = rng.normal(0.0, 0.1, (300, 16, 2))
        size = push * rng.random((300, 16, 1))  # of another length for each draw
        assert not meter.stands_out(
            [meter.Cloud(home + far, home, None) for home, far in zip(homes, size, strict=True)]
        )


@pytest.mark.slow
def test_the_bar_is_passed_by_the_solution_and_not_by_first_tries(root, monkeypatch):
    monkeypatch.undo()  # all states of the board
    spec = importlib.util.spec_from_file_location("solutions", root / "notebooks" / "instructor" / "solutions.py")
    solutions = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(solutions)
        thoughtful = solutions.CAPSTONE
    finally:
        wb.RULES.pop("unit_push", None)  # the solution of lesson 8 registers itself
    tries = (thoughtful, wb.make_rule("qgf", weight=0.1), wb.make_rule("qgf_jacobian", weight=0.3))
    beaten = []
    for rule in tries:
        found = measure(Here(rule), board_parts(), Plan((11, 12, 13, 14), 500))
        shifts = [(one.mean, one.low, one.high) for one in (found.shift, found.own_shift)]
        result = Result(digest="", ground="", returns=found.returns.tolist(), shift=shifts[0], own_shift=shifts[1])
        assert result.valid, rule.name
        beaten.append(result.beaten)
        gap = result.interval().low - TO_BEAT if result.beaten else TO_BEAT - result.interval().mean
        assert gap > 0.02, rule.name  # farther than another board's episodes reach
    assert beaten == [True, False, False]
