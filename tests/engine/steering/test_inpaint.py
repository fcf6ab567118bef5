"""Real-time chunking: against Gaussians, whose conditionals are known, and in every rule that samples a flow."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.parts import Normalizer, Parts
from workbench.engine.steering.inpaint import act_on, correction, held_parts, hold
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import RULES, bptt, make_rule
from workbench.engine.steering.run import act, steer
from workbench.engine.tasks.bandits import Bandit2D
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.plan import extra_parts

UNBOUNDED = 1e9


def test_a_chunk_is_held_as_published() -> None:
    c = np.array([3 / 4, 2 / 4, 1 / 4])
    wanted = [1.0, 1.0, *(c * (np.e**c - 1) / (np.e - 1)), 0.0, 0.0, 0.0]
    assert hold(8, 2, 5).tolist() == pytest.approx(wanted)
    assert hold(4, 4, 4).tolist() == [1.0] * 4
    assert hold(4, 0, 0).tolist() == [0.0] * 4


@pytest.mark.parametrize("clip", [0.5, 5.0, UNBOUNDED])
def test_the_correction_is_one_minus_t_over_t_r_squared_up_to_its_bound(clip: float) -> None:
    for t in np.linspace(0.01, 0.99, 9):
        r2 = (1 - t) ** 2 / (t**2 + (1 - t) ** 2)
        assert correction(float(t), clip) == pytest.approx(min(clip, (1 - t) / (t * r2)))
    assert correction(0.0, clip) == correction(1.0, clip) == clip


def test_standard_normal_actions_go_straight_to_the_plan() -> None:
    """v' = (y - a) / (1 - t) for what is decided, and nothing else changes: coordinates are independent."""
    parts = Parts(1, 6, MixtureFlow(torch.zeros(1, 6), torch.ones(1), torch.ones(1)), chunk=3)
    rule, noise = make_rule("bc", flow_steps=20), draw_noise(40, 2, 6, torch.Generator().manual_seed(0))
    plan = torch.rand(40, 6, generator=torch.Generator().manual_seed(1)) * 2 - 1
    held = held_parts(rule, parts, 1, 1, UNBOUNDED)
    seen = torch.zeros(40, 1)
    free, tied = steer(rule, parts, seen, noise), steer(rule, held, torch.cat((plan, seen), 1), noise)
    assert torch.equal(tied.positions[..., 2:], free.positions[..., 2:])
    y = plan[:, None, :2]
    for tick in range(1, 20):  # at t = 0 the estimate knows nothing of a, so nothing can be corrected
        before, after = tied.positions[tick, ..., :2], tied.positions[tick + 1, ..., :2]
        assert torch.allclose(after, before + (y - before) / (20 - tick), atol=2e-5)
    assert torch.allclose(tied.positions[-1, ..., :2], y.expand(40, 2, 2), atol=2e-5)


class Correlated(torch.nn.Module):
    """The flow of N(0, Σ): v = (A_t - I) a / (1 - t), A_t = t Σ (t² Σ + (1 - t)² I)⁻¹."""

    def __init__(self, covariance: np.ndarray) -> None:
        super().__init__()
        self.covariance = covariance

    def estimate(self, t: float) -> np.ndarray:
        sigma, eye = self.covariance, np.eye(len(self.covariance))
        result: np.ndarray = t * sigma @ np.linalg.inv(t * t * sigma + (1 - t) ** 2 * eye)
        return result

    def forward(self, observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
        now = float(t[0])
        matrix = (self.estimate(now) - np.eye(len(self.covariance))) / (1 - now)
        return actions @ torch.from_numpy(matrix.T).to(actions)


@pytest.mark.parametrize("rho", [0.0, 0.5, -0.8])
def test_a_linear_flow_is_led_to_the_conditional_mean(rho: float) -> None:
    """The held action becomes y; the free one N(ρ y, 1 - ρ²), up to what r² gets wrong: it takes the variance given a_t for
    that of the coordinate alone, which the other coordinate makes smaller.
    """
    flow, steps, y = Correlated(np.array([[1.0, rho], [rho, 1.0]])), 100, 0.3
    parts, rule = Parts(1, 2, flow, chunk=2), make_rule("bc", flow_steps=steps)
    noise = draw_noise(2000, 1, 2, torch.Generator().manual_seed(0))
    noise = noise._replace(
        start=torch.cat((noise.start[:1000], -noise.start[:1000])).double(), choice=noise.choice.double()
    )
    plan = torch.full((2000, 2), y, dtype=torch.float64)
    held = held_parts(rule, parts, 1, 1, UNBOUNDED)
    found = steer(rule, held, torch.cat((plan, torch.zeros(2000, 1, dtype=torch.float64)), 1), noise).positions[
        -1, :, 0
    ]

    a, mask = noise.start[:, 0].numpy(), np.diag([1.0, 0.0])
    for i in range(steps):
        t = i / steps
        matrix = flow.estimate(t)
        error = (np.array([y, y]) - a @ matrix.T) @ mask
        v = a @ (matrix - np.eye(2)).T / (1 - t) + correction(t, UNBOUNDED) * (error @ matrix)
        a = a + v / steps
    np.testing.assert_allclose(found.numpy(), a.clip(-1, 1), atol=1e-6)
    assert abs(a[:, 0] - y).max() < 1e-5
    assert abs(a[:, 1].mean() - rho * y) < 0.02
    assert a[:, 1].std() == pytest.approx(math.sqrt(1 - rho**2), rel=0.1)


def parts_of(name: str) -> Parts:
    settings = {"steps": 2, "reference_steps": 2, "particles": 2, "hidden": (16, 16), "batch_size": 32, "chunk": 3}
    config = make_config(parts=extra_parts(RULES[name].needs), normalize_observations=True, **settings)
    trainer = Trainer(Bandit2D().generate(100, 0), config)
    while not trainer.finished:
        trainer.step()
    return trainer.parts()


@pytest.mark.parametrize("name", RULES)
def test_every_rule_that_samples_a_flow_continues_a_plan(name: str) -> None:
    rule, parts = make_rule(name, flow_steps=3), parts_of(name)
    if not rule.flows():
        with pytest.raises(ValueError, match=f"rule '{name}' draws its action without a flow.*way='naive' or 'pause'"):
            held_parts(rule, parts, 1, 2)
        return
    assert set(rule.flows()) & set(parts.available())
    generator = torch.Generator().manual_seed(0)
    noise = draw_noise(5, rule.particles, 6, generator, rule.extra_draws())
    seen = torch.randn(5, parts.observation_dim, generator=generator)
    plan = torch.rand(5, 6, generator=generator) * 2 - 1
    held = held_parts(rule, parts, 1, 2)
    found = act_on(rule, held, seen, plan, 1, noise)
    assert torch.equal(found[:, :2], plan[:, :2])
    assert bool(found.isfinite().all())
    alone = act(rule, parts, seen, noise)
    assert not torch.equal(found[:, 2:4], alone[:, 2:4])
    for one in range(5):  # a state's chunk depends on its own plan alone
        own = act_on(rule, held, seen[one : one + 1], plan[one : one + 1], 1, noise.states(slice(one, one + 1)))
        assert torch.allclose(own, found[one : one + 1], atol=1e-5)


def test_a_plan_that_holds_nothing_changes_nothing() -> None:
    parts, rule = parts_of("qgf"), make_rule("qgf", weight=1.0)
    noise = draw_noise(6, 1, 6, torch.Generator().manual_seed(0))
    seen, plan = torch.randn(6, parts.observation_dim), torch.randn(6, 6)
    free = act(rule, parts, seen, noise)
    assert torch.allclose(act_on(rule, held_parts(rule, parts, 0, 0), seen, plan, 0, noise), free, atol=1e-6)


def test_the_critic_judges_what_will_be_played() -> None:
    asked: list[Tensor] = []

    def critic(observations: Tensor, actions: Tensor) -> Tensor:
        asked.append(actions.detach())
        assert observations.shape[1] == 1
        return actions.sum(1)

    parts = Parts(1, 4, lambda s, a, t: -a, critic, chunk=2, normalizer=Normalizer(torch.ones(1), torch.ones(1)))
    rule = make_rule("vgf", particles=3, steps=2)
    plan = torch.tensor([[0.9, -0.9, 0.0, 0.0]])
    act_on(rule, held_parts(rule, parts, 1, 1), torch.ones(1, 1), plan, 1, draw_noise(1, 3, 4, torch.Generator()))
    assert len(asked) == 3  # two moves and the pick
    assert all(torch.equal(actions[:, :2], plan[:, :2].expand(3, 2)) for actions in asked)


def test_rows_keep_their_plans_when_a_rule_works_in_pieces(monkeypatch: Any) -> None:
    rule, parts = make_rule("bptt", weight=1.0, particles=2), parts_of("bptt")
    noise = draw_noise(9, 2, 6, torch.Generator().manual_seed(0))
    seen, plan = torch.randn(9, parts.observation_dim), torch.rand(9, 6)
    held = held_parts(rule, parts, 1, 2)
    whole = act_on(rule, held, seen, plan, 1, noise)
    monkeypatch.setattr(bptt, "ROWS", 4)
    assert torch.allclose(act_on(rule, held, seen, plan, 1, noise), whole, atol=1e-6)


def test_the_step_towards_the_plan_is_bounded() -> None:
    """One free flow step apart: at t = 0 the correction is β W (Y - â) for a flow whose estimate moves with the action."""
    still = Parts(1, 2, lambda s, a, t: torch.zeros_like(a), chunk=2)
    rule, noise = make_rule("bc", flow_steps=50), draw_noise(1, 1, 2, torch.Generator().manual_seed(0))
    plan = torch.tensor([[1.0, 1.0]])
    trace = steer(rule, held_parts(rule, still, 1, 2, clip=2.0), torch.cat((plan, torch.zeros(1, 1)), 1), noise)
    a, first = noise.start[0, 0], trace.positions[1, 0, 0]
    c = 0.5
    weights = torch.tensor([1.0, c * math.expm1(c) / math.expm1(1.0)])
    assert torch.allclose(first, a + 2.0 * weights * (plan[0] - a) / 50, atol=1e-6)
