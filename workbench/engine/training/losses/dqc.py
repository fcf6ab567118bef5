"""Decoupled Q-chunking: a critic of long chunks teaches one of the policy's own, shorter chunks."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from workbench.engine.data.chunks import check_chunk
from workbench.engine.data.transitions import Batch, Transitions
from workbench.engine.models.critic import CriticEnsemble, aggregate
from workbench.engine.training.losses.critic import CriticLoss
from workbench.engine.training.losses.iql import AggregateSettings, critic_loss, expectile_loss, td_target
from workbench.engine.training.losses.loss import Losses, Scene, weighted_mean
from workbench.engine.training.networks import shape_of


class DQCSettings(AggregateSettings):
    """How long the teacher's chunks are, and how hopeful what it teaches is."""

    dqc_chunk: int = Field(
        5, ge=1, le=100, description="dqc: actions h of the chunks that the teacher values; at least those of chunk"
    )
    dqc_distillation: float = Field(
        0.8,
        gt=0.0,
        lt=1.0,
        description="dqc: expectile κ_d of the distillation; 0.5 is the mean over how a chunk goes on",
    )
    dqc_backup: float = Field(0.9, gt=0.0, lt=1.0, description="dqc: quantile or expectile κ_b of the state value")
    dqc_backup_by: Literal["quantile", "expectile"] = Field(
        "quantile", description="dqc: whether κ_b is a quantile or an expectile"
    )


def quantile_loss(advantage: Tensor, quantile: float, valid: Tensor | None) -> Tensor:
    r"""Asymmetric distance, mean of :math:`|\kappa - 1(u < 0)|\, |u|` over u = ``advantage`` (M,): its least is the quantile."""
    weight = torch.where(advantage < 0.0, 1.0 - quantile, quantile)
    return weighted_mean(weight * advantage.abs(), valid)


class DQC(CriticLoss[DQCSettings]):
    r"""Trains ``critic``, ``chunk_critic`` and ``value`` (decoupled Q-chunking, arXiv 2512.10926).

    .. math:: \big(Q^h_k(s, a_{1:h}) - [r + \gamma^H m V(s')]\big)^2, \qquad
              |\kappa_d - 1(u<0)|\, u^2,\ u = Q^h_k(s, a_{1:h}) - Q_k(s, a_{1:h_a}), \qquad
              |\kappa_b - 1(u<0)|\, |u|,\ u = \mathrm{agg}_k\, \bar Q_k(s, a_{1:h_a}) - V(s)

    The teacher ``chunk_critic`` values h = ``dqc_chunk`` actions, so that a backup spans h steps without the bias of off-policy
    n-step returns. ``critic`` values the policy's own h_a = ``chunk`` of them, and learns by an expectile what they are worth if
    the rest goes on well; every rule steers by it. ``agg``, over the members of its target, is ``value_aggregate``. Cost of an
    update: forward and backward of both critics and the value, one evaluation each of target critic and of the value at the
    next state.

    Departures: rewards are the task's and losses are squares, where the code has values in (0, 1) and cross-entropies of the same
    weights, which rest at the same values; chunks that run past an episode's end do not count, where the code never draws
    them; the behaviour flow sees what the critic sees, where the code hides the goal from it.
    """

    trains = ("critic", "chunk_critic", "value")
    sees_pictures = False

    @classmethod
    def build(
        cls, config: DQCSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """The critics of short chunks and their teachers of long ones, K each."""
        nets = super().build(config, observation_dim, action_dim, generator)
        long = action_dim // config.chunk * max(config.chunk, config.dqc_chunk)
        shape = shape_of(config, observation_dim + long, 1, config.members)
        return nets | {"chunk_critic": CriticEnsemble(observation_dim, long, shape, generator)}

    @classmethod
    def suited(cls, config: DQCSettings, data: Transitions) -> DQCSettings:
        """Refuse chunks that are longer than every episode."""
        check_chunk(data, config.dqc_chunk, "dqc_chunk")
        return config

    @property
    def long_chunk(self) -> int:
        """Those of the teacher."""
        return self.config.dqc_chunk

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """No noise."""
        return ()

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """Three scalars, ``critic``, ``chunk_critic`` and ``value``."""
        nets, config, s = scene.networks, self.config, batch.observations
        actions, valid = batch.actions, batch.valid
        if batch.long_actions is not None:
            actions, valid = batch.long_actions, batch.long_valid
        with torch.no_grad():
            target = td_target(batch, nets.value(batch.next_observations))
            reached = aggregate(nets.target_critic(s, batch.actions), config.value_aggregate)
        taught = nets.extra["chunk_critic"](s, actions)
        advantage = reached - nets.value(s)
        backup = quantile_loss if config.dqc_backup_by == "quantile" else expectile_loss
        return {
            "chunk_critic": critic_loss(taught, target, valid),
            "critic": expectile_loss(taught.detach() - nets.critic(s, batch.actions), config.dqc_distillation, valid),
            "value": backup(advantage, config.dqc_backup, batch.valid),
        }
