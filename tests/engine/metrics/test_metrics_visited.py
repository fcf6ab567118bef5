"""Where shift is measured: states that the behaviour policy visits, those of the steered one, and how far these are apart."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.metrics.shift import measure_shift
from workbench.engine.metrics.visited import (
    Visited,
    Watcher,
    behaviour_episodes,
    behaviour_states,
    occupancy_shift,
    scale_of,
)
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout


def walking_parts() -> Parts:
    """A behaviour flow that goes up with some noise, and a critic that would rather go right."""
    up = torch.tensor([0.0, 0.5])
    return Parts(4, 2, reference=lambda s, a, t: up - 0.7 * a, critic=lambda s, a: a[:, 0])


def gated(parts: Parts, border: float = -0.7) -> Parts:
    """The same critic without a slope below ``border``, the row where episodes start."""
    critic: Any = parts.critic
    return replace(parts, critic=lambda s, a: critic(s, a) * (s[:, 1] > border))


def test_a_rule_that_is_silent_where_episodes_start_does_not_read_zero() -> None:
    task, parts, rule = make_task("three_exits"), gated(walking_parts()), make_rule("qgf", weight=0.6)
    found = evaluate(rule, parts, task, 20, seed=1)
    starts = measure_shift(rule, parts, torch.from_numpy(found.record.starts), 32, seed=1)
    assert starts.w2 == 0.0  # what the old default said
    assert found.states_from == "behaviour episodes"
    assert found.shift.w2 > 0.1
    assert found.own_shift.w2 > 0.1
    assert found.transport > 0.1


@pytest.mark.parametrize("name", [name for name in RULES if not RULES[name].needs or "critic" in RULES[name].needs])
def test_the_states_are_the_same_for_every_rule_and_seed(name: str) -> None:
    task, parts = make_task("three_exits"), walking_parts()
    before = behaviour_states(parts, task).rows
    if not set(RULES[name].needs) <= set(parts.available()):
        return
    evaluate(make_rule(name), parts, task, 2, seed=7)
    assert torch.equal(before, behaviour_states(parts, task).rows)
    assert torch.equal(
        before, behaviour_states(walking_parts(), make_task("three_exits")).rows
    )  # played again: the same


def test_a_run_s_states_are_rows_of_its_dataset() -> None:
    states = torch.randn(100, 4)
    parts = replace(walking_parts(), behaviour_states=states)
    found = behaviour_states(parts, make_task("three_exits"))
    assert found.source == "dataset"
    assert torch.equal(found.rows, states)
    given = evaluate(make_rule("bc"), parts, make_task("three_exits"), 2, 0, probes=states[:5])
    assert (given.states_from, given.states) == ("given", 5)


@pytest.mark.parametrize("shape", [(0, 4), (5, 3), (4,)])
def test_states_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"behaviour_states must be \(P, S\)"):
        replace(walking_parts(), behaviour_states=torch.zeros(shape))


def test_an_unsteered_policy_reads_exactly_zero_everywhere() -> None:
    for rule in (make_rule("bc"), make_rule("qgf", weight=0.0), make_rule("best_of_n", particles=1)):
        found = evaluate(rule, walking_parts(), make_task("three_exits"), 12, seed=3)
        assert (found.shift.w2, found.own_shift.w2, found.occupancy.w2, found.transport) == (0.0, 0.0, 0.0, 0.0), (
            rule.name
        )
        assert (found.gain.low, found.gain.mean, found.gain.high) == (0.0, 0.0, 0.0), rule.name


def test_the_floor_is_what_two_sets_of_behaviour_episodes_read() -> None:
    """Over other seeds the raw distance has the floor as its root mean square (of 24 pairs: known to about 15%)."""
    task, parts, raw, floors = make_task("three_exits"), walking_parts(), [], []
    scale = scale_of(behaviour_states(parts, task).rows)
    homes = [behaviour_episodes(parts, task, 16, seed, make_rule("bc")) for seed in range(25)]
    for one, other in itertools.pairwise(homes):
        found = occupancy_shift(other.visited, one.visited, scale, 0)
        assert found.floor is not None
        raw.append(found.w2**2 + (found.floor**2 if found.w2 > 0.0 else 0.0))
        floors.append(found.floor**2)
    assert np.sqrt(np.mean(raw)) == pytest.approx(np.sqrt(np.mean(floors)), rel=0.5)
    assert np.median([np.sqrt(max(r - f, 0.0)) for r, f in zip(raw, floors, strict=True)]) < np.sqrt(np.mean(floors))


def test_occupancy_of_a_translation_is_its_length_over_the_spread() -> None:
    rng = np.random.default_rng(0)
    rows, episode = rng.normal(size=(4000, 1)) * 3.0, np.repeat(np.arange(40), 100)
    home = Visited(rows, episode)
    found = occupancy_shift(Visited(rows + 1.5, episode), home, np.array([3.0]), 0)
    assert found.w2 == pytest.approx(0.5, rel=0.01)
    assert found.floor is not None
    assert found.floor < 0.1
    assert occupancy_shift(home, Visited(rows[:100], episode[:100]), np.array([3.0]), 0).floor is None  # one episode


def test_the_watcher_sees_the_states_of_decisions() -> None:
    """Of chunks of three every third step, of episodes that ended none; of long episodes fewer, evenly."""
    seen = Watcher(3)
    for step in range(10):
        moved = np.array([True, step <= 5])  # the second episode ends with its fifth step
        seen(np.full((2, 1), step, dtype=np.float32), moved)
    assert sorted(zip(seen.visited.rows[:, 0].tolist(), seen.visited.episode.tolist(), strict=True)) == [
        (0.0, 0), (0.0, 1), (3.0, 0), (3.0, 1), (6.0, 0),
    ]  # fmt: skip


def test_a_long_rollout_is_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.engine.metrics.visited.MOST", 100)
    seen = Watcher()
    for step in range(1000):
        seen(np.full((2, 1), step, dtype=np.float32), np.ones(2, dtype=bool))
    steps = np.unique(seen.visited.rows)
    assert len(seen.visited.rows) <= 100
    assert len(set(np.diff(steps))) == 1
    assert steps.max() > 900


def test_the_behaviour_s_episodes_meet_the_rule_s_starts_and_noise() -> None:
    task, parts, rule = make_task("three_exits"), walking_parts(), make_rule("qgf", weight=0.0)
    home = behaviour_episodes(parts, task, 9, 4, rule)
    own = rollout(rule, parts, task, 9, 4)
    np.testing.assert_array_equal(home.record.returns, own.returns)
    np.testing.assert_array_equal(home.record.starts, own.starts)
    assert behaviour_episodes(parts, task, 9, 4, make_rule("noisy")) is home  # kept: the same for every rule


def test_another_task_or_other_parts_have_episodes_of_their_own() -> None:
    task, parts = make_task("three_exits"), walking_parts()
    home = behaviour_episodes(parts, task, 3, 0, make_rule("bc"))
    assert behaviour_episodes(replace(parts), task, 3, 0, make_rule("bc")) is not home
    assert behaviour_episodes(parts, make_task("three_exits"), 3, 0, make_rule("bc")) is not home
    assert behaviour_episodes(parts, task, 3, 1, make_rule("bc")) is not home


def test_gain_is_the_paired_difference() -> None:
    task = make_task("bandit2d")
    parts = task.parts()
    found = evaluate(make_rule("qgf", weight=0.1), parts, task, 60, seed=2)
    home = evaluate(make_rule("bc"), parts, task, 60, seed=2)
    assert found.gain.mean == pytest.approx(found.returns.mean - home.returns.mean)
    assert (
        found.gain.high - found.gain.low < found.returns.high - found.returns.low
    )  # pairing takes the starts' luck out
