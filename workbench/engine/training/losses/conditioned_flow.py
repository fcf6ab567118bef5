"""CFGRL's flow: it has one more input, a label that says whether an action is better than average."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.critic import aggregate
from workbench.engine.models.parts import Reference
from workbench.engine.training.losses.flow_matching import draw_start_and_time
from workbench.engine.training.losses.iql import AggregateSettings
from workbench.engine.training.losses.loss import Loss, Losses, Scene
from workbench.engine.training.networks import velocity_field

UNCONDITIONAL = 0.1  # weight of the term without the label


def conditioned_flow_loss(
    flow: Reference, batch: Batch, start: Tensor, time: Tensor, better: Tensor
) -> tuple[Tensor, Tensor]:
    r"""The two terms, each a mean over batch and dimensions: with the label o = 1, where ``better`` (M,) is 1, and with o = 0.

    .. math:: 1(A > 0)\, \| v(s, x_t, t, 1) - (x_1 - x_0) \|^2, \qquad \| v(s, x_t, t, 0) - (x_1 - x_0) \|^2

    ``flow`` sees the label o as one more coordinate of the observation.
    """
    x_t = torch.lerp(start, batch.actions, time[:, None])
    errors = []
    for label in (1.0, 0.0):
        labelled = torch.cat((batch.observations, torch.full_like(time, label)[:, None]), 1)
        errors.append((flow(labelled, x_t, time) - (batch.actions - start)).square())
    return (errors[0] * better[:, None]).mean(), errors[1].mean()


class ConditionedFlow(Loss[AggregateSettings]):
    r"""Trains ``conditioned_flow`` (methods.md, section 5; CFGRL, arXiv 2505.23458).

    .. math:: 1(A > 0)\, \| v(s, x_t, t, 1) - u \|^2 + 0.1\, \| v(s, x_t, t, 0) - u \|^2, \qquad
              u = x_1 - x_0, \quad A = \mathrm{agg}_k\, \bar Q_k(s, a) - V(s)

    Departures: CFGRL's own code drops a tenth of the labels instead of weighting two terms, has a third label for actions that
    are not better, and learns an embedding of the label; here it is a number beside the observation.
    """

    trains = ("conditioned_flow",)
    reads = ("critic", "value")

    @classmethod
    def build(
        cls, config: AggregateSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """A velocity field whose observation has one more coordinate, the label."""
        return {"conditioned_flow": velocity_field(config, observation_dim + 1, action_dim, generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """x_0 (M, D) and t (M,), as for the behaviour flow."""
        return draw_start_and_time(self.config, batch, generator)

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """Two scalars, ``flow_better`` and ``flow_any``."""
        nets = scene.networks
        with torch.no_grad():
            q = aggregate(nets.target_critic(batch.observations, batch.actions), self.config.value_aggregate)
            better = (q > nets.value(batch.observations)).to(q.dtype)
        start, time = noise
        of_better, of_any = conditioned_flow_loss(nets.extra["conditioned_flow"], batch, start, time, better)
        return {"flow_better": of_better, "flow_any": UNCONDITIONAL * of_any}
