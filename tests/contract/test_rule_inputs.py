"""What steering accepts: any torch code as parts; and how it refuses what does not fit."""

import itertools
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from contract.scenes import MOST_EXTRA, make_parts, scene
from torch import Tensor, nn

from workbench.engine.models.parts import Critic, Parts, Reference
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act, steer

each_rule = pytest.mark.parametrize("name", RULES)


@each_rule
def test_a_missing_part_is_named_with_its_cure(name: str) -> None:
    parts, observations, noise = scene((2, 3, 2, 4))
    rule = make_rule(name)
    for missing in set(rule.needs) - {"reference"}:
        extra = {part: net for part, net in parts.extra.items() if part != missing}
        bare = replace(parts, extra=extra) if missing in parts.extra else replace(parts, **{missing: None})
        for run in (act, steer):
            with pytest.raises(
                ValueError, match=f"rule '{name}' needs part '{missing}'; these parts have reference.*. Train"
            ):
                run(rule, bare, observations, noise)


def test_without_a_critic_there_is_no_pick_by_value() -> None:
    parts, observations, noise = scene((2, 3, 2, 4))
    bare = Parts(parts.observation_dim, parts.action_dim, parts.reference)
    for run in (act, steer):
        run(make_rule("bc"), bare, observations, noise)
    with pytest.raises(ValueError, match="steering needs part 'critic'"):
        act(make_rule("bc", pick="greedy"), bare, observations, noise)


@pytest.mark.parametrize(
    ("observations", "start", "choice", "message"),
    [
        ((4,), (2, 3, 2), (2, 3), r"observations must be \(B, 4\).*observations\[None\]"),
        ((2, 5), (2, 3, 2), (2, 3), r"observations must be \(B, 4\) for these parts, got \(2, 5\)"),
        ((2, 4), (3, 3, 2), (3, 3), r"noise.start must be \(B, N, D\) = \(2, N, 2\), got \(3, 3, 2\)"),
        ((2, 4), (2, 2), (2,), r"noise.start must be \(B, N, D\).*draw_noise"),
        ((2, 4), (2, 3, 1), (2, 3), r"noise.start must be"),
        ((2, 4), (2, 3, 2), (2, 1), r"noise.choice must be \(B, N\) = \(2, 3\), got \(2, 1\)"),
    ],
)
def test_wrong_shapes(observations: tuple, start: tuple, choice: tuple, message: str) -> None:
    parts, noise = make_parts(4, 2), Noise(torch.zeros(start), torch.zeros(choice))
    for run in (act, steer):
        with pytest.raises(ValueError, match=message):
            run(make_rule("qgf"), parts, torch.zeros(observations), noise)


class TheirFlow(nn.Module):
    """A user's own network, which takes one time per row."""

    def __init__(self, s: int, d: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(s + d + 1, 16), nn.Tanh(), nn.Linear(16, d))

    def forward(self, observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
        return self.net(torch.cat((observations, actions, t[:, None]), 1))


class TheirCritic(nn.Module):
    def __init__(self, s: int, d: int, members: int | None) -> None:
        super().__init__()
        self.members = members
        self.net = nn.Sequential(nn.Linear(s + d, 16), nn.Tanh(), nn.Linear(16, members or 1))

    def forward(self, observations: Tensor, actions: Tensor) -> Tensor:
        q = self.net(torch.cat((observations, actions), 1))
        return q[:, 0] if self.members is None else q.T


def plain_velocity(observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
    return 0.5 * observations[:, :2] - t[:, None] * actions


def plain_critic(observations: Tensor, actions: Tensor) -> Tensor:
    return -(actions - 0.2 * observations[:, :2]).square().sum(1)


FLOWS: list[Reference] = [TheirFlow(4, 2), plain_velocity]
CRITICS: list[Critic] = [
    TheirCritic(4, 2, None),
    TheirCritic(4, 2, 1),
    TheirCritic(4, 2, 3),
    plain_critic,
    lambda observations, actions: torch.stack((plain_critic(observations, actions), actions.sum(1))),
]


@each_rule
@pytest.mark.parametrize(("flow", "critic"), list(itertools.product(FLOWS, CRITICS)))
def test_a_users_own_parts(name: str, flow: Any, critic: Any) -> None:
    assert isinstance(flow, Reference)
    assert isinstance(critic, Critic)
    observations, noise = torch.randn(3, 4), draw_noise(3, 5, 2, torch.Generator().manual_seed(0), MOST_EXTRA)
    rule, parts = make_rule(name), Parts(4, 2, flow, critic, extra=make_parts(4, 2).extra)
    trace = steer(rule, parts, observations, noise)
    assert torch.isfinite(trace.positions).all()
    assert torch.equal(trace.actions, act(rule, parts, observations, noise))
    assert not trace.actions.requires_grad
    if isinstance(critic, nn.Module):
        assert all(weight.grad is None for weight in critic.parameters())


@pytest.mark.parametrize(
    ("flow", "critic", "message"),
    [
        (lambda s, a, t: a[:, 0], plain_critic, r"velocity field must return \(M, D\) = \(15, 2\), got \(15,\)"),
        (lambda s, a, t: a.T, plain_critic, r"velocity field must return .* got \(2, 15\)"),
        (plain_velocity, lambda s, a: a, r"critic must return \(M,\) or \(K, M\) with M = 15 rows, got \(15, 2\)"),
        (plain_velocity, lambda s, a: a.sum(), r"critic must return .* got \(\)"),
        (plain_velocity, lambda s, a: s.sum(1), "critic has no gradient in the action"),
        (plain_velocity, lambda s, a: a.detach().sum(1), "critic has no gradient in the action"),
    ],
)
def test_parts_that_return_something_else(flow: Any, critic: Any, message: str) -> None:
    parts, noise = Parts(4, 2, flow, critic), draw_noise(3, 5, 2, torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=message):
        act(make_rule("qgf"), parts, torch.randn(3, 4), noise)


def test_a_critic_with_one_column_is_taken() -> None:
    noise, observations = draw_noise(3, 5, 2, torch.Generator().manual_seed(0)), torch.randn(3, 4)
    column, flat = (
        act(make_rule("qgf"), Parts(4, 2, plain_velocity, critic), observations, noise)
        for critic in (lambda s, a: plain_critic(s, a)[:, None], plain_critic)
    )
    assert torch.equal(column, flat)


@each_rule
@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.float16])
def test_observations_of_any_dtype(name: str, dtype: torch.dtype) -> None:
    """NumPy's arrays are float64 unless told otherwise."""
    parts, _, noise = scene((3, 5, 2, 4))
    observations, rule = torch.tensor([[1, 0, -2, 3]] * 3), make_rule(name)
    expected = act(rule, parts, observations.float(), noise)
    assert torch.allclose(act(rule, parts, observations.to(dtype), noise), expected, atol=1e-2)
    assert steer(rule, parts, observations.to(dtype), noise).actions.dtype is torch.float32


def as_function(net: nn.Module) -> Any:
    """A plain callable around a learned part, without its methods."""
    return lambda *inputs: net(*inputs)


@each_rule
def test_a_callable_gives_what_our_module_gives(name: str) -> None:
    """The hand-written gradient and autograd through a plain callable steer alike."""
    parts, observations, noise = scene((3, 5, 2, 4))
    wrapped = Parts(
        4,
        2,
        lambda s, a, t: parts.reference(s, a, t),
        lambda s, a: parts.critic(s, a),
        lambda s, a: parts.target_critic(s, a),
        normalizer=parts.normalizer,
        extra={part: partial(lambda net, *inputs: net(*inputs), net) for part, net in parts.extra.items()},
    )
    rule = make_rule(name)
    ours, theirs = (steer(rule, some, observations, noise).positions for some in (parts, wrapped))
    assert torch.allclose(ours, theirs, rtol=0.0, atol=1e-4)


@each_rule
def test_steering_leaves_the_networks_alone(name: str) -> None:
    parts, observations, noise = scene((3, 5, 2, 4))
    before = [weight.clone() for weight in parts.critic.parameters()]
    act(make_rule(name), parts, observations, noise)
    for old, new in zip(before, parts.critic.parameters(), strict=True):
        assert torch.equal(old, new)
        assert new.grad is None
