"""The kernel and its repulsion against autograd of their definitions (methods.md, section 4)."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from workbench.engine.steering.kernel import rbf, repulsion


def points(b: int, n: int, d: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(b, n, d, dtype=torch.float64, generator=generator)


def definition(x: Tensor, other: Tensor, fixed: bool) -> Tensor:
    """k(x_i, other_j) of one state, (N, N); ``fixed`` holds the bandwidth.

    Every distance stands in the matrix twice. Which of the two is the median decides whether i or j gets the extra
    push; the published code sorts stably, so the tiny ramp puts (i, j), i < j, first.
    """
    squared = (x[:, None] - other[None]).square().sum(-1)
    ramp = 1e-13 * torch.arange(squared.numel(), dtype=x.dtype).view_as(squared)
    median = torch.quantile((squared.detach() if fixed else squared) + ramp, 0.5)
    variance = (median / (2.0 * math.log(len(x) + 1.0))).clamp_min(1e-12)
    return torch.exp(-squared / (2.0 * variance + 1e-6))


def by_autograd(x: Tensor, fixed: bool) -> Tensor:
    """Minus the gradient of Σ_ij k(x_i, stopgrad(x_j)), state by state."""
    out = []
    for state in x:
        leaf = state.clone().requires_grad_()
        (grad,) = torch.autograd.grad(definition(leaf, state, fixed).sum(), leaf)
        out.append(-grad)
    return torch.stack(out)


@given(st.integers(1, 3), st.integers(2, 13), st.integers(1, 4), st.integers(0, 2**16))
def test_published_and_fixed_repulsion(b: int, n: int, d: int, seed: int) -> None:
    """Even and odd numbers of particles: the median is one distance or the mean of two."""
    x = points(b, n, d, seed)
    kernel = rbf(x)
    for i in range(b):
        torch.testing.assert_close(kernel.values[i], definition(x[i], x[i], True), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(repulsion(kernel, "published"), by_autograd(x, False), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(repulsion(kernel, "fixed_bandwidth"), by_autograd(x, True), rtol=1e-9, atol=1e-9)
    assert (repulsion(kernel, "none") == 0.0).all()
    assert repulsion(kernel, "none").shape == x.shape


def test_fixed_bandwidth_is_the_textbook_formula() -> None:
    x = points(2, 7, 3, 0)
    k = rbf(x)
    expected = torch.zeros_like(x)
    for i in range(7):
        for j in range(7):
            expected[:, i] += (x[:, i] - x[:, j]) * k.values[:, i, j, None] * 2.0 * k.gamma[:, 0]
    torch.testing.assert_close(repulsion(k, "fixed_bandwidth"), expected)
    # equal and opposite forces, and they push apart
    assert float(repulsion(k, "fixed_bandwidth").sum(1).abs().max()) < 1e-12
    assert float((repulsion(k, "fixed_bandwidth") * (x - x.mean(1, keepdim=True))).sum()) > 0.0


def test_bandwidth_by_hand() -> None:
    """Three points on a line: distances² 0 0 0 1 1 4 4 9 9, the median is 1."""
    k = rbf(torch.tensor([[[0.0], [1.0], [3.0]]], dtype=torch.float64))
    gamma = 1.0 / (2.0 * (1.0 / (2.0 * math.log(4.0))) + 1e-6)
    assert float(k.gamma) == pytest.approx(gamma, rel=1e-12)
    assert float(k.values[0, 0, 2]) == pytest.approx(math.exp(-9.0 * gamma), rel=1e-12)
    # two points: 0 0 4 4, the median of an even count is the mean of the middle two, 2
    even = rbf(torch.tensor([[[0.0], [2.0]]], dtype=torch.float64))
    assert float(even.gamma) == pytest.approx(1.0 / (2.0 / math.log(3.0) + 1e-6), rel=1e-12)


@pytest.mark.parametrize("how", ["published", "fixed_bandwidth", "none"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_one_particle_and_coincident_particles_stay_finite(how: str, dtype: torch.dtype) -> None:
    crowd = torch.zeros(1, 5, 2, dtype=dtype)
    pair = torch.tensor([[[0.1, 0.2]] * 4 + [[0.9, -0.9]]], dtype=dtype)  # the median of the distances is 0
    for x in (torch.zeros(3, 1, 2, dtype=dtype), crowd, pair):
        push = repulsion(rbf(x), how)
        assert torch.isfinite(push).all()
        together = push[:, :1] if x is pair else push
        assert (together.abs() < 1e-6).all()
    assert (rbf(torch.zeros(3, 1, 2)).values == 1.0).all()


def test_a_state_does_not_see_the_others() -> None:
    x = points(4, 6, 2, 1)
    together = repulsion(rbf(x), "published")
    for i in range(4):
        assert torch.equal(repulsion(rbf(x[i : i + 1]), "published"), together[i : i + 1])


def test_the_two_repulsions_differ_a_lot() -> None:
    """methods.md: cosine 0.18 at N = 10, D = 2 (the mean over many clouds; its spread here is 0.02)."""
    x = points(400, 10, 2, 0)
    k = rbf(x)
    pushes = [repulsion(k, how).flatten(1) for how in ("published", "fixed_bandwidth")]
    cosine = torch.nn.functional.cosine_similarity(*pushes)
    assert float(cosine.mean()) < 0.5
