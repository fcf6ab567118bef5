"""Implicit Q-learning: QGF's critic."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.engine.data.transitions import Batch
from workbench.engine.models.critic import aggregate
from workbench.engine.training.config import FitConfig
from workbench.engine.training.losses.loss import Loss, Losses, Scene, weighted_mean


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


def value_loss(q_target: Tensor, value: Tensor, config: FitConfig, valid: Tensor | None) -> Tensor:
    """Regress V (M,) on the aggregated target critics (K, M), by expectile or by SQL's weighting."""
    advantage = aggregate(q_target, config.value_aggregate) - value
    if config.value_loss == "sql":
        return sql_loss(advantage, config.sql_alpha, valid)
    return expectile_loss(advantage, config.expectile, valid)


class IQL(Loss):
    r"""Trains ``critic`` and ``value`` (methods.md, section 3; IQL, arXiv 2110.06169).

    .. math:: \big(Q_k(s,a) - [r + \gamma^H m V(s')]\big)^2, \qquad
              |\tau_e - 1(u<0)|\, u^2,\ u = \min_k \bar Q_k(s,a) - V(s)
    """

    trains = ("critic", "value")
    targets = ("critic",)

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """No noise."""
        return ()

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """Two scalars, ``critic`` and ``value``."""
        nets = scene.networks
        with torch.no_grad():
            q_target = nets.target_critic(batch.observations, batch.actions)
            target = td_target(batch, nets.value(batch.next_observations))
        q, v = nets.critic(batch.observations, batch.actions), nets.value(batch.observations)
        return {
            "critic": critic_loss(q, target, batch.valid),
            "value": value_loss(q_target, v, self.config, batch.valid),
        }
