"""A network that is trained to return the critic's gradient, so that steering need not differentiate the critic."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.engine.models.mlp import MlpShape
from workbench.engine.models.picture_mlp import make_net


class ValueGradient(nn.Module):
    """f(s, a): an estimate of the gradient of Q with respect to the action.

    Parameters
    ----------
    shape : MlpShape
        S + D inputs, D outputs; the input is concat(s, a).
    generator : torch.Generator, optional
        Draws the initial weights.
    """

    def __init__(self, shape: MlpShape, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.net = make_net(shape, generator)

    def forward(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Return directions (M, D) at ``observations`` (M, S) and ``actions`` (M, D)."""
        direction: Tensor = self.net(torch.cat((observations, actions), 1))
        return direction
