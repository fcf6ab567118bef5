"""FBRAC's actor: a flow trained on the data while the end of its own chain climbs the critic."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.velocity import sample
from workbench.engine.training.losses.flow_matching import draw_start_and_time, flow_errors
from workbench.engine.training.losses.loss import Loss, Losses, Scene, weighted_mean
from workbench.engine.training.losses.value_climb import ClimbSettings, value_term
from workbench.engine.training.networks import velocity_field


class FBRACSettings(ClimbSettings):
    """How near to the data FBRAC's flow is held."""

    fbrac_alpha: float = Field(
        10.0, gt=0.0, le=1e6, description="fbrac: α, by which −Q is divided beside flow matching"
    )


class FBRACFlow(Loss[FBRACSettings]):
    r"""Trains ``fbrac_flow`` (methods_more.md, section 13; FBRAC in FQL, arXiv 2502.02538, and QGF, arXiv 2606.11087).

    .. math:: \lVert v(s, x_t, t) - (x_1 - x_0) \rVert^2
              - \frac{1}{\alpha} Q\big(s, \mathrm{clip}(\mathrm{Euler}_{0 \to 1}(z))\big)

    The gradient of Q goes back through all T Euler steps and the clip: EDP without its one-step estimate, at T times the cost.
    Cost of an update: T + 1 velocity evaluations with their backward passes, and one critic gradient. Departures: Q is divided
    by its mean magnitude unless ``normalize_q=false`` (published: not; α = 100 there); the time is drawn as the run's behaviour
    flow draws it.
    """

    trains = ("fbrac_flow",)

    @classmethod
    def build(
        cls, config: FBRACSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """A velocity field of its own."""
        return {"fbrac_flow": velocity_field(config, observation_dim, action_dim, generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """x_0 (M, D), t (M,), and z (M, D), where the chain begins."""
        start, time = draw_start_and_time(self.config, batch, generator)
        return start, time, torch.randn(batch.actions.shape, generator=generator, device=batch.actions.device)

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``fbrac_flow``."""
        nets, config, (start, time, z) = scene.networks, self.config, noise
        field = nets.extra["fbrac_flow"]
        flow = weighted_mean(flow_errors(field, batch, start, time), batch.valid)
        end = sample(field, batch.observations, z, config.flow_steps)
        return {"fbrac_flow": flow + value_term(nets.critic, batch.observations, end, config) / config.fbrac_alpha}
