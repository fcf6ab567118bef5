"""A policy whose action is the noise that a flow begins with, and the temperature that it is trained at."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.engine.models.mlp import Mlp, MlpShape
from workbench.engine.models.picture_mlp import make_net
from workbench.engine.models.policies import LOG_STD

HEAD = 0.01  # initial weights of mean and log standard deviation are smaller by this: the policy begins as noise itself


class NoisePolicy(nn.Module):
    r"""A Gaussian squashed by tanh, :math:`z = c \tanh(m(s) + \sigma(s)\, \epsilon)`.

    Parameters
    ----------
    observation_dim, action_dim : int
        S and D.
    shape : MlpShape
        S inputs, 2 D outputs: mean and log standard deviation.
    scale : float
        c, the largest noise that it chooses.
    generator : torch.Generator, optional
        Draws the initial weights.
    """

    def __init__(
        self,
        observation_dim: int,
        action_dim: int,
        shape: MlpShape,
        scale: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.observation_dim, self.action_dim, self.scale = observation_dim, action_dim, scale
        self.net = make_net(shape, generator)
        with torch.no_grad():
            self.net.arrays()[f"{len(shape.hidden)}.weight"].mul_(HEAD)

    def forward(self, observations: Tensor, noise: Tensor) -> Tensor:
        """Return z (M, D), what the flow begins with, at ``observations`` (M, S) from ``noise`` (M, D), standard normal."""
        mean, log_std = self.moments(observations)
        return self.scale * torch.tanh(mean + log_std.exp() * noise)

    def moments(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation before the tanh, (M, D) each."""
        mean, log_std = self.net(observations).split(self.action_dim, 1)
        return mean, log_std.clamp(*LOG_STD)

    def draw(self, observations: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return z (M, D), as `forward`, and the log density (M,) of z / c."""
        mean, log_std = self.moments(observations)
        x = mean + log_std.exp() * noise
        gauss = -0.5 * noise.square() - log_std - 0.5 * math.log(2.0 * math.pi)
        log_slope = 2.0 * (math.log(2.0) - x - F.softplus(-2.0 * x))  # log of tanh's derivative, exact far out too
        return self.scale * torch.tanh(x), (gauss - log_slope).sum(1)


class FreeVector(nn.Module):
    """Numbers that depend on nothing: the bias of a layer without inputs.

    Parameters
    ----------
    size : int
        How many.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.net = Mlp(MlpShape(0, size, ()))

    def forward(self, rows: Tensor) -> Tensor:
        """Return the numbers, (1, size), on the device of ``rows`` (M, …), which are not looked at."""
        result: Tensor = self.net(rows[:1, :0])
        return result
