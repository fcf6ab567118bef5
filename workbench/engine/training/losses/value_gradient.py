"""The network that learns the critic's gradient."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.parts import q_gradient
from workbench.engine.models.value_gradient import ValueGradient
from workbench.engine.training.losses.loss import Loss, Losses, Scene
from workbench.engine.training.networks import shape_of
from workbench.engine.training.run_settings import RunSettings

EPS = 1e-8  # of the published normalisation


class GradientSettings(RunSettings):
    """What is learned of the gradient."""

    unit_gradient: bool = Field(
        False, description="value_gradient: learn the gradient's direction alone, at unit length"
    )


class AmortisedGradient(Loss[GradientSettings]):
    r"""Trains ``value_gradient`` (methods.md, section 4; amortised VGF, arXiv 2604.14265).

    .. math:: \Big\| f(s, a) - \nabla_a \tfrac1K \textstyle\sum_k Q_k(s, a) \Big\|^2 \quad \text{at the dataset's actions}

    Mean over the batch and the dimensions. With ``unit_gradient`` the target is divided by its norm + 1e-8. Departures: the
    published agent trains its critic through this network (TD through the amortised transport) and clips the gradient of
    the weights to norm 1; here the critic is trained as the run says (``critic``), and Adam is not clipped.
    """

    trains = ("value_gradient",)
    reads = ("critic",)

    @classmethod
    def build(
        cls, config: GradientSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """A network like a critic's, with D outputs."""
        shape = shape_of(config, observation_dim + action_dim, action_dim)
        return {"value_gradient": ValueGradient(shape, generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """No noise."""
        return ()

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``value_gradient``."""
        nets = scene.networks
        _, target = q_gradient(nets.critic, batch.observations, batch.actions, "mean")
        if self.config.unit_gradient:
            target = target / (target.norm(dim=1, keepdim=True) + EPS)
        error = nets.extra["value_gradient"](batch.observations, batch.actions) - target
        return {"value_gradient": error.square().mean()}
