"""Where the answer is known: Gaussian latents and a linear reward, whose tilted law is the same Gaussian moved."""

import math

import pytest
import torch
from scipy.integrate import quad

from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import steer

DIMS, SPREAD, MANY = 6, 0.12, 4000
SLOPE = torch.tensor([0.5, -0.25, 0.0, 0.1, 0.0, 0.3])


class Linear:
    def __call__(self, observations, actions):
        return actions @ SLOPE.to(actions)


def world():
    flow = MixtureFlow(torch.full((1, DIMS), 0.05), torch.tensor([SPREAD]), torch.ones(1))
    return Parts(1, DIMS, flow, Linear())


def tilted(beta):
    """Mean of μ(a) exp(b·a / β): μ is N(m, s² I), so it is m + s² b / β, with the same spread."""
    return 0.05 + SPREAD**2 * SLOPE / beta


def cloud(rule, seed=0):
    noise = draw_noise(MANY // rule.particles, rule.particles, DIMS, torch.Generator().manual_seed(seed))
    return steer(rule, world(), torch.zeros(len(noise.start), 1), noise).positions[-1].flatten(0, 1)


@pytest.mark.parametrize("beta", [0.2, 0.05])
def test_qgf_reaches_the_tilted_gaussian(beta):
    """A constant push w b through the Gaussian's own flow moves its mean by s w b ∫ dt / τ(t): choose w for β."""
    integral = quad(lambda t: 1.0 / math.sqrt((1.0 - t) ** 2 + (t * SPREAD) ** 2), 0.0, 1.0)[0]
    made = cloud(make_rule("qgf", weight=SPREAD / (beta * integral), flow_steps=100))
    assert torch.allclose(made.mean(0), tilted(beta), atol=0.012)
    assert torch.allclose(made.std(0), torch.full((DIMS,), SPREAD), atol=0.012)


@pytest.mark.parametrize("beta", [0.2, 0.05])
def test_vgf_reaches_the_tilted_gaussian(beta):
    """Single particles feel no kernel: L plain steps of ε move each by ε L b / α, which is the tilt of β = s² α / (ε L)."""
    steps, alpha = 20, 1.0
    size = SPREAD**2 * alpha / (beta * steps)
    rule = make_rule("vgf", particles=1, steps=steps, step_size=size, alpha=alpha, ascent="plain", flow_steps=100)
    made = cloud(rule)
    assert torch.allclose(made.mean(0), tilted(beta), atol=0.012)
    assert torch.allclose(made.std(0), torch.full((DIMS,), SPREAD), atol=0.012)
