"""Implicit Q-learning: QGF's critic."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from workbench.engine.data.transitions import Batch
from workbench.engine.models.critic import Aggregate, aggregate
from workbench.engine.training.losses.critic import CriticLoss
from workbench.engine.training.losses.loss import Losses, Scene, weighted_mean
from workbench.engine.training.run_settings import RunSettings


class WeightingSettings(RunSettings):
    """How much more the better of several outcomes count in a regression."""

    expectile: float = Field(0.9, gt=0.0, lt=1.0, description="IQL, and td_loss expectile: τ_e")
    sql_alpha: float = Field(0.9, gt=0.0, description="IQL with value_loss sql, and td_loss sql: the temperature")


class AggregateSettings(RunSettings):
    """How the target critics become one number at the data's actions."""

    value_aggregate: Aggregate = Field("min", description="IQL: how target critics are combined for the state value")


class ValueSettings(WeightingSettings, AggregateSettings):
    """How the state value is regressed on the target critics."""

    value_loss: Literal["expectile", "sql"] = Field(
        "expectile", description="IQL: expectile regression, or sparse Q-learning's weighting"
    )
    critic_sum: bool = Field(
        False, description="IQL: add the critics' losses, as IFQL's code does, instead of their mean"
    )


def expectile_loss(advantage: Tensor, expectile: float, valid: Tensor | None) -> Tensor:
    r"""Asymmetric square, mean of :math:`|\tau_e - 1(u < 0)|\, u^2` over u = ``advantage`` (methods.md, section 2).

    Parameters
    ----------
    advantage : Tensor
        (M,), Q − V, in reward units times the reward scale.
    expectile : float
        τ_e in (0, 1): 0.5 gives the mean, towards 1 the best actions of the data.
    valid : Tensor or None
        (M,), 0 for rows that do not count; None where all do.

    Returns
    -------
    Tensor
        (), the mean over the rows that count.
    """
    weight = torch.where(advantage < 0.0, 1.0 - expectile, expectile)
    return weighted_mean(weight * advantage.square(), valid)


def sql_loss(advantage: Tensor, alpha: float, valid: Tensor | None) -> Tensor:
    r"""Sparse Q-learning's weighting of u = ``advantage`` (M,), mean of :math:`\alpha\,[1 + u/(2\alpha)]_+^2 - u`.

    The variant of the expectile loss in VGF's published code (Xu et al., arXiv 2303.15810, up to terms without gradient).
    """
    inside = (1.0 + advantage / (2.0 * alpha)).clamp_min(0.0)
    return weighted_mean(alpha * inside.square() - advantage, valid)


def td_target(batch: Batch, next_value: Tensor) -> Tensor:
    """What a critic is trained towards: r + γ^H · mask · V(s').

    Parameters
    ----------
    batch : Batch
        Of M rows, with n-step rewards r and discounts γ^H · mask.
    next_value : Tensor
        (M,), V at the observations H steps later.

    Returns
    -------
    Tensor
        (M,), in scaled reward units.
    """
    return torch.addcmul(batch.rewards, batch.discounts, next_value)


def critic_loss(q: Tensor, target: Tensor, valid: Tensor | None) -> Tensor:
    """Squared TD error of ``q`` (K, M) against ``target`` (M,), mean over batch and critics."""
    return weighted_mean((q - target).square(), valid)


def value_loss(q_target: Tensor, value: Tensor, config: ValueSettings, valid: Tensor | None) -> Tensor:
    """Regress V (M,) on the aggregated target critics (K, M), by expectile or by SQL's weighting."""
    advantage = aggregate(q_target, config.value_aggregate) - value
    if config.value_loss == "sql":
        return sql_loss(advantage, config.sql_alpha, valid)
    return expectile_loss(advantage, config.expectile, valid)


class IQL(CriticLoss[ValueSettings]):
    r"""Trains ``critic`` and ``value`` (methods.md, section 3; IQL, arXiv 2110.06169).

    .. math:: \big(Q_k(s,a) - [r + \gamma^H m V(s')]\big)^2, \qquad
              |\tau_e - 1(u<0)|\, u^2,\ u = \min_k \bar Q_k(s,a) - V(s)

    The critics' losses are averaged, as in the qgf agent; with ``critic_sum`` they are added, as in IQL's and IFQL's own code
    (methods_more.md, section 11).
    """

    trains = ("critic", "value")

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """No noise."""
        return ()

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """Two scalars, ``critic`` (or ``critic_sum``) and ``value``."""
        nets = scene.networks
        with torch.no_grad():
            q_target = nets.target_critic(batch.observations, batch.actions)
            target = td_target(batch, nets.value(batch.next_observations))
        q, v = nets.critic(batch.observations, batch.actions), nets.value(batch.observations)
        loss = critic_loss(q, target, batch.valid)
        of_critics = {"critic_sum": len(q) * loss} if self.config.critic_sum else {"critic": loss}
        return of_critics | {
            "value": value_loss(q_target, v, self.config, batch.valid),
        }
