"""MeanFlow: the average velocity of Gaussian data is known, one step samples them, and every rule steers by it."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine.small_runs import small_config, small_data, small_trainer
from torch import Tensor

from workbench.engine.data.transitions import make_transitions
from workbench.engine.models.average_velocity import AverageVelocity
from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.mlp import MlpShape
from workbench.engine.models.parts import Parts, velocity_and_pull, velocity_at
from workbench.engine.models.velocity import sample
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act, steer
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.checkpoint import load_run, resume, save_checkpoint
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import BEHAVIOURS, LEARNED_PARTS
from workbench.engine.training.written import written

MEAN, SCALE = 0.3, 0.2


class Gaussian(torch.nn.Module):
    """The exact mean flow of actions N(m, s² I): particles keep their place, x_r = r m + τ_r / τ_t (x_t - t m)."""

    takes_number = True

    def forward(self, observations: Tensor, actions: Tensor, t: float) -> Tensor:
        return MixtureFlow(torch.full((1, 2), MEAN), torch.tensor([SCALE]), torch.ones(1))(observations, actions, t)

    def average(self, observations: Tensor, actions: Tensor, t: float, until: float) -> Tensor:
        spread = [math.sqrt((1.0 - time) ** 2 + (time * SCALE) ** 2) for time in (t, until)]
        end = until * MEAN + spread[1] / spread[0] * (actions - t * MEAN)
        return (end - actions) / (until - t)

    def average_and_pull(self, observations: Tensor, actions: Tensor, t: float, until: float) -> object:
        raise AssertionError("no rule here pulls back")


def gaussian_data(rows: int = 4000) -> object:
    rng = np.random.default_rng(0)
    actions = np.clip(rng.normal(MEAN, SCALE, (rows, 1)), -1.0, 1.0)
    ones = np.ones(rows)
    return make_transitions(ones[:, None], actions, ones, 0.0 * ones, ones[:, None], ones.astype(bool))


def test_the_exact_average_takes_any_number_of_steps_to_the_same_end() -> None:
    noise, rows = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)), torch.zeros(500, 1)
    ends = [sample(Gaussian(), rows, noise, steps) for steps in (1, 2, 10)]
    torch.testing.assert_close(ends[0], (MEAN + SCALE * noise).clamp(-1.0, 1.0))
    for other in ends[1:]:
        torch.testing.assert_close(other, ends[0])
    many = sample(MixtureFlow(torch.full((1, 2), MEAN), torch.tensor([SCALE]), torch.ones(1)), rows, noise, 400)
    assert float((many - ends[0]).abs().max()) < 0.01  # the plain field needs hundreds


@pytest.mark.parametrize("shape", [{}, {"norm_after": True}, {"layer_norm": "none", "activation": "mish"}])
def test_the_change_along_the_way_is_that_of_finite_differences(shape: dict[str, Any]) -> None:
    flow = AverageVelocity(3, 2, MlpShape(7, 2, (16, 16), **shape), torch.Generator().manual_seed(0))
    flow = flow.double()
    s, a, v = (torch.randn(5, n, dtype=torch.float64, generator=torch.Generator().manual_seed(n)) for n in (3, 2, 4))
    v, t, until, h = v[:, :2], torch.full((5,), 0.3).double(), torch.full((5,), 0.8).double(), 1e-5
    with torch.no_grad():
        ahead, behind = (flow.average(s, a + sign * h * v, t + sign * h, until) for sign in (1.0, -1.0))
    torch.testing.assert_close(flow.change(s, a, t, until, v), (ahead - behind) / (2.0 * h), rtol=1e-6, atol=1e-8)


@pytest.fixture(scope="module")
def learned() -> Trainer:
    settings = {"hidden": (64, 64), "steps": 1500, "learning_rate": 2e-3, "schedule": "cosine", "batch_size": 256}
    trainer = Trainer(gaussian_data(), make_config(behaviour="mean_flow", **settings))
    for _ in fit(trainer, report_every=1500):
        pass
    return trainer


def test_it_learns_the_average_velocity_of_a_gaussian(learned: Trainer) -> None:
    """u(x, t, r) of N(m, s²) in closed form, at the places where the flow is, for long and short steps."""
    flow, exact = learned.networks.reference, Gaussian()
    rows = learned.parts().normalize(torch.ones(400, 1))
    generator = torch.Generator().manual_seed(1)
    for t, until in ((0.0, 1.0), (0.0, 0.5), (0.3, 0.7), (0.5, 1.0)):
        spread = math.sqrt((1.0 - t) ** 2 + (t * SCALE) ** 2)
        x = t * MEAN + spread * torch.randn(400, 1, generator=generator)
        with torch.no_grad():
            found, wanted = velocity_at(flow, rows, x, t, until), exact.average(rows, x, t, until)
        assert float((found - wanted).square().mean().sqrt()) < 0.1, (t, until)
        assert float(wanted.std()) > 0.25  # it is far from a constant
    one, ten = (
        sample(flow, rows, torch.randn(400, 1, generator=torch.Generator().manual_seed(2)), steps).detach()
        for steps in (1, 10)
    )
    assert float((one - ten).abs().mean()) < 0.06
    assert abs(float(one.mean()) - MEAN) < 0.05
    assert 0.6 * SCALE < float(one.std()) < 1.2 * SCALE  # one step along the exact velocity ends in a single point


def test_one_step_guidance_is_exact_for_a_linear_value(learned: Trainer) -> None:
    """T = 1: x̂ is the flow's own end, and a constant gradient g moves every action by w g."""
    parts = learned.parts()
    slope = torch.tensor([0.5])
    steered = Parts(1, 1, parts.reference, lambda s, a: (a @ slope[:, None]).mT, normalizer=parts.normalizer)
    noise, where = draw_noise(50, 1, 1, torch.Generator().manual_seed(3)), torch.ones(50, 1)
    plain, pushed = (act(make_rule("qgf", weight=w, flow_steps=1), steered, where, noise) for w in (0.0, 0.2))
    inside = (plain.abs() < 0.85).squeeze()
    torch.testing.assert_close(pushed[inside], plain[inside] + 0.1)
    trace = steer(make_rule("qgf", weight=0.2, flow_steps=1), steered, where, noise)
    assert trace.queries is not None
    torch.testing.assert_close(trace.queries[0].squeeze(1), plain)


def test_its_jacobian_is_autograds() -> None:
    flow = AverageVelocity(3, 2, MlpShape(7, 2, (16, 16)), torch.Generator().manual_seed(0))
    s, a, w = (torch.randn(6, n, generator=torch.Generator().manual_seed(n)) for n in (3, 2, 4))
    u, pull = velocity_and_pull(flow, s, a, 0.2, 0.9)
    leaf = a.clone().requires_grad_()
    v = flow.average(s, leaf, 0.2, 0.9)
    torch.testing.assert_close(u, v.detach())
    torch.testing.assert_close(pull(w[:, :2]), torch.autograd.grad(v, leaf, w[:, :2])[0])
    torch.testing.assert_close(flow(s, a, 0.2), flow.average(s, a, 0.2, 0.2))


def test_a_run_goes_on_from_its_checkpoint_bit_for_bit(tmp_path: Path) -> None:
    whole, half = (small_trainer(behaviour="mean_flow") for _ in range(2))
    for _ in range(20):
        whole.step()
    for _ in range(10):
        half.step()
    save_checkpoint(half, tmp_path, "a_task")
    run = load_run(tmp_path)
    assert run.config.behaviour == "mean_flow"
    assert isinstance(run.parts().reference, AverageVelocity)
    again = resume(run, small_data())
    for _ in range(10):
        again.step()
    assert torch.equal(again.networks.net("reference").theta, whole.networks.net("reference").theta)


def test_runs_without_it_write_what_they_always_wrote() -> None:
    assert not {"behaviour", "mean_flow_share"} & set(written(small_config()))
    assert written(small_config(behaviour="mean_flow"))["behaviour"] == "mean_flow"


@pytest.mark.parametrize("name", RULES)
def test_every_rule_steers_it(name: str) -> None:
    trainer = small_trainer(behaviour="mean_flow", parts=tuple(LEARNED_PARTS), flow_steps=2, steps=2)
    for _ in fit(trainer):
        pass
    rule = make_rule(name, flow_steps=1)
    noise = draw_noise(4, rule.particles, 2, torch.Generator().manual_seed(0), rule.extra_draws())
    actions = act(rule, trainer.parts(), torch.randn(4, 3), noise)
    assert bool(actions.isfinite().all())
    if rule.bc_at is not None and name not in ("bc", "cfgrl"):
        still = make_rule(name, flow_steps=1, **rule.bc_at)
        same = draw_noise(4, 1, 2, torch.Generator().manual_seed(0), still.extra_draws())
        plain = act(make_rule("bc", flow_steps=1), trainer.parts(), torch.zeros(4, 3), same)
        torch.testing.assert_close(act(still, trainer.parts(), torch.zeros(4, 3), same), plain)


@pytest.mark.parametrize("flow", BEHAVIOURS)
def test_every_flow_trains_with_a_family(flow: str) -> None:
    for family in ("qgf", "vgf"):
        trainer = small_trainer(behaviour=flow, family=family, steps=3)
        for _ in fit(trainer):
            pass
        assert trainer.parts().reference(torch.zeros(4, 3), torch.zeros(4, 2), torch.zeros(4)).shape == (4, 2)
