"""The term shared by all actors that climb the critic: minus the mean Q of their own actions."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from workbench.engine.models.critic import Aggregate, CriticEnsemble, aggregate
from workbench.engine.models.flow_critic import FlowCritic
from workbench.engine.models.parts import Critic
from workbench.engine.training.run_settings import RunSettings

FLOOR = 1e-6  # of the mean |Q| that Q is divided by


class ClimbSettings(RunSettings):
    """How an actor climbs the critic."""

    actor_aggregate: Aggregate = Field(
        "mean", description="fql, edp, rebrac, qam: how online critics are combined for the actor to climb"
    )
    normalize_q: bool = Field(True, description="fql, edp, rebrac: divide Q by its mean magnitude in the batch")


def value_term(critic: Critic, observations: Tensor, actions: Tensor, config: ClimbSettings) -> Tensor:
    r"""Minus the mean Q of the actor's own ``actions`` (M, D), the gradient flowing into the actions alone.

    .. math:: -\frac{1}{c} \frac1M \sum_s \mathrm{agg}_k\, Q_k(s, a), \qquad
              c = \mathrm{stopgrad}\Big(\frac1M \sum_s |\mathrm{agg}_k\, Q_k(s, a)|\Big) \text{ or } 1

    With ``normalize_q`` (as in TD3+BC, arXiv 2106.06860) the penalty's weight means the same whatever the rewards' scale is.
    The online critic is used, as in the published codes. A critic that is none of ours is called as it is: its own
    weights, if it has any, must not ask for gradients.
    """
    frozen = critic.frozen if isinstance(critic, CriticEnsemble | FlowCritic) else critic
    q = aggregate(frozen(observations, actions), config.actor_aggregate)
    if config.normalize_q:
        q = q / q.detach().abs().mean().clamp_min(FLOOR)
    return -q.mean()
