"""Guidance that fades where the critic's members disagree, for every rule that follows a critic's gradient."""

import math
from dataclasses import replace

import pytest
import torch
from contract.scenes import MOST_EXTRA, make_parts, scene
from torch import Tensor

from workbench.engine.metrics.cost import evaluations_by_part
from workbench.engine.models.landscapes import Bumps
from workbench.engine.models.parts import Parts
from workbench.engine.steering.gate import Gated
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act, steer

GATED = [name for name, rule in RULES.items() if issubclass(rule, Gated)]
each_rule = pytest.mark.parametrize("name", GATED)
SIZE = (4, 3, 2, 5)


def linear(slopes: tuple[float, ...], offsets: tuple[float, ...]) -> Parts:
    """A still flow and a critic whose member k is slope · a + offset: its spread is the same wherever the slopes are."""

    def critic(observations: Tensor, actions: Tensor) -> Tensor:
        return torch.stack([s * actions.sum(1) + o for s, o in zip(slopes, offsets, strict=True)])

    return Parts(1, 2, lambda s, a, t: torch.zeros_like(a), critic)


def test_the_rules_that_ask_a_critic_for_its_gradient_have_the_gate() -> None:
    """Whoever names the critic's gradient in its cost, and those whose gradient is learned from it."""
    asks = {
        name
        for name, rule in RULES.items()
        if "critic gradient" in (rule.__doc__ or "") and "weight" in rule.model_fields
    }
    assert asks <= set(GATED)
    assert {"grad_step", "vgf", "vgf_zero", "vgf_amortised", "robust_q"} <= set(GATED)
    assert not {"bc", "best_of_n", "cfgrl"} & set(GATED)


@each_rule
def test_no_gate_is_the_rule_itself_bitwise(name: str) -> None:
    parts, observations, noise = scene(SIZE)
    plain = steer(make_rule(name), parts, observations, noise)
    for floor in (0.0, 0.5):
        gated = steer(make_rule(name, gate_kappa=0.0, gate_floor=floor), parts, observations, noise)
        assert torch.equal(gated.positions, plain.positions)


@each_rule
def test_members_that_agree_leave_the_gate_open(name: str) -> None:
    """One member, or several alike: the factor is 1."""
    _, observations, noise = scene(SIZE)
    for parts in (make_parts(5, 2, members=1), replace(make_parts(5, 2), critic=None, target_critic=None)):
        if parts.critic is None:
            one = make_parts(5, 2, members=1).critic
            twice = lambda s, a, one=one: one(s, a).expand(3, -1)  # noqa: E731
            parts = replace(parts, critic=twice, target_critic=twice)
        plain, gated = (steer(make_rule(name, gate_kappa=k), parts, observations, noise).positions for k in (0.0, 50.0))
        assert torch.allclose(plain, gated, rtol=0.0, atol=1e-6)


@each_rule
def test_a_gate_that_is_shut_up_to_its_floor(name: str) -> None:
    """κ without bounds: the whole push is the floor's share; at floor 0 no push of the critic is left."""
    parts, observations, noise = scene(SIZE)
    shut = steer(make_rule(name, gate_kappa=1e4, gate_floor=0.0), parts, observations, noise)
    if "ascent" in RULES[name].model_fields:  # repulsion is no gradient, and Adam makes steps of any length whatever
        rule = make_rule(name, gate_kappa=1e4, ascent="plain", **({"repulsion": "none"} if name == "vgf" else {}))
        shut = steer(rule, parts, observations, noise)
    plain = steer(make_rule("bc"), parts, observations, noise)
    assert torch.allclose(shut.positions[-1], plain.positions[-1], atol=1e-3)


def test_the_factor_is_the_papers() -> None:
    """σ of {−1, 1} is 1 everywhere, so a gated gradient step is exp(−κ) of a plain one, and never less than the floor."""
    parts, noise = linear((1.0, 1.0), (-1.0, 1.0)), draw_noise(6, 2, 2, torch.Generator().manual_seed(0))
    noise = noise._replace(start=0.1 * noise.start)
    steps = {"steps": 1, "flow_steps": 1, "step_size": 0.01}
    where = torch.zeros(6, 1)
    plain = steer(make_rule("grad_step", **steps), parts, where, noise).pushes[-1]
    for kappa, floor, factor in (
        (0.5, 0.0, math.exp(-0.5)),
        (3.0, 0.2, 0.2),
        (3.0, 0.01, math.exp(-3.0)),
        (9.0, 1.0, 1.0),
    ):
        gated = steer(make_rule("grad_step", gate_kappa=kappa, gate_floor=floor, **steps), parts, where, noise).pushes[
            -1
        ]
        torch.testing.assert_close(gated, factor * plain, rtol=1e-4, atol=1e-7)


def test_it_keeps_particles_out_of_places_where_members_disagree() -> None:
    """Two hills, one of them claimed by a single member alone and the higher on average: with the gate fewer go there."""
    centers = torch.tensor([[-0.6, 0.0], [0.6, 0.0]])
    heights = torch.tensor([[1.0, 3.6], [1.0, 0.0], [1.0, 0.0]])
    parts = Parts(1, 2, lambda s, a, t: -a, Bumps(centers, torch.tensor([0.4, 0.4]), heights))
    noise, where = draw_noise(400, 1, 2, torch.Generator().manual_seed(0)), torch.zeros(400, 1)
    settings = {"weight": 1.0, "aggregate": "mean"}
    ends = [act(make_rule("qgf", gate_kappa=kappa, **settings), parts, where, noise)[:, 0] for kappa in (0.0, 2.0)]
    assert (ends[0] > 0.0).sum() > (ends[1] > 0.0).sum()
    assert float(ends[1].mean()) < float(ends[0].mean()) - 0.05


@each_rule
def test_a_gate_costs_one_critic_evaluation_a_gradient(name: str) -> None:
    parts = make_parts(4, 2)
    plain, gated = (
        evaluations_by_part(make_rule(name, gate_kappa=k, particles=1), parts, torch.zeros(4)) for k in (0.0, 1.0)
    )
    own = [part for part in RULES[name].needs if part not in ("reference", "critic")]
    asked = own[0] if own else "critic gradient"
    assert gated == plain | {"critic": plain.get("critic", 0) + plain[asked]}


@each_rule
def test_a_state_does_not_see_its_batch_through_the_gate(name: str) -> None:
    parts, observations, noise = scene(SIZE)
    rule = make_rule(name, gate_kappa=2.0)
    together = act(rule, parts, observations, noise)
    for i in range(SIZE[0]):
        alone = act(rule, parts, observations[i : i + 1], noise.states(slice(i, i + 1)))
        assert torch.allclose(alone[0], together[i], rtol=0.0, atol=1e-5)
    assert MOST_EXTRA > 0
