"""MeanFlow: a behaviour flow that learns its average velocity too, so that one step is as good as many."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.average_velocity import AverageVelocity
from workbench.engine.training.losses.behaviour import BehaviourLoss
from workbench.engine.training.losses.loss import Losses, Scene
from workbench.engine.training.networks import flow_shape
from workbench.engine.training.run_settings import RunSettings


class MeanFlowSettings(RunSettings):
    """What the average velocity is learned from."""

    mean_flow_share: float = Field(
        0.75, gt=0.0, le=1.0, description="mean_flow: share of the rows that learn an average, not the velocity itself"
    )


class MeanFlow(BehaviourLoss[MeanFlowSettings]):
    r"""Trains ``reference`` as a mean flow (MeanFlow, arXiv 2505.13447).

    .. math:: \Big\| u(s, x_t, t, r) - \mathrm{stopgrad}\Big(x_1 - x_0 + (r - t)\, \frac{d}{dt} u(s, x_t, t, r)\Big) \Big\|^2,
              \qquad \frac{d}{dt} u = \partial_x u \cdot v(s, x_t, t) + \partial_t u

    The identity behind it is the definition of the average, (r − t) u = ∫ v, differentiated in t. A part of the rows, 1 −
    ``mean_flow_share``, has r = t and learns the velocity. Cost of an update: three velocity evaluations, one of them with its
    derivative along the way (a Jacobian-vector product), and the backward pass of one. Departures: time runs from noise to data;
    the particle moves with the network's own velocity u(s, x_t, t, t) instead of x_1 − x_0, whose noise the derivative would
    magnify (improved MeanFlow, arXiv 2512.02012); t and r are uniform, and rows count alike.
    """

    sees_pictures = False

    @classmethod
    def build(
        cls, config: MeanFlowSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """The average velocity."""
        shape = flow_shape(config, AverageVelocity.inputs(observation_dim, action_dim), action_dim)
        return {"reference": AverageVelocity(observation_dim, action_dim, shape, generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """x_0 (M, D), and t and r (M,), t ≤ r."""
        m, device = batch.actions.shape[0], batch.actions.device
        start = torch.randn(batch.actions.shape, generator=generator, device=device)
        one, other, which = (torch.rand(m, generator=generator, device=device) for _ in range(3))
        t, r = torch.minimum(one, other), torch.maximum(one, other)
        average = which < self.config.mean_flow_share
        return start, torch.where(average, t, one), torch.where(average, r, one)

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``flow``."""
        flow, s, (start, t, until) = scene.networks.reference, batch.observations, noise
        assert isinstance(flow, AverageVelocity)
        x = torch.lerp(start, batch.actions, t[:, None])
        with torch.no_grad():
            change = flow.change(s, x, t, until, flow(s, x, t))
            target = batch.actions - start + (until - t)[:, None] * change
        return {"flow": (flow.average(s, x, t, until) - target).square().mean()}
