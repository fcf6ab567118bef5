"""The closed-form mixture flow, and steering answers that it makes known."""

import math

import pytest
import torch
from torch import Tensor

from workbench.engine.models.landscapes import Bumps
from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.parts import Critic, Parts, Reference, q_gradient, q_values
from workbench.engine.models.velocity import sample
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act


def three() -> MixtureFlow:
    means = torch.tensor([[-0.5, -0.2], [0.1, 0.4], [0.5, -0.3]])
    return MixtureFlow(means, torch.tensor([0.06, 0.1, 0.08]), torch.tensor([1.0, 2.0, 1.0])).double()


def gaussian(mean: float, scale: float, dim: int = 1) -> MixtureFlow:
    return MixtureFlow(torch.full((1, dim), mean), torch.tensor([scale]), torch.ones(1)).double()


def nothing(m: int) -> Tensor:
    return torch.zeros(m, 1, dtype=torch.float64)


def test_it_is_a_reference() -> None:
    flow, x = three(), torch.randn(5, 2, dtype=torch.float64)
    assert isinstance(flow, Reference)
    one = flow(nothing(5), x, 0.3)
    assert torch.equal(one, flow(nothing(5), x, torch.full((5,), 0.3, dtype=torch.float64)))
    assert torch.equal(one[2:3], flow(nothing(1), x[2:3], 0.3))


@pytest.mark.parametrize("t", [0.0, 0.25, 0.6, 1.0])
def test_velocity_is_the_conditional_mean(t: float) -> None:
    """Against numerical integration over x_1, in one dimension: E[x_1 - x_0 | x_t] by Bayes' rule."""
    means, scales = torch.tensor([[-0.5], [0.6]]), torch.tensor([0.3, 0.1])
    flow = MixtureFlow(means, scales, torch.tensor([0.7, 0.3])).double()
    x = torch.linspace(-1.0, 1.0, 9, dtype=torch.float64)[:, None]
    if t == 1.0:  # x_1 = x_t, and x_0 is independent of it with mean 0
        torch.testing.assert_close(flow(nothing(9), x, t), x)
        return
    x1 = torch.linspace(-4.0, 4.0, 40_001, dtype=torch.float64)
    x0 = (x - t * x1) / (1.0 - t)
    log_weight = flow.log_density(x1[:, None]) - 0.5 * x0.square()
    expected = (log_weight.softmax(1) * (x1 - x0)).sum(1, keepdim=True)
    torch.testing.assert_close(flow(nothing(9), x, t), expected, rtol=1e-8, atol=1e-8)


def test_single_gaussian_has_a_linear_velocity_and_an_exact_map() -> None:
    """v = m + τ'/τ (x - t m), so that the flow's map is x_1 = m + s x_0."""
    flow, x = gaussian(0.3, 0.2), torch.linspace(-2.0, 2.0, 11, dtype=torch.float64)[:, None]
    for t in (0.0, 0.4, 1.0):
        slope = (t * 0.2**2 - (1.0 - t)) / ((1.0 - t) ** 2 + t**2 * 0.2**2)
        torch.testing.assert_close(flow(nothing(11), x, t), 0.3 + slope * (x - 0.3 * t), rtol=1e-6, atol=1e-7)
    ends = sample(flow, nothing(11), x, 4000)
    torch.testing.assert_close(ends, 0.3 + 0.2 * x, rtol=0.0, atol=1e-3)


def test_sampling_the_flow_gives_the_moments() -> None:
    """Mean and covariance within 4 standard errors, 20 000 samples; 200 Euler steps leave a bias below 0.002."""
    flow, count = three(), 20_000
    generator = torch.Generator().manual_seed(0)
    x = sample(flow, nothing(count), torch.randn(count, 2, dtype=torch.float64, generator=generator), 200)
    check_moments(flow, x, bias=0.002)


def test_drawing_gives_the_moments() -> None:
    flow = three()
    x = flow.draw(20_000, torch.Generator().manual_seed(0))
    assert torch.equal(x, flow.draw(20_000, torch.Generator().manual_seed(0)))
    check_moments(flow, x, bias=0.0)


def check_moments(flow: MixtureFlow, x: Tensor, bias: float) -> None:
    mean, covariance = flow.mean(), flow.covariance()
    error = (covariance.diagonal() / len(x)).sqrt()
    assert ((x.mean(0) - mean).abs() < 4.0 * error + bias).all()
    products = (x - mean)[:, :, None] * (x - mean)[:, None]
    error = products.std(0) / len(x) ** 0.5
    assert ((products.mean(0) - covariance).abs() < 4.0 * error + bias).all()


def test_density_integrates_to_one_and_has_the_moments() -> None:
    flow = three()
    axis = torch.linspace(-1.5, 1.5, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    mass = flow.log_density(grid).exp() * float(axis[1] - axis[0]) ** 2
    assert float(mass.sum()) == pytest.approx(1.0, abs=1e-6)
    torch.testing.assert_close(mass @ grid, flow.mean(), rtol=0.0, atol=1e-6)
    second = (mass[:, None, None] * grid[:, :, None] * grid[:, None]).sum(0)
    torch.testing.assert_close(second - flow.mean().outer(flow.mean()), flow.covariance(), rtol=0.0, atol=1e-6)


def test_nearest_component() -> None:
    component, far = three().nearest_component(torch.tensor([[0.5, -0.3], [0.1, 0.6]], dtype=torch.float64))
    assert component.tolist() == [2, 1]
    assert far.tolist() == pytest.approx([0.0, 2.0], abs=1e-6)


@pytest.mark.parametrize(
    ("means", "scales", "weights", "message"),
    [
        (torch.zeros(2), torch.ones(2), torch.ones(2), r"means \(C, D\)"),
        (torch.zeros(2, 1), torch.ones(3), torch.ones(2), r"\(2, 1\), \(3,\) and \(2,\)"),
        (torch.zeros(2, 1), torch.tensor([1.0, 0.0]), torch.ones(2), "must be positive"),
        (torch.zeros(2, 1), torch.ones(2), torch.tensor([1.0, -1.0]), "must be positive"),
    ],
)
def test_bad_mixtures(means: Tensor, scales: Tensor, weights: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MixtureFlow(means, scales, weights)


# --- steering with known answers: Gaussian data N(m, s²), Q(a) = g a --------------------------------------------


def linear(slope: float) -> Critic:
    return lambda observations, actions: slope * actions.sum(1)


def displacement(rule: str, flow_steps: int, scale: float, **settings: float) -> float:
    """How far the rule moves a particle from where bc takes it; the same for every particle without a clip."""
    parts = Parts(1, 1, gaussian(0.0, scale), linear(0.05))
    start = 0.1 * torch.randn(6, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    noise = Noise(start, torch.rand(6, 1))
    moved = act(make_rule(rule, flow_steps=flow_steps, **settings), parts, nothing(6), noise)
    rest = act(make_rule("bc", flow_steps=flow_steps), parts, nothing(6), noise)
    shift = moved - rest
    assert float(shift.std()) < 1e-9
    return float(shift.mean())


def euler(scale: float, steps: int, pull: float, jacobian: bool) -> float:
    """The same recursion by hand: shift ← shift (1 + δ c(t)) + δ w g J(t), J = 1 or 1 + (1 - t) c(t)."""
    shift = 0.0
    for i in range(steps):
        t = i / steps
        c = (t * scale**2 - (1.0 - t)) / ((1.0 - t) ** 2 + t**2 * scale**2)
        shift += (c * shift + pull * (1.0 + (1.0 - t) * c if jacobian else 1.0)) / steps
    return shift


@pytest.mark.parametrize("steps", [1, 5, 10, 50])
@pytest.mark.parametrize("scale", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("rule", ["qgf", "noisy", "qgf_jacobian"])
def test_guidance_of_a_linear_critic(rule: str, scale: float, steps: int) -> None:
    """∇Q is constant, so `noisy` and `qgf` agree, and the recursion is known."""
    expected = euler(scale, steps, 2.0 * 0.05, rule == "qgf_jacobian")
    assert displacement(rule, steps, scale, weight=2.0) == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_guidance_of_a_linear_critic_in_the_limit(scale: float) -> None:
    """T → ∞: qgf moves by w g s (asinh s + asinh 1/s) / sqrt(1 + s²); with the Jacobian by w g s, and no more."""
    expected = 0.1 * scale * (math.asinh(scale) + math.asinh(1.0 / scale)) / math.sqrt(1.0 + scale**2)
    assert euler(scale, 20_000, 0.1, False) == pytest.approx(expected, rel=1e-3)
    assert displacement("qgf", 100, scale, weight=2.0) == pytest.approx(expected, rel=0.05)
    assert euler(scale, 20_000, 0.1, True) == pytest.approx(0.1 * scale, rel=1e-3)
    assert displacement("qgf_jacobian", 100, scale, weight=2.0) == pytest.approx(0.1 * scale, rel=0.05)


def test_ascent_of_a_linear_critic() -> None:
    """grad_step moves by L ε g, with the sign by L ε; plain vgf with one particle by L ε g / α."""
    assert displacement("grad_step", 10, 0.1, steps=4, step_size=0.5) == pytest.approx(4 * 0.5 * 0.05, rel=1e-6)
    assert displacement("grad_step", 10, 0.1, steps=4, step_size=0.02, sign=True) == pytest.approx(0.08, rel=1e-6)
    vgf = displacement("vgf", 10, 0.1, steps=4, step_size=0.5, alpha=0.5, ascent="plain")
    assert vgf == pytest.approx(4 * 0.5 * 0.05 / 0.5, rel=1e-6)
    assert displacement("vgf", 10, 0.1, steps=1, step_size=0.1) == pytest.approx(0.1, rel=1e-5)  # Adam's first step


# --- the analytic critic ----------------------------------------------------------------------------------------


def bumps(members: int = 2) -> Bumps:
    heights = torch.tensor([[1.0, 0.5, -0.3], [0.6, 0.9, 0.2]])[:members]
    return Bumps(torch.tensor([[0.5, 0.2], [-0.4, 0.0], [0.9, 0.9]]), torch.tensor([0.3, 0.2, 0.5]), heights)


@pytest.mark.parametrize("how", ["min", "mean"])
@pytest.mark.parametrize("members", [1, 2])
def test_bumps_gradient(members: int, how: str) -> None:
    critic, a, s = bumps(members), 0.5 * torch.randn(50, 2), torch.zeros(50, 1)
    assert critic(s, a).shape == (members, 50)
    value, grad = q_gradient(critic, s, a, how)
    by_autograd = q_gradient(lambda o, x: critic(o, x), s, a, how)  # a plain callable has no closed form
    torch.testing.assert_close(value, q_values(critic, s, a, how))
    torch.testing.assert_close(grad, by_autograd[1], rtol=1e-5, atol=1e-6)


def test_the_peak_moves_and_the_old_landscape_stays() -> None:
    critic = Bumps(torch.tensor([[0.5, 0.2]]), torch.tensor([0.3]), torch.tensor([2.0]))
    moved = critic.with_peak(torch.tensor([-0.1, 1.7]))
    assert moved.peak.tolist() == pytest.approx([-0.1, 1.0])
    assert critic.peak.tolist() == pytest.approx([0.5, 0.2])
    assert float(moved(torch.zeros(1, 1), moved.peak[None])) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="peak has shape"):
        critic.with_peak(torch.zeros(3))


@pytest.mark.parametrize(
    ("centers", "widths", "heights", "message"),
    [
        (torch.zeros(2), torch.ones(2), torch.ones(2), "bumps need centers"),
        (torch.zeros(2, 1), torch.ones(3), torch.ones(2), "bumps need centers"),
        (torch.zeros(2, 1), torch.ones(2), torch.ones(2, 3), "bumps need centers"),
        (torch.zeros(2, 1), torch.tensor([0.1, 0.0]), torch.ones(2), "widths must be positive"),
    ],
)
def test_bad_bumps(centers: Tensor, widths: Tensor, heights: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Bumps(centers, widths, heights)


def test_float32_steering_end_to_end() -> None:
    flow = three().float()
    parts = Parts(1, 2, flow, bumps())
    noise = draw_noise(16, 5, 2, torch.Generator().manual_seed(0))
    actions = act(make_rule("vgf", particles=5), parts, torch.zeros(16, 1), noise)
    assert actions.dtype is torch.float32
    assert torch.isfinite(actions).all()
