"""Metrics against known answers."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from contract.scenes import SIZES, make_parts, scene

from workbench.engine.metrics.cost import network_evaluations, seconds_alone
from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.metrics.intervals import bootstrap_mean
from workbench.engine.metrics.support import DataSupport
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout


def test_bootstrap_of_a_known_case() -> None:
    values = np.random.default_rng(0).normal(2.0, 1.0, 400)
    found = bootstrap_mean(values)
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.2 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.2 * half)
    assert bootstrap_mean(values) == found


def test_bootstrap_covers() -> None:
    """Of 300 intervals over 60 values each, 95% hold the true mean; three standard errors are 4 points, bias 2 more."""
    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(300):
        found = bootstrap_mean(rng.exponential(1.0, 60), seed)
        hits += found.low <= 1.0 <= found.high
    assert 0.89 <= hits / 300 <= 0.99


def test_bootstrap_edges() -> None:
    assert bootstrap_mean(np.full(9, 0.5)).low == 0.5
    assert bootstrap_mean(np.array([3.0])).high == 3.0
    with pytest.raises(ValueError, match="at least one episode"):
        bootstrap_mean(np.array([]))


def linear_parts(slope: float = 1.0) -> Parts:
    """A flow that stands still and a critic Q = slope · a₁, so that every push is known."""
    return Parts(
        observation_dim=1,
        action_dim=2,
        reference=lambda s, a, t: torch.zeros_like(a),
        critic=lambda s, a: slope * a[:, 0],
    )


@pytest.mark.parametrize(
    ("name", "settings", "count"),
    [
        ("bc", {"flow_steps": 7}, 7),
        ("best_of_n", {"particles": 4}, 44),
        ("grad_step", {"steps": 3}, 13),
        ("noisy", {}, 20),
        ("qgf", {}, 20),
        ("qgf", {"weight": 0.0}, 10),
        ("qgf_jacobian", {}, 30),
        ("vgf", {"particles": 5, "steps": 2}, 65),
    ],
)
def test_network_evaluations(name: str, settings: dict, count: int) -> None:
    """T velocities, plus the gradients; plus one critic row per particle for a pick."""
    assert network_evaluations(make_rule(name, **settings), linear_parts(), torch.zeros(1)) == count


def test_network_evaluations_of_further_parts() -> None:
    """A one-step policy is one row; a flow of its own, T."""
    parts, observations, _ = scene(SIZES[0])
    assert network_evaluations(make_rule("fql"), parts, observations[0]) == 1
    assert network_evaluations(make_rule("edp", flow_steps=7), parts, observations[0]) == 7


@pytest.mark.parametrize("name", RULES)
def test_evaluate_on_a_bandit(name: str) -> None:
    task = make_task("bandit1d")
    parts = replace(task.parts(), extra=make_parts(1, 1).extra)  # whatever a rule may need, untrained
    first = evaluate(make_rule(name), parts, task, episodes=40, seed=5).as_dict()
    second = evaluate(make_rule(name), parts, task, episodes=40, seed=5).as_dict()
    for time_of in ("ms_per_action", "ms_per_decision", "ms_alone"):
        assert first.pop(time_of) > 0.0
        second.pop(time_of)
    assert first == second
    assert first["return"]["low"] <= first["return"]["mean"] <= first["return"]["high"]
    assert first["earned"] == first["return"]  # one step: return is value
    assert first["gap"]["mean"] == pytest.approx(first["promised"]["mean"] - first["earned"]["mean"], abs=1e-5)
    assert first["gap"]["low"] <= first["gap"]["mean"] <= first["gap"]["high"]
    assert first["occupancy"]["w2"] == 0.0  # there is one state
    assert first["support"] is None
    assert set(first["coverage"]["shares"]) == set(task.mode_names)


def test_rollout_pairs_rules_by_seed() -> None:
    task = make_task("three_exits")
    parts = Parts(4, 2, reference=lambda s, a, t: -a, critic=lambda s, a: a.sum(1))
    bc = rollout(make_rule("bc"), parts, task, 12, seed=3)
    still = rollout(make_rule("qgf", weight=0.0), parts, task, 12, seed=3)
    assert np.array_equal(bc.starts, still.starts)
    assert np.array_equal(bc.returns, still.returns)
    assert np.array_equal(bc.lengths, still.lengths)
    assert not np.array_equal(bc.starts, rollout(make_rule("bc"), parts, task, 12, seed=4).starts)


def test_discounted_return_and_q_units() -> None:
    """Q is reported in task units: divided by the reward scale of the training."""
    task = make_task("three_exits")
    parts = Parts(
        4, 2, lambda s, a, t: -a, critic=lambda s, a: torch.full((len(a),), 5.0), reward_scale=10.0, discount=0.9
    )
    played = rollout(make_rule("bc"), parts, task, 6, seed=0)
    assert np.allclose(played.q_first, 0.5)
    assert (np.abs(played.discounted) <= np.abs(played.returns) + 1e-9).all()


def test_evaluate_refuses_no_episodes() -> None:
    task = make_task("bandit1d")
    with pytest.raises(ValueError, match="at least 1"):
        evaluate(make_rule("bc"), task.parts(), task, episodes=0, seed=0)


def test_support_of_an_evaluation() -> None:
    """BC is inside like the data; guidance at a weight that leaves the square is not."""
    task = make_task("bandit2d")
    data = DataSupport(task.generate(None, 0))
    bc, far = (
        evaluate(rule, task.parts(), task, 5, 0, data=data).support
        for rule in (make_rule("bc", flow_steps=50), make_rule("qgf", weight=30.0))
    )
    assert bc.inside > 0.9
    assert bc.distance < 2 * bc.usual
    assert far.inside < 0.1


def test_latency_is_one_decision() -> None:
    def slow(s: torch.Tensor, a: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        time.sleep(0.002)
        return -a

    assert seconds_alone(make_rule("bc", flow_steps=5), Parts(1, 2, slow), torch.zeros(1), repeats=3) >= 0.01
