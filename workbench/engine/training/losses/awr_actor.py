"""IQL's actor: a Gaussian policy that imitates the data, good actions more than bad ones."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.critic import aggregate
from workbench.engine.models.policies import GaussianPolicy
from workbench.engine.training.losses.advantage import advantage_weight
from workbench.engine.training.losses.iql import AggregateSettings
from workbench.engine.training.losses.loss import Loss, Losses, Scene, weighted_mean
from workbench.engine.training.networks import shape_of


def log_density(mean: Tensor, log_std: Tensor, actions: Tensor) -> Tensor:
    """Log density (M,) of ``actions`` (M, D) under N(mean, exp(log_std)²), each (M, D)."""
    z = (actions - mean) * torch.exp(-log_std)
    return -(0.5 * z.square() + log_std + 0.5 * math.log(2.0 * math.pi)).sum(1)


class AWRSettings(AggregateSettings):
    """How strongly good actions are preferred."""

    awr_temperature: float = Field(
        1.0, gt=0.0, le=1e6, description="iql: temperature α of exp(A/α), in units of the scaled Q"
    )


class AWRActor(Loss[AWRSettings]):
    r"""Trains ``awr_actor`` by advantage-weighted regression (methods.md, section 6; IQL, arXiv 2110.06169).

    .. math:: -\min\big(e^{A / \alpha}, 100\big) \log \pi(a \mid s), \qquad A = \min_k \bar Q_k(s, a) - V(s)

    α → ∞ is behaviour cloning; α → 0 imitates only the actions that the critic ranks above V. It never asks the critic about
    an action that is not in the data. Cost of an update: one critic and one value evaluation. Departures: α = 1/β of the
    paper, in units of Q; the standard deviation depends on the state (published: it does not).
    """

    trains = ("awr_actor",)
    reads = ("value",)

    @classmethod
    def build(
        cls, config: AWRSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """π."""
        shape = shape_of(config, observation_dim, 2 * action_dim)
        return {"awr_actor": GaussianPolicy(observation_dim, action_dim, shape, generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """No noise."""
        return ()

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``awr_actor``."""
        nets, config = scene.networks, self.config
        with torch.no_grad():
            q = aggregate(nets.target_critic(batch.observations, batch.actions), config.value_aggregate)
            advantage = q - nets.value(batch.observations)
            weight = advantage_weight(advantage / config.awr_temperature)
        mean, log_std = nets.extra["awr_actor"](batch.observations)
        return {"awr_actor": -weighted_mean(weight * log_density(mean, log_std, batch.actions), batch.valid)}
