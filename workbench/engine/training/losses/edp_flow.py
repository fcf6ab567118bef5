"""EDP's actor: a flow trained on the data and on the critic at its one-step estimates of the clean action."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.training.losses.flow_matching import draw_start_and_time
from workbench.engine.training.losses.loss import Loss, Losses, Scene
from workbench.engine.training.losses.value_climb import ClimbSettings, value_term
from workbench.engine.training.networks import velocity_field


class EDPSettings(ClimbSettings):
    """How near to the data EDP's flow is held."""

    edp_bc: float = Field(1.0, ge=0.0, le=1e6, description="edp: weight w_bc of flow matching")


class EDPFlow(Loss[EDPSettings]):
    r"""Trains ``edp_flow`` (methods.md, section 6; EDP, arXiv 2305.20081, in the flow form that QGF compares with).

    .. math:: w_{bc}\, \lVert v(s, x_t, t) - (x_1 - x_0) \rVert^2
              - Q\big(s, \mathrm{clip}(x_t + (1 - t)\, v(s, x_t, t), -1, 1)\big)

    One evaluation of v serves both terms; nothing is integrated. Cost of an update: one velocity evaluation and one critic
    gradient. Departures: EDP noises by a diffusion and estimates the clean action from the noise it predicts; here both are
    the flow's. Q is divided by its mean magnitude unless ``normalize_q=false``.
    """

    trains = ("edp_flow",)

    @classmethod
    def build(
        cls, config: EDPSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """A velocity field of its own."""
        return {"edp_flow": velocity_field(config, observation_dim, action_dim, generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """x_0 (M, D) and t (M,)."""
        return draw_start_and_time(self.config, batch, generator)

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``edp_flow``."""
        nets, config, (start, time) = scene.networks, self.config, noise
        t = time[:, None]
        x_t = torch.lerp(start, batch.actions, t)
        v = nets.extra["edp_flow"](batch.observations, x_t, time)
        flow = (v - (batch.actions - start)).square().mean()
        clean = (x_t + (1.0 - t) * v).clamp(-1.0, 1.0)
        return {"edp_flow": config.edp_bc * flow + value_term(nets.critic, batch.observations, clean, config)}
