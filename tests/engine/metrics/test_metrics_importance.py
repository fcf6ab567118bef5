"""Importance weighting against Gaussian policies, whose values and effective numbers are known exactly."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from workbench.engine.data.transitions import Transitions, make_transitions
from workbench.engine.metrics.importance import importance, log_ratios, weigh
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import make_rule

GAMMA = 0.9


def bandit(actions: np.ndarray, rewards: np.ndarray, masks: float = 0.0) -> Transitions:
    """Episodes of T steps each: actions and rewards (N, T)."""
    count, steps = actions.shape
    ends = np.tile(np.arange(steps) == steps - 1, count)
    seen = np.zeros((count * steps, 1))
    scaled = actions.reshape(-1, 1)
    return make_transitions(seen, scaled, rewards.ravel(), np.where(ends, masks, 1.0), seen, ends, out_of_bounds="clip")


def test_by_hand() -> None:
    """Two episodes of two steps: weights 1/2 and 2, then 1 and 6."""
    data = bandit(np.zeros((2, 2)), np.array([[1.0, 10.0], [3.0, 4.0]]))
    found = importance(np.log([0.5, 2.0, 2.0, 3.0]), data, GAMMA)
    assert found.value.mean == pytest.approx((0.5 * 1 + 2 * 3) / 2.5 + GAMMA * (1 * 10 + 6 * 4) / 7)
    assert found.effective == pytest.approx(49 / 37)
    assert found.share == pytest.approx(49 / 37 / 2)
    assert found.largest == pytest.approx(6 / 7)
    ratios = np.array([0.5, 2.0, 2.0, 3.0])
    assert found.decisions == pytest.approx(ratios.sum() ** 2 / (ratios**2).sum() / 4)
    assert found.value.low <= found.value.mean <= found.value.high


def test_episodes_of_several_lengths_keep_their_weight() -> None:
    rows = np.zeros((4, 1))
    data = make_transitions(rows, rows, np.array([1.0, 1.0, 1.0, 5.0]), np.ones(4), rows, np.array([0, 0, 1, 1]))
    found = importance(np.log([2.0, 1.0, 1.0, 4.0]), data, 1.0)
    # after its one step the second episode earns nothing, and still weighs 4
    assert found.value.mean == pytest.approx((2 * 1 + 4 * 5) / 6 + 2 / 6 + 2 / 6)
    assert found.effective == pytest.approx(36 / 20)


@pytest.mark.parametrize("shift", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("steps", [1, 3])
def test_gaussian_policies(shift: float, steps: int) -> None:
    """μ = N(0, 1), π = N(δ, 1), r = a: the value is δ Σ γ^t, and E[ρ²] = exp(δ²) a decision."""
    count = 10_000
    actions = np.random.default_rng(1).normal(size=(count, steps))
    logs = shift * actions - 0.5 * shift**2
    found = importance(logs.ravel(), bandit(actions, actions), GAMMA)
    exact = shift * sum(GAMMA**t for t in range(steps))
    spread = math.sqrt(math.exp(steps * shift**2) * (1 + shift**2) * steps / count)
    assert abs(found.value.mean - exact) < 5 * spread
    assert found.value.low - spread < exact < found.value.high + spread
    assert found.share == pytest.approx(math.exp(-steps * shift**2), rel=0.2)
    assert found.decisions == pytest.approx(math.exp(-(shift**2)), rel=0.05)
    assert found.enough
    assert found.in_words() == f"importance weighting: {round(found.effective):,} of 10,000 episodes carry the estimate"


def test_too_few_episodes_are_said_plainly() -> None:
    actions = np.random.default_rng(0).normal(size=(1000, 1))
    found = importance((3.0 * actions - 4.5).ravel(), bandit(actions, actions), GAMMA)
    assert not found.enough
    words = found.in_words()
    assert f"{max(1, round(found.effective))} of 1,000 episodes carry the estimate" in words
    assert "too few to trust it" in words
    assert f"largest weight {found.largest:.0%}" in words
    assert found.as_dict()["enough"] is False


def test_weights_that_no_float_holds() -> None:
    """Long episodes multiply hundreds of ratios."""
    actions = np.random.default_rng(0).normal(size=(20, 900))
    for logs in (np.full(18_000, 5.0), np.full(18_000, -5.0)):
        found = importance(logs, bandit(actions, np.ones_like(actions)), 0.5)
        assert found.effective == pytest.approx(20)
        assert found.value.mean == pytest.approx(2.0)


def gaussian(mean: float, std: float) -> Any:
    """The straight flow from N(0, 1) to N(mean, std²), which Euler steps follow exactly."""

    def velocity(s: Tensor, x: Tensor, t: Tensor) -> Tensor:
        start = (x - t[:, None] * mean) / (1.0 - t[:, None] + t[:, None] * std)
        return mean + (std - 1.0) * start

    return velocity


def drawn(count: int, std: float) -> Transitions:
    actions = np.random.default_rng(3).normal(0.0, std, size=(count, 1))
    return bandit(actions, actions)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.15])
def test_the_classifier_knows_the_ratio(shift: float) -> None:
    """It sees samples alone: the policies' likelihoods are not used."""
    std, data = 0.25, drawn(12_000, 0.25)
    parts = Parts(1, 1, gaussian(shift, std), discount=GAMMA)
    logs = log_ratios(make_rule("bc"), parts, data, 0)
    found = importance(logs, data, GAMMA)
    assert found.value.mean == pytest.approx(shift, abs=0.03)
    assert found.share == pytest.approx(math.exp(-((shift / std) ** 2)), abs=0.12)
    exact = (shift * data.actions[:, 0] - 0.5 * shift**2) / std**2
    middle = np.abs(data.actions[:, 0]) < 2 * std
    assert np.abs(logs - exact)[middle].mean() < 0.15


def test_the_classifier_knows_modes() -> None:
    """Data at −0.5 and 0.5, a rule that goes to 0.5 alone: half of the episodes carry what it is worth."""
    actions = np.random.default_rng(5).normal(np.tile([[-0.5], [0.5]], (2000, 1)), 0.1)
    data = bandit(actions, (actions > 0).astype(float))
    found = weigh(make_rule("bc"), Parts(1, 1, gaussian(0.5, 0.1), discount=GAMMA), data, 0)
    assert found is not None
    assert found.value.mean == pytest.approx(1.0, abs=0.01)
    assert found.episodes == 1024
    assert found.share == pytest.approx(0.5, abs=0.12)
    assert found.enough


def test_the_same_seed_gives_the_same_numbers() -> None:
    data, parts = drawn(400, 0.25), Parts(1, 1, gaussian(0.1, 0.25), discount=GAMMA)
    first, second, other = (weigh(make_rule("bc"), parts, data, seed) for seed in (0, 0, 1))
    assert first == second
    assert first != other
    state = torch.get_rng_state()
    weigh(make_rule("bc"), parts, data, 0)
    assert torch.equal(state, torch.get_rng_state())


def test_chunks_are_not_weighed() -> None:
    parts = Parts(1, 2, lambda s, a, t: -a, chunk=2)
    assert weigh(make_rule("bc"), parts, drawn(10, 0.2), 0) is None
