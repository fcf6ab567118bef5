"""Adjoint matching against closed forms: Gaussian flows, whose tilted optimum μ exp(Q/α) is a Gaussian that is known."""

import math

import pytest
import torch
from torch import Tensor, nn

from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.mlp import MlpShape
from workbench.engine.models.velocity import VelocityField
from workbench.engine.training.config import FitConfig, make_config
from workbench.engine.training.losses.adjoint_flow import adjoint_matching_loss, adjoint_targets, memoryless_path

MEAN = torch.tensor([-0.2, 0.1])


def gaussian(scale: float, mean: Tensor = MEAN) -> MixtureFlow:
    return MixtureFlow(mean[None], torch.tensor([scale]), torch.ones(1))


def draws(rows: int, steps: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Observations, x_0 and the SDE's noise."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(rows, 2, generator=generator)
    return torch.zeros(rows, 1), start, torch.randn(steps - 1, rows, 2, generator=generator)


def config(inverse_temperature: float = 1.0) -> FitConfig:
    return make_config(qam_inverse_temperature=inverse_temperature)


class Slope(nn.Module):
    """Q = c·a."""

    def __init__(self, slope: Tensor) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, observations: Tensor, actions: Tensor) -> Tensor:
        return actions @ self.slope


class Bowl(nn.Module):
    """Q = -κ/2 ‖a - c‖²."""

    def __init__(self, center: Tensor, curvature: float) -> None:
        super().__init__()
        self.center, self.curvature = center, curvature

    def forward(self, observations: Tensor, actions: Tensor) -> Tensor:
        return -0.5 * self.curvature * (actions - self.center).square().sum(1)


@pytest.mark.parametrize("scale", [0.2, 0.5])
def test_the_memoryless_path_has_the_flows_marginals(scale: float) -> None:
    """Means and variances at every time, and no memory of the start; a step's own error is of order 1/T."""
    steps, rows = 100, 20_000
    observations, start, kicks = draws(rows, steps)
    flow = gaussian(scale)
    path = memoryless_path(flow, observations, start, kicks)
    assert path.shape == (steps + 1, rows, 2)
    for i in (10, 50, 90, 100):
        t = i / steps
        spread = math.sqrt((1 - t) ** 2 + (t * scale) ** 2)
        error = 4 * spread / math.sqrt(rows)  # four standard errors of a mean, and about that of a deviation
        torch.testing.assert_close(path[i].mean(0), t * MEAN, rtol=0, atol=error + 0.01 * spread)
        torch.testing.assert_close(path[i].std(0), torch.full((2,), spread), rtol=0.04, atol=error)
    together = torch.corrcoef(torch.cat((start, path[-1]), 1).T)[:2, 2:]
    assert together.abs().max() < 4 / math.sqrt(rows)


@pytest.mark.parametrize("scale", [0.1, 0.3, 1.0])
def test_a_linear_q_gives_the_tilted_flow(scale: float) -> None:
    """μ exp(c·a) is N(m + s² c, s² I) with a flow of its own: along any path the targets are its velocity, T → ∞."""
    slope = torch.tensor([0.2, -0.1]) / scale**2 * 0.5
    flow, tilted = gaussian(scale), gaussian(scale, MEAN + scale**2 * slope)
    errors = []
    for steps in (50, 400):
        observations, start, kicks = draws(32, steps)
        path = memoryless_path(flow, observations, start, kicks)
        targets = adjoint_targets(flow, Slope(slope), observations, path, config())
        exact = torch.stack([tilted(observations, path[i], i / steps) for i in range(steps)])
        plain = torch.stack([flow(observations, path[i], i / steps) for i in range(steps)])
        errors.append(float((targets - exact).abs().max() / (exact - plain).abs().max()))
    assert errors[1] < 0.03
    assert errors[1] < 0.3 * errors[0]


def linear_shift(steps: int, scale: float, published: bool) -> float:
    """Mean shift of the ODE's end over its optimum s² c, for a linear Q: ours, or the published discretisation restated."""
    h, flow = 1.0 / steps, gaussian(scale)
    slope = torch.tensor([0.3, 0.0]) / scale**2

    def bend(t: float) -> float:  # ∂v/∂x of the Gaussian's velocity
        return (t * scale**2 - (1 - t)) / ((1 - t) ** 2 + (t * scale) ** 2)

    observations, start, kicks = draws(1, steps)
    path = memoryless_path(flow, observations, start, kicks)
    if published:  # Euler backwards with the Jacobian at t + h, σ² = 2 (1 - t + h)/(t + h)
        adjoint, pushes = -slope, []
        for i in reversed(range(steps)):
            t = i * h
            adjoint = adjoint + h * (2 * bend(t + h) - 1 / (t + h)) * adjoint
            pushes.append(-(1 - t + h) / (t + h) * adjoint)
        push = torch.stack(pushes[::-1])
    else:
        plain = torch.stack([flow(observations, path[i], i * h) for i in range(steps)])
        push = (adjoint_targets(flow, Slope(slope), observations, path, config()) - plain)[:, 0]
    ends = []
    for factor in (0.0, 1.0):
        x = torch.zeros(1, 2)
        for i in range(steps):
            x = x + h * (flow(observations, x, i * h) + factor * push[i])
        ends.append(x[0, 0])
    return float((ends[1] - ends[0]) / (scale**2 * slope[0]))


def test_with_few_steps_the_optimum_is_nearer_than_with_the_published_discretisation() -> None:
    """The numbers in `AdjointFlow`'s docstring: standard deviation 0.1, T = 10."""
    assert linear_shift(10, 0.1, published=False) == pytest.approx(0.84, abs=0.01)
    assert linear_shift(10, 0.1, published=True) == pytest.approx(1.98, abs=0.01)
    for published in (False, True):
        assert linear_shift(500, 0.1, published) == pytest.approx(1.0, abs=0.04)


def test_training_reaches_the_tilted_gaussian() -> None:
    """Quadratic Q: μ exp(Q/α) has precision 1/s² + κ/α. A small field learns it from its own trajectories.

    The standard error of the means is 0.25/√4000 = 0.004; the rest of the tolerance is what 300 updates and T = 15 leave.
    """
    steps, scale, inverse = 15, 0.35, 2.0
    flow, bowl = gaussian(scale), Bowl(torch.tensor([0.3, 0.1]), 6.0)
    precision = 1 / scale**2 + inverse * bowl.curvature
    mean = (MEAN / scale**2 + inverse * bowl.curvature * bowl.center) / precision
    shape = MlpShape(VelocityField.inputs(1, 2, "raw"), 2, (64, 64), "gelu", "all")
    field = VelocityField(1, 2, shape, "raw", torch.Generator().manual_seed(0))
    adam = torch.optim.Adam(field.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, 300)
    for update in range(300):
        observations, start, kicks = draws(64, steps, seed=update)
        with torch.no_grad():
            path = memoryless_path(field, observations, start, kicks)
            targets = adjoint_targets(flow, bowl, observations, path, config(inverse))
        adam.zero_grad()
        adjoint_matching_loss(field, observations, path, targets).backward()
        adam.step()
        schedule.step()
    observations, x, _ = draws(4000, 2, seed=9999)
    with torch.no_grad():
        for i in range(steps):
            x = x + field(observations, x, i / steps) / steps
    torch.testing.assert_close(x.mean(0), mean, rtol=0, atol=0.03)
    torch.testing.assert_close(x.std(0), torch.full((2,), precision**-0.5), rtol=0.12, atol=0)
    assert (mean - MEAN).norm() > 0.25  # far from where it began
