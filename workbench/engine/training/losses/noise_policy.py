"""DSRL's actor: a policy that chooses the noise from which the behaviour flow makes an action."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.critic import CriticEnsemble
from workbench.engine.models.noise_policy import FreeVector, NoisePolicy
from workbench.engine.models.velocity import sample
from workbench.engine.training.losses.loss import Loss, Losses, Scene
from workbench.engine.training.networks import shape_of
from workbench.engine.training.run_settings import RunSettings


class DSRLSettings(RunSettings):
    """Which noise the policy may choose, and how random it stays."""

    dsrl_scale: float = Field(1.0, gt=0.0, le=10.0, description="dsrl: bound c of the noise that the policy chooses")
    dsrl_entropy: float = Field(
        -0.5, ge=-10.0, le=0.69, description="dsrl: entropy that the policy keeps, for each action dimension"
    )
    dsrl_temperature: float = Field(
        1.0,
        gt=0.0,
        le=1e6,
        description="dsrl: weight of the entropy at first, in units of the scaled Q; then it is trained",
    )


class NoisePolicyLoss(Loss[DSRLSettings]):
    r"""Trains ``noise_policy``, its critic and its temperature (methods_more.md, section 12; DSRL, arXiv 2506.15799).

    .. math:: \big(Z_k(s, z) - Q_k(s, G(s, z))\big)^2, \qquad
              \eta \log \pi(u \mid s) - \mathrm{mean}_k\, Z_k(s, c\, u), \qquad \eta\, (\mathrm{entropy} - \mathrm{target})

    G is the flow from noise to a clean action and is never differentiated, so the flow may be a black box: the noise critic Z
    learns what the action is worth that comes of z ~ N(0, I), and the policy u = tanh(m + σ ε) climbs Z. G decodes by the EMA
    of the behaviour flow where that is trained at the same time, as published (``target_reference``), else by the flow. η is
    trained too. Cost of an update: T velocity evaluations, one critic and two noise-critic evaluations. Departures: log π is
    taken at the value before the tanh, where the published code goes back through atanh; where the critic has another number
    of members than Z, all members of Z learn its mean; the policy's network has the run's LayerNorms (published: none).
    """

    trains = ("noise_policy", "noise_critic", "noise_temperature")
    targets = ("reference",)
    reads = ("critic",)

    @classmethod
    def build(
        cls, config: DSRLSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """π, Z and log η."""
        head = shape_of(config, observation_dim, 2 * action_dim)
        critic = shape_of(config, observation_dim + action_dim, 1, config.members)
        temperature = FreeVector(1)
        with torch.no_grad():
            temperature.net.arrays()["0.bias"].fill_(math.log(config.dsrl_temperature))
        return {
            "noise_policy": NoisePolicy(observation_dim, action_dim, head, config.dsrl_scale, generator),
            "noise_critic": CriticEnsemble(observation_dim, action_dim, critic, generator),
            "noise_temperature": temperature,
        }

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """z (M, D) for the noise critic, and the policy's own noise (M, D)."""
        shape, device = batch.actions.shape, batch.actions.device
        first, second = (torch.randn(shape, generator=generator, device=device) for _ in range(2))
        return first, second

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """Three scalars, named as the networks."""
        nets, s, (z, eps) = scene.networks, batch.observations, noise
        policy, critic, log_temperature = (nets.extra[name] for name in self.trains)
        assert isinstance(policy, NoisePolicy)
        assert isinstance(critic, CriticEnsemble)
        with torch.no_grad():
            decoder = nets.extra.get("target_reference", nets.reference)
            worth = nets.critic(s, sample(decoder, s, z, self.config.flow_steps)).reshape(-1, len(s))
        valued = critic(s, z)
        if len(worth) != len(valued):
            worth = worth.mean(0)
        chosen, log_density = policy.draw(s, eps)
        temperature = log_temperature(s).exp().squeeze()
        climbed = temperature.detach() * log_density - critic.frozen(s, chosen).mean(0)
        entropy = -log_density.detach().mean()
        return {
            "noise_policy": climbed.mean(),
            "noise_critic": (valued - worth).square().mean(),
            "noise_temperature": temperature * (entropy - self.config.dsrl_entropy * z.shape[1]),
        }
