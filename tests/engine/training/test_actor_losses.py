"""The losses of the policies that are steered in training, restated with plain autograd; what they touch; their limits."""

import math
from typing import Any

import pytest
import torch
from engine.small_runs import small_trainer
from torch import Tensor

from workbench.engine.data.transitions import Batch
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import CRITICS, LEARNED_PARTS, LOSSES
from workbench.engine.training.losses.adjoint_flow import adjoint_matching_loss, adjoint_targets, memoryless_path
from workbench.engine.training.losses.awr_actor import log_density
from workbench.engine.training.losses.flow_matching import flow_matching_loss
from workbench.engine.training.losses.loss import Loss
from workbench.engine.training.networks import Networks

FAMILIES = pytest.mark.parametrize("family", ["qgf", "vgf"])
AGGREGATES = pytest.mark.parametrize("aggregate", ["mean", "min"])


def scene(part: str, **settings: Any) -> tuple[Trainer, Loss, Batch, tuple[Tensor, ...]]:
    """A trainer a few updates old, the loss of ``part``, a batch and noise."""
    trainer = small_trainer(**{"parts": (part,), "flow_steps": 3, "learning_rate": 1e-2} | settings)
    for _ in range(3):
        trainer.step()
    batch = trainer.replay.batch(torch.arange(16))
    loss = trainer.losses[part]
    return trainer, loss, batch, loss.draw(batch, torch.Generator().manual_seed(5))


def compare(trainer: Trainer, loss: Loss, batch: Batch, noise: tuple[Tensor, ...], part: str, restated: Tensor) -> None:
    """Value and gradient, ours against ``restated``."""
    theta = trainer.networks.net(part).theta
    (value,) = loss(trainer._scene, batch, noise).values()
    torch.testing.assert_close(value, restated, rtol=1e-5, atol=1e-6)
    ours, theirs = (torch.autograd.grad(of, theta)[0] for of in (value, restated))
    assert theirs.abs().max() > 1e-4
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


def climbed(nets: Networks, s: Tensor, a: Tensor, aggregate: str, normalize: bool) -> Tensor:
    q = nets.critic(s, a)
    q = q.mean(0) if aggregate == "mean" else torch.minimum(q[0], q[1])
    scale = float(q.detach().abs().sum() / len(q)) if normalize else 1.0
    return q.sum() / len(q) / scale


@FAMILIES
@AGGREGATES
@pytest.mark.parametrize("normalize", [True, False])
def test_fql(family: str, aggregate: str, normalize: bool) -> None:
    trainer, loss, batch, noise = scene(
        "one_step", family=family, actor_aggregate=aggregate, normalize_q=normalize, fql_alpha=0.7
    )
    nets, s, z = trainer.networks, batch.observations, noise[0]
    a = z.clone()
    for i in range(3):
        a = a + nets.reference(s, a, torch.full((16,), i / 3)) / 3
    jump = nets.extra["one_step"](s, z)
    distance = ((jump - a.detach().clamp(-1, 1)) ** 2).sum() / 32
    restated = 0.7 * distance - climbed(nets, s, jump.clamp(-1, 1), aggregate, normalize)
    compare(trainer, loss, batch, noise, "one_step", restated)


@FAMILIES
@AGGREGATES
@pytest.mark.parametrize("normalize", [True, False])
def test_edp(family: str, aggregate: str, normalize: bool) -> None:
    trainer, loss, batch, noise = scene(
        "edp_flow", family=family, actor_aggregate=aggregate, normalize_q=normalize, edp_bc=0.7
    )
    nets, s, (x0, t) = trainer.networks, batch.observations, noise
    x_t = (1 - t[:, None]) * x0 + t[:, None] * batch.actions
    v = nets.extra["edp_flow"](s, x_t, t)
    flow = ((v - batch.actions + x0) ** 2).sum() / 32
    clean = torch.clamp(x_t + v - t[:, None] * v, -1, 1)
    compare(trainer, loss, batch, noise, "edp_flow", 0.7 * flow - climbed(nets, s, clean, aggregate, normalize))


@FAMILIES
@AGGREGATES
@pytest.mark.parametrize("valid", [False, True])
def test_rebrac(family: str, aggregate: str, valid: bool) -> None:
    trainer, loss, batch, noise = scene("rebrac_actor", family=family, actor_aggregate=aggregate, rebrac_bc=0.7)
    weight = (torch.arange(16) % 3 > 0).float() if valid else torch.ones(16)
    batch = batch._replace(valid=weight if valid else None)
    nets, s = trainer.networks, batch.observations
    a = torch.tanh(nets.net("rebrac_actor")(s))
    penalty = (weight * ((a - batch.actions) ** 2).sum(1)).sum() / 16
    compare(trainer, loss, batch, noise, "rebrac_actor", 0.7 * penalty - climbed(nets, s, a, aggregate, True))


@FAMILIES
@AGGREGATES
@pytest.mark.parametrize("valid", [False, True])
def test_iql_actor(family: str, aggregate: str, valid: bool) -> None:
    trainer, loss, batch, noise = scene("awr_actor", family=family, value_aggregate=aggregate, awr_temperature=0.1)
    weight = (torch.arange(16) % 3 > 0).float() if valid else torch.ones(16)
    batch = batch._replace(valid=weight if valid else None)
    nets, s = trainer.networks, batch.observations
    q = nets.target_critic(s, batch.actions)
    advantage = ((q.mean(0) if aggregate == "mean" else torch.minimum(q[0], q[1])) - nets.value(s)).detach()
    out = nets.net("awr_actor")(s)
    gauss = torch.distributions.Normal(torch.tanh(out[:, :2]), out[:, 2:].clamp(-5, 2).exp())
    likely = gauss.log_prob(batch.actions).sum(1)
    restated = -(weight * torch.minimum(torch.exp(advantage / 0.1), torch.tensor(100.0)) * likely).sum() / 16
    compare(trainer, loss, batch, noise, "awr_actor", restated)


@FAMILIES
@AGGREGATES
def test_qam(family: str, aggregate: str) -> None:
    """In the papers' own variables: DDPM's posterior for the steps, Jacobians by autograd, row by row, ã = -t e."""
    trainer, loss, batch, noise = scene(
        "adjoint_flow", family=family, actor_aggregate=aggregate, qam_inverse_temperature=0.7, flow_steps=4
    )
    nets, s, (start, kicks) = trainer.networks, batch.observations, noise
    field, T, m = nets.extra["adjoint_flow"], 4, 16

    def at(net: Any, x: Tensor, i: int, rows: Tensor = s) -> Tensor:
        return net(rows, x, torch.full((len(x),), i / T))

    xs = [start]
    for i in range(T):
        t, u, x = i / T, (i + 1) / T, xs[-1]
        clean = x + (1 - t) * at(field, x, i).detach()
        # the forward process from u to t: x_t = (t/u) x_u + N(0, q2); prior x_u | clean ~ N(u clean, (1-u)^2); Bayes:
        q2, prior, ratio = (1 - t) ** 2 - (t / u) ** 2 * (1 - u) ** 2, (1 - u) ** 2, t / u
        variance = prior * q2 / (ratio**2 * prior + q2)
        mean = u * clean + prior * ratio / (ratio**2 * prior + q2) * (x - ratio * u * clean)
        xs.append(mean + math.sqrt(variance) * kicks[i] if i < T - 1 else mean)
    end = xs[-1].clamp(-1, 1).requires_grad_()
    q = nets.critic(s, end)
    q = q.mean(0) if aggregate == "mean" else torch.minimum(q[0], q[1])
    e = 0.7 * torch.autograd.grad(q.sum(), end)[0]
    total = torch.zeros(())
    for i in reversed(range(T)):
        jacobians = []
        for j in (i, i + 1):
            rows = [
                torch.autograd.functional.jacobian(
                    lambda x, b=b, j=j: at(nets.reference, x, j, s[b : b + 1]), xs[j][b : b + 1]
                )
                for b in range(m)
            ]
            jacobians.append(torch.stack(rows)[:, 0, :, 0])
        step = [torch.eye(2) + jacobian / T for jacobian in jacobians]
        e = torch.einsum("bjk,bij,bi->bk", step[0], step[1], e)
        t = i / T
        adjoint = -t * e
        sigma2 = 2 * (1 - t + 1 / T) / (t + 1 / T)
        base = at(nets.reference, xs[i], i).detach()
        if i > 0:  # the lean adjoint's push is -σ²/2 ã with σ² = 2 (1 - t)/t
            torch.testing.assert_close((1 - t) * e, -(1 - t) / t * adjoint)
        total = total + (4 / sigma2 * (at(field, xs[i], i) - base - (1 - t) * e) ** 2).sum() / (T * m * 2)
    compare(trainer, loss, batch, noise, "adjoint_flow", total)


# --- what they touch --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [{}, {"critic": "td_vgf", "reference": "joint"}, {"critic": "td_vgf"}], ids=str)
@pytest.mark.parametrize("part", LEARNED_PARTS)
def test_an_extra_part_leaves_the_others_bit_for_bit(part: str, way: dict[str, Any]) -> None:
    settings = {"steps": 4, "reference_steps": 3, "particles": 2, "flow_steps": 2} | way
    alone, beside = small_trainer(**settings), small_trainer(**settings, parts=(part,))
    for _ in range(alone.total_steps):
        alone.step()
        beside.step()
    for name in alone.trained:
        assert torch.equal(alone.networks.net(name).theta, beside.networks.net(name).theta), name
    assert torch.equal(alone.generator.get_state(), beside.generator.get_state())
    assert part in beside.trained
    moved = {name: beside.networks.net(name).theta for name in LOSSES[part].trains}
    fresh = small_trainer(**settings, parts=(part,)).networks
    assert all(not torch.equal(theta, fresh.net(name).theta) for name, theta in moved.items())


@pytest.mark.parametrize("key", [*LEARNED_PARTS, *CRITICS, "state_value"])
def test_gradients_reach_what_a_loss_trains_and_nothing_else(key: str) -> None:
    settings = {"reference": "joint", "particles": 2, "flow_steps": 2}
    if key in CRITICS:
        trainer = small_trainer(critic=key, **settings)
    else:
        trainer = small_trainer(parts=(key,) if key in LEARNED_PARTS else ("awr_actor",), critic="td_vgf", **settings)
    batch, loss = trainer.replay.batch(torch.arange(16)), trainer.losses[key]
    sum(loss(trainer._scene, batch, loss.draw(batch, torch.Generator().manual_seed(0))).values()).backward()
    touched = {name for name in trainer.networks.modules() if trainer.networks.net(name).theta.grad is not None}
    assert touched == set(loss.trains)


# --- limits -----------------------------------------------------------------------------------------------------


def gradient(trainer: Trainer, loss: Loss, batch: Batch, noise: tuple[Tensor, ...], part: str) -> Tensor:
    (value,) = loss(trainer._scene, batch, noise).values()
    return torch.autograd.grad(value, trainer.networks.net(part).theta)[0]


def test_fql_with_a_huge_alpha_is_distillation() -> None:
    trainer, loss, batch, noise = scene("one_step", fql_alpha=1e6)
    nets, z = trainer.networks, noise[0]
    flow = z.clone()
    for i in range(3):
        flow = flow + nets.reference(batch.observations, flow, i / 3) / 3
    distance = (nets.extra["one_step"](batch.observations, z) - flow.detach().clamp(-1, 1)).square().mean()
    (alone,) = torch.autograd.grad(distance, nets.net("one_step").theta)
    together = gradient(trainer, loss, batch, noise, "one_step") / 1e6
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4 * float(alone.abs().max()))


def test_edp_with_a_huge_weight_is_flow_matching() -> None:
    trainer, loss, batch, noise = scene("edp_flow", edp_bc=1e6)
    nets = trainer.networks
    matching = flow_matching_loss(nets.extra["edp_flow"], batch, *noise)
    (alone,) = torch.autograd.grad(matching, nets.net("edp_flow").theta)
    together = gradient(trainer, loss, batch, noise, "edp_flow") / 1e6
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4 * float(alone.abs().max()))


def test_edp_without_a_slope_of_q_is_trained_as_the_behaviour_flow_is() -> None:
    """Same start, same noise, a critic that is flat: the same weights after ten updates."""
    trainer = small_trainer(parts=("edp_flow",), normalize_q=False)
    nets = trainer.networks
    with torch.no_grad():
        nets.net("critic").theta.zero_()
        nets.net("edp_flow").theta.copy_(nets.net("reference").theta)
    nets.net("critic").theta.requires_grad_(False)
    batch = trainer.replay.batch(torch.arange(16))
    for seed in range(10):
        noise = trainer.losses["flow_matching"].draw(batch, torch.Generator().manual_seed(seed))
        trainer.update(batch, {"flow_matching": noise, "edp_flow": noise})
    torch.testing.assert_close(nets.net("edp_flow").theta, nets.net("reference").theta)


def test_the_limits_of_the_advantage_weights() -> None:
    """α → ∞: plain maximum likelihood. α → 0: the limit weight on what beats V, nothing on the rest."""
    for temperature, weights in ((1e6, lambda a: torch.ones_like(a)), (1e-6, lambda a: 100.0 * (a > 0))):
        trainer, loss, batch, noise = scene("awr_actor", awr_temperature=temperature)
        nets, s = trainer.networks, batch.observations
        advantage = (nets.target_critic(s, batch.actions).amin(0) - nets.value(s)).detach()
        assert (advantage > 0).any()
        assert (advantage < 0).any()
        likely = log_density(*nets.extra["awr_actor"](s), batch.actions)
        restated = -(weights(advantage) * likely).mean()
        compare(trainer, loss, batch, noise, "awr_actor", restated)


def test_qam_at_zero_inverse_temperature_is_the_behaviour_flow() -> None:
    trainer, loss, batch, noise = scene("adjoint_flow", qam_inverse_temperature=0.0)
    nets, s = trainer.networks, batch.observations
    path = memoryless_path(nets.reference, s, *noise)
    targets = adjoint_targets(nets.reference, nets.critic, s, path, loss.config)
    for i in range(3):
        assert torch.equal(targets[i], nets.reference(s, path[i], i / 3))
    with torch.no_grad():
        nets.net("adjoint_flow").theta.copy_(nets.net("reference").theta)
    (value,) = loss(trainer._scene, batch, noise).values()
    assert value < 1e-10
    assert adjoint_matching_loss(nets.reference, s, path, targets) < 1e-10


def test_weights_of_advantages_are_never_infinite() -> None:
    trainer, loss, batch, noise = scene("awr_actor", awr_temperature=1e-30)
    (value,) = loss(trainer._scene, batch, noise).values()
    assert torch.isfinite(value)
