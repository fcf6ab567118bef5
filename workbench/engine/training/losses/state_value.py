"""The state value beside a critic that has none of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.critic import StateValue
from workbench.engine.training.losses.iql import ValueSettings, value_loss
from workbench.engine.training.losses.loss import Loss, Losses, Scene
from workbench.engine.training.networks import shape_of


class StateValueLoss(Loss[ValueSettings]):
    """Trains ``value`` by IQL's expectile regression on the target critic, for parts that need V under another critic.

    It reads the critic and gives it nothing back, so the critic learns what it would have learned without it.
    """

    trains = ("value",)
    reads = ("critic",)

    @classmethod
    def build(
        cls, config: ValueSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """V."""
        return {"value": StateValue(observation_dim, shape_of(config, observation_dim, 1), generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """No noise."""
        return ()

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``value``."""
        nets = scene.networks
        with torch.no_grad():
            q_target = nets.target_critic(batch.observations, batch.actions)
        return {"value": value_loss(q_target, nets.value(batch.observations), self.config, batch.valid)}
