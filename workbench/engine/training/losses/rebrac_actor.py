"""ReBRAC's actor: a deterministic policy that climbs the critic, held back by a penalty on leaving the data's action."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.policies import DeterministicPolicy
from workbench.engine.training.losses.loss import Loss, Losses, Scene, weighted_mean
from workbench.engine.training.losses.value_climb import ClimbSettings, value_term
from workbench.engine.training.networks import shape_of


class ReBRACSettings(ClimbSettings):
    """How near to the data the deterministic policy is held."""

    rebrac_bc: float = Field(1.0, ge=0.0, le=1e6, description="rebrac: weight β1 of the distance to the data's action")


class ReBRACActor(Loss[ReBRACSettings]):
    r"""Trains ``rebrac_actor`` (methods.md, section 6; ReBRAC, arXiv 2305.09836).

    .. math:: \beta_1\, \lVert \pi(s) - a \rVert^2 - Q(s, \pi(s))

    The penalty is a sum over dimensions. The published method's second half is the critic: ``critic=td_actor actor=rebrac``
    bootstraps from the EMA actor, with smoothing noise (``target_noise``) and its own penalty on the next action
    (``critic_penalty``, β2). Departures: actor and critic are updated equally often (published: every second time), and by
    default the ensemble's mean is climbed (published: the minimum, ``actor_aggregate=min``).
    """

    trains = ("rebrac_actor",)
    targets = ("rebrac_actor",)

    @classmethod
    def build(
        cls, config: ReBRACSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """π."""
        shape = shape_of(config, observation_dim, action_dim)
        return {"rebrac_actor": DeterministicPolicy(observation_dim, action_dim, shape, generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """No noise."""
        return ()

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``rebrac_actor``."""
        nets, config = scene.networks, self.config
        actions = nets.extra["rebrac_actor"](batch.observations)
        penalty = weighted_mean((actions - batch.actions).square().sum(1), batch.valid)
        return {
            "rebrac_actor": config.rebrac_bc * penalty + value_term(nets.critic, batch.observations, actions, config)
        }
