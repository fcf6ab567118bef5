"""The behaviour flow's loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.parts import Reference
from workbench.engine.training.losses.behaviour import BehaviourLoss
from workbench.engine.training.losses.loss import Losses, Scene
from workbench.engine.training.networks import velocity_field
from workbench.engine.training.run_settings import RunSettings


def flow_matching_loss(reference: Reference, batch: Batch, start: Tensor, time: Tensor) -> Tensor:
    r"""Flow matching (methods.md, section 2; Lipman et al., arXiv 2210.02747).

    .. math:: \| v(s, x_t, t) - (x_1 - x_0) \|^2, \qquad x_t = (1 - t)\, x_0 + t\, x_1

    Parameters
    ----------
    reference : Reference
    batch : Batch
        x_1 is its actions, (M, D).
    start : Tensor
        (M, D), x_0 ~ N(0, I).
    time : Tensor
        (M,), t in [0, 1].

    Returns
    -------
    Tensor
        (), the mean over the batch and the dimensions. Rows count alike, as in the published code, which weights the critic's and
        the value's losses by ``valid`` but not this one.
    """
    t = time[:, None]
    x_t = torch.lerp(start, batch.actions, t)
    error = reference(batch.observations, x_t, time) - (batch.actions - start)
    return error.square().mean()


def flow_errors(reference: Reference, batch: Batch, start: Tensor, time: Tensor) -> Tensor:
    """The squared error of `flow_matching_loss` row by row, (M,): its mean over the dimensions, for losses that weigh rows."""
    x_t = torch.lerp(start, batch.actions, time[:, None])
    error = reference(batch.observations, x_t, time) - (batch.actions - start)
    return error.square().mean(1)


def draw_start_and_time(config: RunSettings, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """x_0 (M, D) and t (M,): uniform on the grid {0, 1/T, …, 1} (QGF) or on [0, 1] (VGF)."""
    m, device = batch.actions.shape[0], batch.actions.device
    start = torch.randn(batch.actions.shape, generator=generator, device=device)
    if config.family == "qgf":
        steps = config.flow_steps
        tick = torch.randint(0, steps + 1, (m,), generator=generator, device=device)
        return start, tick / steps
    return start, torch.rand(m, generator=generator, device=device)


class FlowMatching(BehaviourLoss[RunSettings]):
    """Trains ``reference``. Time is uniform on the grid {0, 1/T, …, 1} (QGF) or on [0, 1] (VGF)."""

    @classmethod
    def build(
        cls, config: RunSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """The behaviour flow's velocity field."""
        return {"reference": velocity_field(config, observation_dim, action_dim, generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """x_0 (M, D) and t (M,)."""
        return draw_start_and_time(self.config, batch, generator)

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``flow``."""
        return {"flow": flow_matching_loss(scene.networks.reference, batch, *noise)}
