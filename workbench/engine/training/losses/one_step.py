"""FQL's actor: a one-step policy distilled from the behaviour flow while it climbs the critic."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.policies import OneStepPolicy
from workbench.engine.models.velocity import sample
from workbench.engine.training.losses.loss import Loss, Losses, Scene
from workbench.engine.training.losses.value_climb import ClimbSettings, value_term
from workbench.engine.training.networks import shape_of


class OneStepSettings(ClimbSettings):
    """How near to the flow the one-step policy is held."""

    fql_alpha: float = Field(1.0, ge=0.0, le=1e6, description="fql: weight α of the distillation from the flow")


class OneStep(Loss[OneStepSettings]):
    r"""Trains ``one_step`` (methods.md, section 6; FQL, arXiv 2502.02538).

    .. math:: \alpha\, \lVert \omega(s, z) - \mathrm{flow}(s, z) \rVert^2 - Q(s, \mathrm{clip}\, \omega(s, z)),
              \qquad z \sim N(0, I)

    The distillation is a mean over batch and dimensions, the flow's sample (T Euler steps, clipped) is a constant, and both
    start from the same noise z. Cost of an update: T velocity evaluations, one critic gradient. Departure: Q is divided by its
    mean magnitude unless ``normalize_q=false`` (the published code offers it and leaves it off).
    """

    trains = ("one_step",)

    @classmethod
    def build(
        cls, config: OneStepSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """ω."""
        shape = shape_of(config, observation_dim + action_dim, action_dim)
        return {"one_step": OneStepPolicy(observation_dim, action_dim, shape, generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """z (M, D)."""
        return (torch.randn(batch.actions.shape, generator=generator, device=batch.actions.device),)

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``one_step``."""
        nets, config, (z,) = scene.networks, self.config, noise
        with torch.no_grad():
            flow = sample(nets.reference, batch.observations, z, config.flow_steps)
        jumped = nets.extra["one_step"](batch.observations, z)
        distillation = (jumped - flow).square().mean()
        climb = value_term(nets.critic, batch.observations, jumped.clamp(-1.0, 1.0), config)
        return {"one_step": config.fql_alpha * distillation + climb}
