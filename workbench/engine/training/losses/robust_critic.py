"""The critic of noised actions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.critic import aggregate
from workbench.engine.models.noised_critic import NoisedCritic
from workbench.engine.models.velocity import VelocityField
from workbench.engine.training.losses.iql import AggregateSettings
from workbench.engine.training.losses.loss import Loss, Losses, Scene, weighted_mean
from workbench.engine.training.networks import shape_of, time_input


class RobustCritic(Loss[AggregateSettings]):
    r"""Trains ``robust_critic``: what the clean action of a noised one is worth, on average.

    .. math:: \big(Q_R(s, x_t, t) - \mathrm{agg}_k\, \bar Q_k(s, x_1)\big)^2, \qquad x_t = (1 - t)\, x_0 + t\, x_1

    Source: the RobustQ baseline of QGF, arXiv 2606.11087 (methods.md, section 5). x_1 is the dataset's action, t is uniform on
    [0, 1]; the aggregate is that of the state value (``value_aggregate``). One network: an ensemble would learn the same
    target twice.
    """

    trains = ("robust_critic",)
    reads = ("critic",)

    @classmethod
    def build(
        cls, config: AggregateSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """The network, with the flow's way of reading time."""
        time = time_input(config)
        width = VelocityField.inputs(observation_dim, action_dim, time)
        return {"robust_critic": NoisedCritic(shape_of(config, width, 1), time, generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """x_0 (M, D) and t (M,)."""
        device = batch.actions.device
        start = torch.randn(batch.actions.shape, generator=generator, device=device)
        return start, torch.rand(len(start), generator=generator, device=device)

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``robust_critic``."""
        start, time = noise
        nets = scene.networks
        with torch.no_grad():
            target = aggregate(nets.target_critic(batch.observations, batch.actions), self.config.value_aggregate)
        x_t = torch.lerp(start, batch.actions, time[:, None])
        q = nets.extra["robust_critic"](batch.observations, x_t, time)
        return {"robust_critic": weighted_mean((q - target).square(), batch.valid)}
