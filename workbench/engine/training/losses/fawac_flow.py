"""FAWAC's actor: a flow that imitates the data, good actions more than bad ones."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.critic import StateValue
from workbench.engine.models.parts import q_values
from workbench.engine.training.losses.advantage import advantage_weight
from workbench.engine.training.losses.flow_matching import draw_start_and_time, flow_errors
from workbench.engine.training.losses.loss import Loss, Losses, Scene, weighted_mean
from workbench.engine.training.networks import shape_of, velocity_field
from workbench.engine.training.run_settings import RunSettings


class FAWACSettings(RunSettings):
    """How strongly good actions are preferred."""

    fawac_inverse_temperature: float = Field(
        10.0, ge=0.0, le=1e6, description="fawac: 1/α of the weights exp(A/α), per unit of the scaled Q"
    )


class FAWACFlow(Loss[FAWACSettings]):
    r"""Trains ``fawac_flow`` and its state value (methods_more.md, section 13; FAWAC in FQL, arXiv 2502.02538, and QGF).

    .. math:: \min\big(e^{A / \alpha}, 100\big)\, \lVert v(s, x_t, t) - (x_1 - x_0) \rVert^2, \qquad
              A = \mathrm{mean}_k\, Q_k(s, a) - V(s), \qquad \big(\bar Q_k(s, a) - V(s)\big)^2

    AWAC (arXiv 2006.09359) for flows. V is its own network, ``fawac_value``: a plain mean over the data's actions, whatever V
    the critic learns by. It never asks the critic about an action that is not in the data. Cost of an update: one velocity,
    two value and two critic evaluations. Departure: the time is drawn as the run's behaviour flow draws it (published: uniform
    on [0, 1]).
    """

    trains = ("fawac_flow", "fawac_value")

    @classmethod
    def build(
        cls, config: FAWACSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """A velocity field and a state value."""
        return {
            "fawac_flow": velocity_field(config, observation_dim, action_dim, generator),
            "fawac_value": StateValue(observation_dim, shape_of(config, observation_dim, 1), generator),
        }

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """x_0 (M, D) and t (M,)."""
        return draw_start_and_time(self.config, batch, generator)

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """Two scalars, named as the networks."""
        nets, s, (start, time) = scene.networks, batch.observations, noise
        v = nets.extra["fawac_value"](s)
        with torch.no_grad():
            advantage = q_values(nets.critic, s, batch.actions, "mean") - v
            q_target = nets.target_critic(s, batch.actions).reshape(-1, len(s))
            weight = advantage_weight(self.config.fawac_inverse_temperature * advantage)
        errors = flow_errors(nets.extra["fawac_flow"], batch, start, time)
        return {
            "fawac_flow": weighted_mean(weight * errors, batch.valid),
            "fawac_value": weighted_mean((q_target - v).square(), batch.valid),
        }
