"""Estimator quality: critics whose gradient is known."""

import math

import numpy as np
import pytest
import torch
from contract.scenes import SIZES, analytic, scene

from workbench.engine.metrics.estimator import noise_sensitivity, q_reached
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import DuringFlow
from workbench.engine.steering.rules import RULES, make_rule

DURING = [name for name, rule in RULES.items() if issubclass(rule, DuringFlow)]


def directions_for(rule: DuringFlow, start: torch.Tensor) -> torch.Tensor:
    return torch.randn(rule.flow_steps, *start.shape, generator=torch.Generator().manual_seed(9))


def test_the_registry_has_rules_to_measure() -> None:
    assert {"noisy", "qgf", "qgf_jacobian"} <= set(DURING)


@pytest.mark.parametrize("name", DURING)
def test_every_rule_can_be_measured(name: str) -> None:
    parts, observations, noise = scene(SIZES[1])
    rule = make_rule(name, flow_steps=4)
    found = noise_sensitivity(rule, parts, observations, noise, directions_for(rule, noise.start), (1e-5, 0.3))
    assert found.by_time.shape == (2, 4)
    assert found.cosine[0].mean > 0.99  # hardly any noise, hardly any turn
    assert found.cosine[1].mean < found.cosine[0].mean
    assert all(0.0 <= share < 1.0 for share in found.silent)
    assert np.isfinite(q_reached(rule, parts, observations, noise, (0.0, 1.0))).all()


def test_a_constant_gradient_never_turns() -> None:
    parts = Parts(1, 3, reference=lambda s, a, t: torch.zeros_like(a), critic=lambda s, a: a.sum(1))
    noise = draw_noise(5, 2, 3, torch.Generator().manual_seed(0))
    rule = make_rule("noisy")
    found = noise_sensitivity(rule, parts, torch.zeros(5, 1), noise, directions_for(rule, noise.start), (0.5, 5.0))
    assert [level.mean for level in found.cosine] == pytest.approx([1.0, 1.0])
    assert found.silent == [0.0, 0.0]


def test_the_turn_of_a_round_hill_is_geometry() -> None:
    """Q = −‖a‖²/2 asked at a: the cosine is that between a and a + ε, for one particle at distance 1 from the top."""
    parts = Parts(1, 2, reference=lambda s, a, t: torch.zeros_like(a), critic=lambda s, a: -a.square().sum(1) / 2)
    noise = draw_noise(1, 1, 2, torch.Generator().manual_seed(0))
    noise = noise._replace(start=torch.tensor([[[1.0, 0.0]]]))
    directions = torch.tensor([0.0, 7.0]).expand(4, 1, 1, 2)  # at right angles; the length does not matter
    rule = make_rule("noisy", flow_steps=4)
    found = noise_sensitivity(rule, parts, torch.zeros(1, 1), noise, directions, (1.0,))
    assert found.cosine[0].mean == pytest.approx(math.sqrt(0.5), abs=1e-6)


def test_silent_gradients_are_counted_and_left_out() -> None:
    """A critic that is flat on the left: half of the particles hear nothing there."""
    parts = Parts(1, 1, reference=lambda s, a, t: torch.zeros_like(a), critic=lambda s, a: a[:, 0].clamp_min(0.0))
    noise = draw_noise(400, 1, 1, torch.Generator().manual_seed(0))
    rule = make_rule("noisy", flow_steps=1)
    found = noise_sensitivity(rule, parts, torch.zeros(400, 1), noise, directions_for(rule, noise.start), (1e-6,))
    assert found.silent[0] == pytest.approx(0.5, abs=0.1)  # four standard errors
    assert found.cosine[0].mean == pytest.approx(1.0)


def test_q_reached_on_an_analytic_hill() -> None:
    """Guidance climbs: more weight reaches more Q, and weight 0 what the behaviour flow has."""
    parts = analytic(2)
    noise = draw_noise(1, 256, 2, torch.Generator().manual_seed(0))
    found = q_reached(make_rule("qgf"), parts, torch.zeros(1, 1), noise, (0.0, 0.1, 0.3))
    assert (np.diff(found) > 0.01).all()
    assert found[-1] < 1.0


def test_directions_must_fit() -> None:
    parts, observations, noise = scene(SIZES[1])
    with pytest.raises(ValueError, match=r"\(T, B, N, D\)"):
        noise_sensitivity(make_rule("qgf"), parts, observations, noise, noise.start, (0.1,))
