"""The network that learns QGF's gradient, so that guidance costs no derivative of the critic."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.parts import q_gradient
from workbench.engine.training.losses.flow_matching import draw_start_and_time
from workbench.engine.training.losses.loss import Loss, Losses, Scene, weighted_mean
from workbench.engine.training.networks import velocity_field
from workbench.engine.training.run_settings import RunSettings


class DistilledGradient(Loss[RunSettings]):
    r"""Trains ``distilled_gradient`` (the distilled gradient among QGF's ablations, arXiv 2606.11087).

    .. math:: \big\| f(s, x_t, t) - \nabla_{\hat a} Q(s, \hat a) \big\|^2, \qquad
              \hat a = \mathrm{clip}(x_t + (1 - t)\, v(s, x_t, t)), \quad x_t = (1 - t)\, x_0 + t\, x_1

    with x_1 the dataset's action: the network is asked where the flow passes, and answers what ``qgf`` would compute there, with
    the target critics' minimum as there. It looks like the behaviour flow's network. Mean over batch and dimensions. Cost of an
    update: one velocity evaluation, one critic gradient. Departures: only accounts of the ablation were read.
    """

    trains = ("distilled_gradient",)
    reads = ("critic",)

    @classmethod
    def build(
        cls, config: RunSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """f."""
        return {"distilled_gradient": velocity_field(config, observation_dim, action_dim, generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """x_0 (M, D) and t (M,)."""
        return draw_start_and_time(self.config, batch, generator)

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``distilled_gradient``."""
        nets, s, (start, time) = scene.networks, batch.observations, noise
        x = torch.lerp(start, batch.actions, time[:, None])
        with torch.no_grad():
            ahead = (x + (1.0 - time[:, None]) * nets.reference(s, x, time)).clamp(-1.0, 1.0)
        _, target = q_gradient(nets.target_critic, s, ahead, "min")
        error = nets.extra["distilled_gradient"](s, x, time) - target
        return {"distilled_gradient": weighted_mean(error.square().mean(1), batch.valid)}
