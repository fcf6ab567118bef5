"""Likelihood under the flow: closed forms, densities that integrate to one, and the sampled policy itself."""

import math

import numpy as np
import pytest
import torch
from contract.scenes import make_parts
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from workbench.engine.metrics.likelihood import (
    log_likelihood,
    standard_normal_log_density,
    velocity_and_jacobian,
)
from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.velocity import sample


def nothing(actions: Tensor) -> Tensor:
    return torch.zeros(len(actions), 1, dtype=actions.dtype)


def mixture(dim: int) -> MixtureFlow:
    means = torch.tensor([[-0.5, -0.3, 0.2], [0.4, 0.1, -0.6]])[:, :dim]
    return MixtureFlow(means, torch.tensor([0.2, 0.3]), torch.tensor([0.4, 0.6])).double()


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_ode_likelihood_is_the_mixtures_density(dim: int) -> None:
    """Heun's rule is of second order: ten times the steps, a hundredth of the error."""
    flow = mixture(dim)
    actions = flow.draw(200, torch.Generator().manual_seed(0))
    errors = [
        (log_likelihood(flow, nothing(actions), actions, steps, "ode").value - flow.log_density(actions)).abs().max()
        for steps in (50, 500)
    ]
    assert errors[0] < 0.1
    assert errors[1] < 1e-3
    assert errors[1] < 0.03 * errors[0]


def test_euler_tends_to_the_ode() -> None:
    flow = mixture(2)
    actions = flow.draw(50, torch.Generator().manual_seed(0))
    far = [
        (log_likelihood(flow, nothing(actions), actions, steps, "euler").value - flow.log_density(actions)).abs().max()
        for steps in (100, 400)
    ]
    assert far[1] < 0.35 * far[0] < 0.1  # first order: a quarter of the step, a quarter of the error


@pytest.mark.parametrize("d", [1, 2, 5, 12])
@pytest.mark.parametrize("flow_steps", [1, 4, 10])
def test_euler_of_a_linear_field(d: int, flow_steps: int) -> None:
    """v = A a + t b: F is affine, so the policy is one Gaussian with known mean and covariance."""
    generator = torch.Generator().manual_seed(d)
    a = 0.3 * torch.randn(d, d, generator=generator, dtype=torch.float64) - 0.5 * torch.eye(d, dtype=torch.float64)
    b = torch.randn(d, generator=generator, dtype=torch.float64)
    linear, mean = torch.eye(d, dtype=torch.float64), torch.zeros(d, dtype=torch.float64)
    for i in range(flow_steps):
        step = torch.eye(d, dtype=torch.float64) + a / flow_steps
        linear, mean = step @ linear, step @ mean + (i / flow_steps) * b / flow_steps
    gaussian = torch.distributions.MultivariateNormal(mean, linear @ linear.mT)
    actions = torch.randn(40, d, generator=generator, dtype=torch.float64)
    found = log_likelihood(lambda s, x, t: x @ a.mT + t[:, None] * b, nothing(actions), actions, flow_steps)
    assert torch.allclose(found.value, gaussian.log_prob(actions), atol=1e-8)


@pytest.mark.parametrize("flow", ["euler", "ode"])
@pytest.mark.parametrize("dim", [1, 2])
def test_density_integrates_to_one(dim: int, flow: str) -> None:
    """On a grid over ±3, float64; ten Euler steps of a field with two modes are a policy of their own."""
    points = {1: 2001, 2: 161}[dim]
    axis = torch.linspace(-3.0, 3.0, points, dtype=torch.float64)
    grid = torch.cartesian_prod(*[axis] * dim).reshape(-1, dim)
    steps = 10 if flow == "euler" else 40
    density = log_likelihood(mixture(dim), nothing(grid), grid, steps, flow).value.exp()
    assert float(density.sum() * (axis[1] - axis[0]) ** dim) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("d", [1, 2, 6])
def test_undoing_a_trained_shape_of_network(d: int) -> None:
    """The noise found leads back to the action, and it is the noise that made it."""
    parts, generator = make_parts(3, d), torch.Generator().manual_seed(1)
    observations, noise = torch.randn(30, 3, generator=generator), torch.randn(30, d, generator=generator)
    x, log_det = noise, torch.zeros(30)
    for i in range(5):
        velocity, jacobian = velocity_and_jacobian(parts.reference, observations, x, i / 5)
        log_det += torch.linalg.slogdet(torch.eye(d) + jacobian / 5).logabsdet
        x = x + velocity / 5
    found = log_likelihood(parts.reference, observations, x, 5)
    assert torch.allclose(found.noise, noise, atol=1e-4)
    assert torch.allclose(found.value, standard_normal_log_density(noise) - log_det, atol=1e-3)


def test_jacobian_is_autograds() -> None:
    parts = make_parts(2, 3)
    observations, actions = torch.randn(4, 2), torch.randn(4, 3)
    _, jacobian = velocity_and_jacobian(parts.reference, observations, actions, 0.3)
    for m in range(4):
        one = torch.autograd.functional.jacobian(
            lambda x, m=m: parts.reference(observations[m : m + 1], x, torch.full((1,), 0.3)), actions[m : m + 1]
        )
        assert torch.allclose(jacobian[m], one[0, :, 0], atol=1e-5)


def test_entropy_of_the_sampled_policy() -> None:
    """−E log p of the policy's own samples is its entropy; of one Gaussian that is ½ log(2πe s²) up to Euler's bias."""
    flow = MixtureFlow(torch.tensor([[0.1]]), torch.tensor([0.2]), torch.ones(1))
    noise = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0))
    actions = sample(flow, nothing(noise), noise, 200)
    found = -log_likelihood(flow, nothing(actions), actions, 200).value.mean()
    standard_error = math.sqrt(0.5 / 4000)  # log p is −½χ² plus a constant
    assert float(found) == pytest.approx(0.5 * math.log(2 * math.pi * math.e * 0.04), abs=4 * standard_error + 0.02)


def test_hutchinson_is_unbiased() -> None:
    """Rademacher probes on a field whose Jacobian is not diagonal: within four standard errors of the exact trace."""
    d, generator = 10, torch.Generator().manual_seed(0)
    a = 0.2 * torch.randn(d, d, generator=generator, dtype=torch.float64)

    def field(s: Tensor, x: Tensor, t: Tensor) -> Tensor:
        return x @ a.mT

    actions = torch.zeros(400, d, dtype=torch.float64)
    probes = torch.randint(0, 2, (4, 400, d), generator=generator).double() * 2 - 1
    found = log_likelihood(field, nothing(actions), actions, 20, "ode", probes).value
    exact = standard_normal_log_density(actions) - a.trace()
    error = (found - exact).numpy()
    assert error.std() > 0.01  # the probes are used
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(len(error))


@settings(max_examples=15)
@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 99))
def test_no_row_depends_on_its_neighbours(d: int, m: int, seed: int) -> None:
    parts, generator = make_parts(2, d, seed), torch.Generator().manual_seed(seed)
    observations, actions = torch.randn(m, 2, generator=generator), torch.randn(m, d, generator=generator)
    whole = log_likelihood(parts.reference, observations, actions, 3).value
    alone = [log_likelihood(parts.reference, observations[i : i + 1], actions[i : i + 1], 3).value for i in range(m)]
    assert torch.allclose(whole, torch.cat(alone), atol=1e-3)


def test_an_action_that_no_noise_reaches_has_none() -> None:
    """F(a) = a + (1 + a²): never below 3/4."""
    actions = torch.tensor([[0.0], [3.0]], dtype=torch.float64)
    found = log_likelihood(lambda s, x, t: 1.0 + x.square(), nothing(actions), actions, 1).value
    assert torch.isnan(found[0])
    assert float(found[1]) == pytest.approx(
        float(standard_normal_log_density(torch.ones(1, 1))) - math.log(3.0), abs=1e-6
    )


def test_a_constant_field_shifts_the_noise() -> None:
    actions = torch.randn(5, 2)
    found = log_likelihood(lambda s, x, t: torch.full_like(x, 0.5), nothing(actions), actions, 4).value
    assert torch.allclose(found, standard_normal_log_density(actions - 0.5), atol=1e-5)
    still = log_likelihood(lambda s, x, t: torch.zeros_like(x), nothing(actions), actions, 4, "ode").value
    assert torch.allclose(still, standard_normal_log_density(actions), atol=1e-5)


def test_errors_say_the_cure() -> None:
    actions = torch.zeros(3, 9)
    with pytest.raises(ValueError, match="pass probes"):
        log_likelihood(lambda s, x, t: -x, nothing(actions), actions, 4, "ode")
    with pytest.raises(ValueError, match=r"\(P, M, D\)"):
        log_likelihood(lambda s, x, t: -x, nothing(actions), actions, 4, "ode", probes=torch.zeros(3, 9))
    with pytest.raises(ValueError, match="autograd off"):
        log_likelihood(lambda s, x, t: -x.detach(), nothing(actions), actions, 4)
