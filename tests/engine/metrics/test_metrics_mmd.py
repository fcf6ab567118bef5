"""MMD² against its definition, and VGF's bound against runs of VGF."""

import math

import numpy as np
import pytest
import torch
from contract.scenes import SIZES, make_parts, scene
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from workbench.engine.metrics.mmd import (
    MmdBound,
    bandwidth,
    mmd2,
    mmd_against_theory,
    mmd_bound,
    mmd_over_budget,
    transport_bound,
    unbiased_mmd2,
)
from workbench.engine.models.parts import Parts
from workbench.engine.steering.kernel import rbf, repulsion
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import steer


def restated(x: np.ndarray, y: np.ndarray, sigma: float) -> float:
    def k(a: np.ndarray, b: np.ndarray) -> float:
        return math.exp(-((a - b) ** 2).sum() / (2 * sigma**2))

    within = np.mean([k(a, b) for a in x for b in x]) + np.mean([k(a, b) for a in y for b in y])
    return float(within - 2 * np.mean([k(a, b) for a in x for b in y]))


def test_mmd_is_its_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(3, 6, 2, generator=generator), torch.randn(3, 4, 2, generator=generator) + 0.5
    sigma = torch.tensor([0.5, 1.0, 2.0])
    found = mmd2(x, y, sigma)
    for b in range(3):
        assert float(found[b]) == pytest.approx(restated(x[b].numpy(), y[b].numpy(), float(sigma[b])), abs=1e-6)
    assert torch.equal(mmd2(x, x, sigma), torch.zeros(3))
    assert torch.allclose(mmd2(x, x + 1000.0, sigma), _kernel_mean(x, sigma) * 2, atol=1e-6)


def _kernel_mean(x: Tensor, sigma: Tensor) -> Tensor:
    distances = (x[:, :, None] - x[:, None]).square().sum(-1)
    return torch.exp(-distances / (2 * sigma.square())[:, None, None]).mean((1, 2))


def test_two_gaussians_in_closed_form() -> None:
    """N(0, s²) and N(m, s²) in one dimension: MMD² = 2σ/√(σ² + 2s²) (1 − exp(−m² / (2 (σ² + 2s²)))); four standard errors."""
    s, m, sigma, repeats = 0.4, 0.5, 0.6, 200
    generator = torch.Generator().manual_seed(1)
    x, y = (s * torch.randn(repeats, 50, 1, generator=generator) for _ in range(2))
    found = unbiased_mmd2(x, y + m, torch.full((repeats,), sigma)).double()
    wide = sigma**2 + 2 * s**2
    exact = 2 * sigma / math.sqrt(wide) * (1 - math.exp(-(m**2) / (2 * wide)))
    assert abs(float(found.mean()) - exact) < 4 * float(found.std()) / math.sqrt(repeats)


def test_no_floor() -> None:
    """Two clouds of one distribution: the unbiased value is 0 on average, the plain one is not; equal clouds give 0."""
    generator = torch.Generator().manual_seed(2)
    x, y = (torch.randn(300, 16, 2, generator=generator) for _ in range(2))
    sigma = torch.ones(300)
    unbiased = unbiased_mmd2(x, y, sigma)
    assert abs(float(unbiased.mean())) < 4 * float(unbiased.std()) / math.sqrt(300)
    assert float(mmd2(x, y, sigma).mean()) > 0.05
    assert unbiased_mmd2(x, x, sigma).abs().max() < 1e-6
    with pytest.raises(ValueError, match="at least two"):
        unbiased_mmd2(x[:, :1], y[:, :1], sigma)


def test_the_kernels_own_bandwidth() -> None:
    x = torch.randn(4, 10, 3)
    sigma = bandwidth(x)
    distances = (x[:, :, None] - x[:, None]).square().sum(-1)
    assert torch.allclose(torch.exp(-distances / (2 * sigma.square())[:, None, None]), rbf(x).values, atol=1e-5)


@settings(max_examples=60)
@given(
    size=st.sampled_from(SIZES),
    seed=st.integers(0, 10_000),
    steps=st.integers(1, 12),
    step_size=st.floats(1e-3, 0.3),
    alpha=st.floats(0.01, 10.0),
    push=st.sampled_from(["fixed_bandwidth", "none"]),
)
def test_the_bound_holds_for_plain_steps(
    size: tuple[int, int, int, int], seed: int, steps: int, step_size: float, alpha: float, push: str
) -> None:
    parts, observations, noise = scene(size, seed)
    rule = make_rule("vgf", ascent="plain", repulsion=push, steps=steps, step_size=step_size, alpha=alpha)
    found = mmd_against_theory(steer(rule, parts, observations, noise), parts)
    assert found.unproven == ""
    assert (found.measured <= found.stepwise * (1 + 1e-4) + 1e-5).all()


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    steps=st.integers(1, 12),
    step_size=st.floats(1e-3, 0.3),
    alpha=st.floats(0.01, 10.0),
    width=st.floats(0.05, 2.0),
)
def test_the_papers_bound_holds_for_one_bandwidth(
    seed: int, steps: int, step_size: float, alpha: float, width: float
) -> None:
    """The theorem's own transport, with one σ throughout, restated here."""
    generator = torch.Generator().manual_seed(seed)
    parts = make_parts(3, 2, seed)
    start = torch.randn(1, 12, 2, generator=generator).clamp(-1, 1)
    rows = torch.randn(1, 3, generator=generator).expand(12, 3)
    sigma, x, c = torch.tensor([width]), start, 0.0
    for taken in range(1, steps + 1):
        _, gradient = parts.critic.value_and_grad(rows, x[0], "mean")
        c = max(c, float(gradient.norm(dim=1).max()))
        k = torch.exp(-(x[0][:, None] - x[0]).square().sum(-1) / (2 * width**2))
        away = (k[..., None] * (x[0][:, None] - x[0])).sum(1) / width**2
        x = (x + step_size * (k @ gradient / alpha + away) / 12).clamp(-1, 1)
        bound = transport_bound(float(taken), step_size, alpha, c, sigma)
        assert mmd2(start, x, sigma) <= bound * (1 + 1e-4) + 1e-5


def test_the_bound_says_where_it_does_not_speak() -> None:
    """Adam steps of 0.1 per coordinate outrun a bound that a large α makes small: measured above it, and said so."""
    parts = Parts(1, 32, reference=lambda s, a, t: torch.zeros_like(a), critic=lambda s, a: a.sum(1))
    noise = draw_noise(1, 10, 32, torch.Generator().manual_seed(0))
    adam = make_rule("vgf", ascent="adam", repulsion="none", steps=12, alpha=1000.0, step_size=0.1)
    found = mmd_against_theory(steer(adam, parts, torch.zeros(1, 1), noise), parts)
    assert "Adam" in found.unproven
    assert (found.measured > 2 * found.bound).any()
    published = make_rule("vgf", ascent="plain", repulsion="published", steps=2)
    assert "bandwidth" in mmd_against_theory(steer(published, parts, torch.zeros(1, 1), noise), parts).unproven


def test_the_curve_is_every_smaller_budget() -> None:
    parts, observations, noise = scene(SIZES[1])
    settings_ = {"ascent": "plain", "repulsion": "fixed_bandwidth", "step_size": 0.05}
    whole = mmd_against_theory(steer(make_rule("vgf", steps=6, **settings_), parts, observations, noise), parts)
    for steps in (0, 2, 5):
        part = mmd_against_theory(steer(make_rule("vgf", steps=steps, **settings_), parts, observations, noise), parts)
        assert torch.allclose(part.measured, whole.measured[: steps + 1])
        assert torch.allclose(part.stepwise, whole.stepwise[: steps + 1])
    assert (whole.measured[0] == 0).all()
    assert (whole.bound.diff(dim=0) > 0).all()


def test_other_rules() -> None:
    parts, observations, noise = scene(SIZES[1])
    trace = steer(make_rule("grad_step", steps=4, step_size=0.05), parts, observations, noise)
    assert mmd_over_budget(trace)[0].shape == (5, SIZES[1][0])
    assert mmd_over_budget(steer(make_rule("qgf"), parts, observations, noise))[0].shape[0] == 1
    with pytest.raises(ValueError, match="VGF's transport"):
        mmd_against_theory(trace, parts)


def test_the_repulsion_is_bounded_as_the_theory_says() -> None:
    """‖∇k‖ ≤ 1 / (σ √e): each pair's push is at most that."""
    x = torch.randn(6, 9, 2)
    push = repulsion(rbf(x), "fixed_bandwidth").norm(dim=-1) / 9
    assert (push <= (1 / (bandwidth(x) * math.sqrt(math.e)))[:, None] * (1 + 1e-5)).all()


def test_the_bound_of_an_evaluation_is_the_end_of_the_curve() -> None:
    parts, observations, _ = scene((4, 10, 2, 4))
    rule = make_rule("vgf", steps=3, ascent="plain", repulsion="fixed_bandwidth", particles=10)
    same = torch.Generator().manual_seed(5)
    noise = draw_noise(4, 10, 2, torch.Generator().manual_seed(5), rule.extra_draws())
    curve = mmd_against_theory(steer(rule, parts, observations, noise), parts)
    found = mmd_bound(rule, parts, observations, same)
    assert isinstance(found, MmdBound)
    expected = torch.stack((curve.measured[-1], curve.bound[-1], curve.stepwise[-1])).mean(1)
    torch.testing.assert_close(torch.tensor([found.mmd2, found.bound, found.stepwise]), expected)
    assert found.unproven == ""
    assert found.mmd2 < found.stepwise
    assert mmd_bound(make_rule("qgf"), parts, observations, same) is None
