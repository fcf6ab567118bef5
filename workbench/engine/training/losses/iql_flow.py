"""IQL's advantage-weighted regression with a flow in place of the Gaussian."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.parts import q_values
from workbench.engine.training.losses.advantage import advantage_weight
from workbench.engine.training.losses.flow_matching import draw_start_and_time, flow_errors
from workbench.engine.training.losses.iql import AggregateSettings
from workbench.engine.training.losses.loss import Loss, Losses, Scene
from workbench.engine.training.networks import velocity_field


class IQLFlowSettings(AggregateSettings):
    """How strongly good actions are preferred, and who says which are good."""

    iql_flow_inverse_temperature: float = Field(
        1.0, ge=0.0, le=1e6, description="iql_flow: 1/α of the weights exp(A/α), per unit of the scaled Q"
    )
    iql_flow_critic: Literal["target", "online"] = Field(
        "target", description="iql_flow: the critics whose advantage weighs the data"
    )


class IQLFlow(Loss[IQLFlowSettings]):
    r"""Trains ``iql_flow`` (methods_more.md, section 15; IQL, arXiv 2110.06169, with a flow as in QGF's code).

    .. math:: \min\big(e^{A / \alpha}, 100\big)\, \lVert v(s, x_t, t) - (x_1 - x_0) \rVert^2, \qquad
              A = \min_k \bar Q_k(s, a) - V(s)

    As ``awr_actor``, but the policy keeps all modes of the data that are worth it. Cost of an update: one velocity, one critic
    and one value evaluation. Departures: none known; as published, rows count alike whatever their ``valid`` says.
    """

    trains = ("iql_flow",)
    reads = ("value",)

    @classmethod
    def build(
        cls, config: IQLFlowSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """A velocity field of its own."""
        return {"iql_flow": velocity_field(config, observation_dim, action_dim, generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """x_0 (M, D) and t (M,)."""
        return draw_start_and_time(self.config, batch, generator)

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``iql_flow``."""
        nets, config, s = scene.networks, self.config, batch.observations
        with torch.no_grad():
            critic = nets.target_critic if config.iql_flow_critic == "target" else nets.critic
            advantage = q_values(critic, s, batch.actions, config.value_aggregate) - nets.value(s)
            weight = advantage_weight(config.iql_flow_inverse_temperature * advantage)
        return {"iql_flow": (weight * flow_errors(nets.extra["iql_flow"], batch, *noise)).mean()}
