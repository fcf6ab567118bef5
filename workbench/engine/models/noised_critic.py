"""A critic of noised actions: what an action that is still being denoised will be worth."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.engine.models.mlp import MlpShape
from workbench.engine.models.picture_mlp import make_net
from workbench.engine.models.velocity import TimeInput, embed_time, time_frequencies


class NoisedCritic(nn.Module):
    """Q_R(s, x_t, t): the value of the clean action that the noised one came from, on average.

    Parameters
    ----------
    shape : MlpShape
        K = ``shape.members`` networks with one output each; the input is concat(s, x_t, t embedded as in the flow).
    time : {"raw", "sinusoidal"}
    generator : torch.Generator, optional
        Draws the initial weights.
    """

    frequencies: Tensor

    def __init__(self, shape: MlpShape, time: TimeInput, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.time = time
        self.net = make_net(shape, generator)
        self.register_buffer("frequencies", time_frequencies())

    def forward(self, observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
        """Return Q_R, (K, M), at ``observations`` (M, S), noised ``actions`` (M, D) and times ``t`` (M,) in [0, 1]."""
        q: Tensor = self.net(torch.cat((observations, actions, embed_time(t, self.time, self.frequencies)), 1))
        return q.reshape(self.net.shape.members, -1)
