"""Policies of other conventions: turned around they are the same flow, to float rounding, and sample the same actions."""

import math
from collections.abc import Callable

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import Tensor, nn

import workbench as wb
from workbench.engine.models import adapters
from workbench.engine.models.adapters import from_diffusion

MEAN, SPREAD = 0.3, 0.2  # of Gaussian actions, for which everything is known
D = 2
TIMES = torch.tensor([0.05, 0.2, 0.5, 0.8, 0.97])


def velocity(s: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """E[a − ε | x_t] of a ~ N(MEAN, SPREAD²)."""
    t = t[:, None]
    gain = (t * SPREAD**2 - (1 - t)) / (t**2 * SPREAD**2 + (1 - t) ** 2)
    return MEAN + gain * (x - t * MEAN)


def diffusion(alpha_of: Callable[[Tensor], Tensor], prediction: str) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The best prediction of the same actions by a diffusion model."""

    def network(s: Tensor, y: Tensor, step: Tensor) -> Tensor:
        alpha = alpha_of(step).to(y)[:, None]
        sigma = (1 - alpha**2).sqrt()
        a = MEAN + alpha * SPREAD**2 / (alpha**2 * SPREAD**2 + sigma**2) * (y - alpha * MEAN)
        noise = (y - alpha * a) / sigma
        return {"epsilon": noise, "sample": a, "v_prediction": alpha * noise - sigma * a}[prediction]

    return network


def smooth(scheduler: object) -> Callable[[Tensor], Tensor]:
    """α between steps, by log σ/α, as the adapter takes it."""
    cumulative = scheduler.alphas_cumprod.double()
    known = 0.5 * ((1 - cumulative) / cumulative).log()

    def alpha(step: Tensor) -> Tensor:
        left = step.double().floor().clamp(0, len(known) - 2).long()
        ratio = (known[left] + (step.double() - left) * (known[left + 1] - known[left])).exp()
        return (1 + ratio**2).rsqrt()

    return alpha


SCHEDULERS = [
    (DDPMScheduler, {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 100}),
    (DDPMScheduler, {"beta_schedule": "linear"}),
    (DDIMScheduler, {"beta_schedule": "scaled_linear"}),
]


@pytest.mark.parametrize(("kind", "options"), SCHEDULERS)
@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
def test_a_diffusion_model_becomes_its_velocity(kind: type, options: dict[str, object], prediction: str) -> None:
    scheduler = kind(**options, prediction_type=prediction)
    field = from_diffusion(diffusion(smooth(scheduler), prediction), scheduler)
    generator = torch.Generator().manual_seed(0)
    for t in TIMES:
        times = t.expand(64)
        x = (1 - t) * torch.randn(64, D, generator=generator) + t * (
            MEAN + SPREAD * torch.randn(64, D, generator=generator)
        )
        torch.testing.assert_close(field(x, x, times), velocity(x, x, times), atol=2e-3, rtol=2e-3)
    assert wb.check_parts(wb.Parts(3, D, field, lambda s, a: -a.square().sum(1))) == ()


@pytest.mark.parametrize(("kind", "options"), SCHEDULERS)
def test_at_whole_steps_the_field_is_exact_too(kind: type, options: dict[str, object]) -> None:
    scheduler = kind(**options, prediction_type="epsilon")
    asked = []

    def network(s: Tensor, y: Tensor, step: Tensor) -> Tensor:
        asked.append(step)
        return diffusion(lambda which: scheduler.alphas_cumprod[which].sqrt(), "epsilon")(s, y, step)

    field = from_diffusion(network, scheduler, whole_steps=True)
    steps = torch.arange(5, len(scheduler.alphas_cumprod) - 5, 17)
    ratio = ((1 - scheduler.alphas_cumprod[steps]) / scheduler.alphas_cumprod[steps]).sqrt()
    t = 1 / (1 + ratio)
    x = torch.randn(len(steps), D, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(field(x, x, t), velocity(x, x, t), atol=2e-3, rtol=2e-3)
    assert torch.equal(asked[0], steps)
    assert asked[0].dtype == torch.int64


def test_following_the_field_samples_the_model_s_actions() -> None:
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    field = from_diffusion(diffusion(smooth(scheduler), "epsilon"), scheduler)
    parts = wb.Parts(1, D, field, lambda s, a: -a.square().sum(1))
    count = 4000
    noise = wb.draw_noise(count, 1, D, torch.Generator().manual_seed(0))
    actions = wb.act(wb.make_rule("bc", flow_steps=100), parts, torch.zeros(count, 1), noise)
    error = SPREAD / math.sqrt(count * D)
    assert abs(float(actions.mean()) - MEAN) < 4 * error
    assert float(actions.std()) == pytest.approx(SPREAD, rel=0.05)


def test_a_schedule_that_stops_before_the_noise_is_told() -> None:
    with pytest.warns(UserWarning, match=r"ends at σ/α = 6.*t = 0\.14"):
        from_diffusion(velocity, DDIMScheduler(beta_schedule="scaled_linear", num_train_timesteps=500))


@pytest.mark.parametrize("bad", [torch.ones(10), torch.linspace(0.1, 0.9, 10), torch.zeros(5), torch.tensor(0.5)])
def test_what_is_no_schedule_is_refused(bad: Tensor) -> None:
    with pytest.raises(ValueError, match="alphas_cumprod"):
        from_diffusion(velocity, bad, "epsilon")
    with pytest.raises(ValueError, match="prediction must be"):
        from_diffusion(velocity, torch.linspace(0.9, 0.1, 10))


WRAPPED = {
    "reversed_time": lambda: adapters.reversed_time(lambda s, a, t: -velocity(s, a, 1 - t)),
    "scaled_time": lambda: adapters.scaled_time(lambda s, a, t: velocity(s, a, t / 1000), 1000),
    "flat_chunks": lambda: adapters.flat_chunks(lambda s, a, t: velocity(s, a.flatten(1), t).unflatten(1, (2, 1)), 2),
    "dict_observations": lambda: adapters.dict_observations(
        lambda s, a, t: velocity(torch.cat((s["pos"], s["goal"]), 1), a, t), {"pos": 1, "goal": 2}
    ),
    "in_precision": lambda: adapters.in_precision(velocity, torch.float64),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_a_wrapped_flow_is_the_flow(name: str) -> None:
    field, s = WRAPPED[name](), torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    x, t = torch.randn(9, D, generator=torch.Generator().manual_seed(1)), torch.linspace(0, 0.99, 9)
    torch.testing.assert_close(field(s, x, t), velocity(s, x, t), atol=1e-5, rtol=1e-5)
    assert wb.check_parts(wb.Parts(3, D, field, lambda s, a: -a.square().sum(1))) == ()


@pytest.mark.parametrize("largest", [1.0, 3.0, 0.5])
def test_a_flow_of_standardised_actions_gives_them_divided(largest: float) -> None:
    """b ~ N(MEAN, SPREAD²) becomes N(MEAN / R, (SPREAD / R)²), whose velocity is known."""

    def wanted(x: Tensor, t: Tensor) -> Tensor:
        mean, spread, t = MEAN / largest, SPREAD / largest, t[:, None]
        return mean + (t * spread**2 - (1 - t)) / (t**2 * spread**2 + (1 - t) ** 2) * (x - t * mean)

    field = adapters.standardised(velocity, largest)
    x, t = torch.randn(9, D, generator=torch.Generator().manual_seed(1)), torch.linspace(0, 0.95, 9)
    torch.testing.assert_close(field(x, x, t), wanted(x, t), atol=1e-5, rtol=1e-5)


def q(s: Tensor, a: Tensor) -> Tensor:
    return -(a - 0.4).square().sum(1) + s[:, 0]


ATOMS = torch.linspace(-3, 3, 5)
CRITICS = {
    "ensemble_last": (lambda: adapters.ensemble_last(lambda s, a: torch.stack((q(s, a), q(s, a) + 1), 1)), 2),
    "one column": (lambda: adapters.ensemble_last(lambda s, a: q(s, a)[:, None]), 1),
    "ensemble_of": (lambda: adapters.ensemble_of([q, lambda s, a: q(s, a)[:, None] + 1]), 2),
    "of_cost": (lambda: adapters.of_cost(lambda s, a: -q(s, a)), 1),
    "quantiles": (lambda: adapters.quantiles(lambda s, a: q(s, a)[:, None] + torch.tensor([-1.0, 0.0, 1.0])), 1),
    "units_of": (
        lambda: adapters.units_of(lambda s, a: q(s, (a - 5) / 3), torch.tensor([2.0, 2.0]), torch.tensor([8.0, 8.0])),
        1,
    ),
}


@pytest.mark.parametrize("name", CRITICS)
def test_a_wrapped_critic_has_its_value_and_its_gradient(name: str) -> None:
    make, members = CRITICS[name]
    critic, s = make(), torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    a = (2 * torch.rand(7, D, generator=torch.Generator().manual_seed(1)) - 1).requires_grad_()
    found = critic(s, a)
    assert found.shape == ((7,) if members == 1 else (members, 7))
    first = found if members == 1 else found[0]
    torch.testing.assert_close(first, q(s, a), atol=1e-5, rtol=1e-5)
    (gradient,) = torch.autograd.grad(first.sum(), a)
    torch.testing.assert_close(gradient, -2 * (a.detach() - 0.4), atol=1e-4, rtol=1e-4)
    assert wb.check_parts(wb.Parts(3, D, velocity, critic)) == ()


def test_a_categorical_critic_is_the_mean_of_its_atoms() -> None:
    logits = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(0))
    found = adapters.categorical(lambda s, a: logits, ATOMS)(torch.zeros(7, 3), torch.zeros(7, D))
    torch.testing.assert_close(found, (logits.softmax(-1) * ATOMS).sum(-1))
    with pytest.raises(ValueError, match="5 logits, there are 4 atoms"):
        adapters.categorical(lambda s, a: logits, ATOMS[:4])(torch.zeros(7, 3), torch.zeros(7, D))


def test_a_wrapped_network_keeps_its_weights_in_sight() -> None:
    network = nn.Linear(1, 1)
    wrapped = adapters.reversed_time(network)
    assert list(wrapped.parameters()) == list(network.parameters())
    assert not wrapped.eval().inner.training


def test_bf16_inside_is_float32_outside() -> None:
    network = nn.Sequential(nn.Linear(5, 64), nn.GELU(), nn.Linear(64, 1)).to(torch.bfloat16)
    critic = adapters.in_precision(lambda s, a: network(torch.cat((s, a), 1))[:, 0], torch.bfloat16)
    assert wb.check_parts(wb.Parts(3, D, velocity, critic)) == ()


CURES = [
    ("wb.adapt.reversed_time", lambda s, a, t: -velocity(s, a, 1 - t), None),
    ("wb.adapt.scaled_time", lambda s, a, t: velocity(s, a, t / 1000), None),
    ("wb.adapt.flat_chunks", lambda s, a, t: velocity(s, a, t).unflatten(1, (2, 1)), None),
    ("wb.adapt.ensemble_last", velocity, lambda s, a: torch.stack((q(s, a), q(s, a), q(s, a)), 1)),
    ("wb.adapt.in_precision", velocity, lambda s, a: q(s, a).double()),
    (
        "wb.adapt.from_diffusion",
        lambda s, a, t: diffusion(lambda u: (1 - u).clamp(0.001, 0.999), "epsilon")(s, a, t),
        None,
    ),
]


@pytest.mark.parametrize(("cure", "field", "critic"), CURES)
def test_check_parts_names_the_adapter(
    cure: str, field: Callable[..., Tensor], critic: Callable[..., Tensor] | None
) -> None:
    parts = wb.Parts(3, D, field, critic or (lambda s, a: -a.square().sum(1)))
    assert cure in str(wb.check_parts(parts))


def test_every_adapter_is_public_and_listed() -> None:
    made = {name for name, value in vars(adapters).items() if getattr(value, "__module__", "") == adapters.__name__}
    inner = {"Adapted", "Scheduler", "velocity_of_diffusion"}
    assert set(wb.adapt.__all__) == {name for name in made if not name.startswith("_")} - inner
