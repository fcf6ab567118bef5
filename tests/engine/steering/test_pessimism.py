"""The mean of the critic's members less standard deviations of them (LCB): the value, its gradient, and who uses it."""

from dataclasses import replace

import pytest
import torch
from contract.scenes import make_parts, scene
from torch import Tensor

from workbench.engine.metrics.cost import evaluations_by_part
from workbench.engine.models.critic import aggregate
from workbench.engine.models.parts import Parts, q_gradient, q_values
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act, steer
from workbench.engine.training.config import make_config

MEAN = {"aggregate": "mean", "pick_aggregate": "mean"}


def test_known_values() -> None:
    q = torch.tensor([[1.0, 2.0], [3.0, 2.0], [5.0, 2.0]])  # mean 3, population deviation sqrt(8/3); and three alike
    torch.testing.assert_close(aggregate(q, "mean", 0.5), torch.tensor([3.0 - 0.5 * (8.0 / 3.0) ** 0.5, 2.0]))
    assert torch.equal(aggregate(q, "mean", 0.0), q.mean(0))
    pair = torch.tensor([[1.0, -2.0], [4.0, 0.0]])  # of two members one deviation below the mean is the smaller one
    torch.testing.assert_close(aggregate(pair, "mean", 1.0), pair.amin(0))


@pytest.mark.parametrize("members", [1, 2, 5])
@pytest.mark.parametrize("deviations", [0.5, 2.0])
def test_the_hand_written_gradient_is_autograd_s(members: int, deviations: float) -> None:
    critic = make_parts(4, 3, members=members).critic
    generator = torch.Generator().manual_seed(1)
    s, a = torch.randn(20, 4, generator=generator), torch.rand(20, 3, generator=generator) - 0.5
    ours = q_gradient(critic, s, a, "mean", deviations)
    plain = q_gradient(lambda s, a: critic(s, a), s, a, "mean", deviations)
    for mine, theirs in zip(ours, plain, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours[0], q_values(critic, s, a, "mean", deviations))


def test_members_that_agree_have_the_gradient_of_their_mean() -> None:
    def alike(s: Tensor, a: Tensor) -> Tensor:
        return a.square().sum(1).expand(3, -1)

    a = torch.rand(6, 2)
    value, grad = q_gradient(alike, torch.zeros(6, 1), a, "mean", 1.5)
    torch.testing.assert_close(value, a.square().sum(1))
    torch.testing.assert_close(grad, 2.0 * a)


@pytest.mark.parametrize("name", [n for n, r in RULES.items() if set(r.needs) <= {"reference", "critic"} and n != "bc"])
def test_every_rule_takes_it_off_a_mean(name: str) -> None:
    parts, observations, noise = scene((4, 6, 2, 5))
    plain, less = (
        steer(make_rule(name, particles=6, pick="greedy", pessimism=rho, **MEAN), parts, observations, noise)
        for rho in (0.0, 1.0)
    )
    assert plain.q is not None
    assert less.q is not None
    seen = parts.normalize(observations).repeat_interleave(6, 0)
    critic = parts.pick_critic(str(less.settings["critic"]))
    torch.testing.assert_close(
        less.q.flatten(), critic(seen, less.positions[-1].flatten(0, 1)).amin(0), rtol=1e-4, atol=1e-5
    )
    assert not torch.equal(plain.q, less.q)
    zero = steer(make_rule(name, particles=6, pick="greedy", **MEAN), parts, observations, noise)
    assert torch.equal(zero.positions, plain.positions)


def test_one_deviation_of_two_members_steers_as_their_minimum() -> None:
    parts, observations, noise = scene((5, 4, 3, 7))
    least = act(make_rule("qgf", weight=1.0), parts, observations, noise)
    lower = act(make_rule("qgf", weight=1.0, pessimism=1.0, **MEAN), parts, observations, noise)
    torch.testing.assert_close(lower, least, rtol=1e-4, atol=1e-4)


def test_it_costs_nothing_more() -> None:
    parts = make_parts(4, 2, members=5)
    plain, less = (
        evaluations_by_part(make_rule("qgf", particles=3, pessimism=rho, **MEAN), parts, torch.zeros(4))
        for rho in (0.0, 0.5)
    )
    assert plain == less


def test_it_is_refused_where_it_would_change_nothing() -> None:
    parts, observations, noise = scene((2, 3, 2, 4))
    with pytest.raises(ValueError, match=r"pessimism = 0.5 of rule 'qgf' .*set aggregate=mean"):
        act(make_rule("qgf", pessimism=0.5), parts, observations, noise)
    act(make_rule("qgf", pessimism=0.5, aggregate="mean"), parts, observations, noise)
    act(make_rule("best_of_n", pessimism=0.5, pick_aggregate="mean"), parts, observations, noise)


def test_a_user_s_critic_of_any_size() -> None:
    def five(s: Tensor, a: Tensor) -> Tensor:
        return torch.stack([k * a.sum(1) for k in (-2.0, -1.0, 0.0, 1.0, 7.0)])

    parts = Parts(1, 2, lambda s, a, t: torch.zeros_like(a), five)
    noise = draw_noise(3, 2, 2, torch.Generator().manual_seed(0))
    ends = [
        act(make_rule("qgf", weight=0.5, pessimism=rho, **MEAN), parts, torch.zeros(3, 1), noise) for rho in (0.0, 3.0)
    ]
    assert not torch.equal(*ends)
    with pytest.raises(ValueError, match="members"):
        make_config(members=17)
    assert replace(parts, critic=None).available() == ("reference",)
