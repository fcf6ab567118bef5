"""TD through the value gradient flow: VGF's own critic."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from workbench.engine.data.transitions import Batch
from workbench.engine.models.encoded import encoded_alone
from workbench.engine.models.parts import Critic, Parts, Reference
from workbench.engine.models.velocity import sample
from workbench.engine.precision import fast_matmul
from workbench.engine.steering.ascent import Ascent
from workbench.engine.steering.kernel import Repulsion
from workbench.engine.steering.protocol import State
from workbench.engine.steering.rules.vgf import VGF
from workbench.engine.training.losses.critic import CriticLoss
from workbench.engine.training.losses.loss import Losses, Scene, weighted_mean
from workbench.engine.training.losses.residual import ResidualSettings, residual_loss, target_value
from workbench.engine.training.networks import Networks


class TDVGFSettings(ResidualSettings):
    """How particles are moved before their value is taken."""

    reference: Literal["frozen", "joint"] = Field(
        "frozen",
        description="td_vgf: train the flow first and cache its samples (paper's text), or together (published code)",
    )
    reference_steps: int = Field(
        0, ge=0, description="td_vgf, frozen: updates of the flow before the critic; 0 means as many as steps"
    )
    particles: int = Field(10, ge=1, le=1024, description="td_vgf: next-state particles N")
    transport_steps: int = Field(3, ge=0, le=100, description="td_vgf: L_train")
    ascent: Ascent = Field("adam", description="td_vgf: how a direction becomes a step")
    step_size: float = Field(0.1, ge=0.0, le=1.0, description="td_vgf: step size ε")
    alpha: float = Field(1.0, gt=0.0, description="td_vgf: temperature α")
    repulsion: Repulsion = Field("published", description="td_vgf: the force between particles")
    target_select: Literal["mean", "max"] = Field("mean", description="td_vgf: which particle's value is the target")


def transport_rule(config: TDVGFSettings) -> VGF:
    """The VGF rule that training transports with: L_train steps with the ONLINE critic, mean over the ensemble."""
    return VGF(
        flow_steps=config.flow_steps,
        steps=config.transport_steps,
        particles=config.particles,
        step_size=config.step_size,
        alpha=config.alpha,
        ascent=config.ascent,
        repulsion=config.repulsion,
    )


@torch.no_grad()
def transport(rule: VGF, critic: Critic, observations: Tensor, particles: Tensor) -> Tensor:
    """Move clean ``particles`` (M, N, D) at ``observations`` (M, S) by the rule's L steps, clipped after every step."""
    critic, observations = encoded_alone(critic, observations)
    parts = Parts(observations.shape[1], particles.shape[2], reference=_never, critic=critic)
    rows = observations.repeat_interleave(particles.shape[1], 0)
    state = State(particles, rows, tick=rule.flow_steps)
    for _ in range(rule.steps):
        state, _ = rule.step(parts, observations, state)
    return state.actions


def _never(observations: Tensor, actions: Tensor, t: Tensor, /) -> Tensor:
    raise AssertionError("a transport starts after the flow")


def next_value(q: Tensor, config: TDVGFSettings) -> Tensor:
    """Value of the next state, (M,), from target critics at its particles, (K, M, N): sel_i agg_k."""
    per_particle = target_value(q, config)
    return per_particle.mean(1) if config.target_select == "mean" else per_particle.amax(1)


def critic_loss(q: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Squared TD error of ``q`` (K, M) against ``target`` (M,): mean over the batch of the sum over the critics."""
    return weighted_mean((q - target).square().sum(0), valid)


def reference_samples(reference: Reference, observations: Tensor, noise: Tensor, flow_steps: int) -> Tensor:
    """Clean particles (M, N, D) of the behaviour flow at ``observations`` (M, S) from ``noise`` (M, N, D)."""
    reference, observations = encoded_alone(reference, observations)
    rows = observations.repeat_interleave(noise.shape[1], 0)
    return sample(reference, rows, noise.flatten(0, 1), flow_steps).view(noise.shape)


class TDVGF(CriticLoss[TDVGFSettings]):
    r"""Trains ``critic`` (methods.md, section 3; VGF, arXiv 2604.14265).

    .. math:: y = r + \gamma^H m\, \mathrm{sel}_i\, \mathrm{agg}_k\, \bar Q_k(s', a_i), \qquad
              \sum_k (y - Q_k(s, a))^2

    The particles a_i are the reference's samples at s', transported by L_train steps. With ``reference="frozen"`` those
    samples come from a cache drawn once; the published code draws them anew from the flow that is being trained. ``td_loss``
    weights the residual by its sign instead (expectile, sparse Q-learning).
    """

    def __init__(self, config: TDVGFSettings) -> None:
        super().__init__(config)
        self._rule = transport_rule(config)

    @classmethod
    def flow_first(cls, config: TDVGFSettings) -> int:
        """All of the flow's updates where it is frozen afterwards."""
        return (config.reference_steps or config.steps) if config.reference == "frozen" else 0

    @torch.no_grad()
    def samples(self, networks: Networks, observations: Tensor, generator: torch.Generator) -> Tensor:
        """N clean particles at each of the ``observations``."""
        config = self.config
        size = (len(observations), config.particles, networks.reference.action_dim)
        noise = torch.randn(size, generator=generator, device=observations.device)
        with fast_matmul(len(observations) * config.particles, max(config.hidden), observations.device):
            return reference_samples(networks.reference, observations, noise, config.flow_steps)

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Particle noise (M, N, D), unless samples are cached."""
        if self.config.reference == "frozen":
            return ()
        size = (batch.actions.shape[0], self.config.particles, batch.actions.shape[1])
        return (torch.randn(size, generator=generator, device=batch.actions.device),)

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``critic_sum``: the sum over the members, as published; the other critics' ``critic`` is their mean."""
        nets, config, following = scene.networks, self.config, batch.next_observations
        with torch.no_grad():
            if noise:
                particles = reference_samples(nets.reference, following, noise[0], config.flow_steps)
            else:
                assert scene.cache is not None
                particles = scene.cache[batch.rows]
            moved = transport(self._rule, nets.critic, following, particles)
            target_critic, seen = encoded_alone(nets.target_critic, following)
            rows = seen.repeat_interleave(config.particles, 0)
            q_next = target_critic(rows, moved.flatten(0, 1)).view(-1, *moved.shape[:2])
            value = next_value(q_next, config)
            target = torch.addcmul(batch.rewards, batch.discounts, value)
        q = nets.critic(batch.observations, batch.actions)
        if config.td_loss == "square":
            return {"critic_sum": critic_loss(q, target, batch.valid)}
        return {"critic_sum": len(q) * residual_loss(q, target, config, batch.valid)}
