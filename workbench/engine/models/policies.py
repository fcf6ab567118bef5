"""Policies that need no flow at test time: noise or nothing in, an action out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.engine.models.mlp import MlpShape
from workbench.engine.models.picture_mlp import make_net

LOG_STD = (-5.0, 2.0)  # bounds of a Gaussian policy's log standard deviation, as in IQL's code


class OneStepPolicy(nn.Module):
    """FQL's ω(s, z): one evaluation takes noise z to an action.

    Parameters
    ----------
    observation_dim, action_dim : int
        S and D.
    shape : MlpShape
        S + D inputs, D outputs.
    generator : torch.Generator, optional
        Draws the initial weights.
    """

    def __init__(
        self, observation_dim: int, action_dim: int, shape: MlpShape, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.observation_dim, self.action_dim = observation_dim, action_dim
        self.net = make_net(shape, generator)

    def forward(self, observations: Tensor, noise: Tensor) -> Tensor:
        """Return actions (M, D), not clipped, at ``observations`` (M, S) from ``noise`` (M, D)."""
        result: Tensor = self.net(torch.cat((observations, noise), 1))
        return result


class DeterministicPolicy(nn.Module):
    """π(s): one action per state, kept inside (-1, 1) by tanh.

    Parameters
    ----------
    observation_dim, action_dim : int
        S and D.
    shape : MlpShape
        S inputs, D outputs.
    generator : torch.Generator, optional
        Draws the initial weights.
    """

    def __init__(
        self, observation_dim: int, action_dim: int, shape: MlpShape, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.observation_dim, self.action_dim = observation_dim, action_dim
        self.net = make_net(shape, generator)

    def forward(self, observations: Tensor) -> Tensor:
        """Return actions (M, D) at ``observations`` (M, S)."""
        return torch.tanh(self.net(observations))


class GaussianPolicy(nn.Module):
    """N(m(s), diag σ(s)²) with a tanh on the mean, as in IQL; the standard deviation depends on the state.

    Parameters
    ----------
    observation_dim, action_dim : int
        S and D.
    shape : MlpShape
        S inputs, 2 D outputs.
    generator : torch.Generator, optional
        Draws the initial weights.
    """

    def __init__(
        self, observation_dim: int, action_dim: int, shape: MlpShape, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.observation_dim, self.action_dim = observation_dim, action_dim
        self.net = make_net(shape, generator)

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log standard deviation, (M, D) each, at ``observations`` (M, S)."""
        mean, log_std = self.net(observations).split(self.action_dim, 1)
        return torch.tanh(mean), log_std.clamp(*LOG_STD)
