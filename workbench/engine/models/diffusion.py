"""Diffusion policies that predict noise: their schedules, their network, and one step back from noise to action."""

from __future__ import annotations

import itertools
import math
import operator
from typing import Literal

import torch
from torch import Tensor, nn

from workbench.engine.models.mlp import Mlp, MlpShape
from workbench.engine.models.noise_policy import FreeVector

Schedule = Literal["vp", "linear", "cosine"]
FEATURES = 32  # learned frequencies of the time, each with a cosine and a sine
SPREAD = 0.2  # standard deviation of their initial values
TIME = 10.0  # networks see the step as a number up to this, whatever T is: the published codes count ten steps


def betas(schedule: Schedule, steps: int) -> list[float]:
    r"""The share of noise β_t that each of T = ``steps`` steps adds, t = 1 … T.

    ``vp``: :math:`1 - \exp(-0.1/T - \tfrac12 9.9 (2t - 1)/T^2)`; ``linear``: 1e-4 to 2e-2 evenly; ``cosine``: of
    :math:`f(t) = \cos^2((t/T + 0.008)/1.008 \cdot \pi/2)`, 1 − f(t)/f(t − 1), at most 0.999.
    """
    times = range(1, steps + 1)
    if schedule == "vp":
        return [1.0 - math.exp(-0.1 / steps - 0.5 * 9.9 * (2 * t - 1) / steps**2) for t in times]
    if schedule == "linear":
        return [1e-4 + (2e-2 - 1e-4) * (t - 1) / max(steps - 1, 1) for t in times]
    f = [math.cos((t / steps + 0.008) / 1.008 * math.pi / 2.0) ** 2 for t in range(steps + 1)]
    return [min(max(1.0 - f[t] / f[t - 1], 0.0), 0.999) for t in times]


def kept(schedule: Schedule, steps: int) -> tuple[list[float], list[float]]:
    """What is kept of the action: α_t = 1 − β_t and their running product ᾱ_t, t = 0 … T."""
    alpha = [1.0, *(1.0 - beta for beta in betas(schedule, steps))]
    return alpha, list(itertools.accumulate(alpha, operator.mul))


def noised(actions: Tensor, noise: Tensor, signal: Tensor) -> Tensor:
    """The mixture √ᾱ a + √(1 − ᾱ) ε of ``actions`` and ``noise`` (M, D) at ᾱ = ``signal`` (M, 1)."""
    return signal.sqrt() * actions + (1.0 - signal).sqrt() * noise


def step_back(
    x: Tensor,
    estimate: Tensor,
    noise: Tensor | None,
    alpha: float,
    signal: tuple[float, float],
    clip: tuple[bool, bool],
) -> Tensor:
    """One step of the published sampler, from step t to t − 1.

    Parameters
    ----------
    x, estimate : Tensor
        Where the action is, and the noise that the network sees in it, both (..., D).
    noise : Tensor or None
        Standard normal, like ``x``; None at the last step.
    alpha : float
        α_t.
    signal : tuple of float
        ᾱ_t and ᾱ_{t−1}.
    clip : tuple of bool
        Before: the clean action that is seen is clipped to [-1, 1], and x moves to the mean of the posterior that it makes.
        Without, x moves onto the clean action itself, whose error grows from step to step. After: x is clipped when the step
        is done.
    """
    now, then = signal
    moved = (x - math.sqrt(1.0 - now) * estimate) / math.sqrt(now)
    if clip[0]:
        clean = math.sqrt(then) * (1.0 - alpha) * moved.clamp(-1.0, 1.0)
        moved = (clean + math.sqrt(alpha) * (1.0 - then) * x) / (1.0 - now)
    if noise is not None:
        moved = moved + math.sqrt(1.0 - alpha) * noise
    return moved.clamp(-1.0, 1.0) if clip[1] else moved


class Frequencies(FreeVector):
    """Learned frequencies ω of the time, and the features that they make of it.

    Parameters
    ----------
    generator : torch.Generator, optional
        Draws the initial ones.
    """

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__(FEATURES)
        if generator is not None:
            with torch.no_grad():
                self.net.arrays()["0.bias"].normal_(0.0, SPREAD, generator=generator)

    def forward(self, share: Tensor) -> Tensor:
        """Return [cos 2π t ω, sin 2π t ω], (M, 64), of the times t = 10 ``share``, (M, 1), share in [0, 1]."""
        angle = (2.0 * math.pi * TIME) * share * super().forward(share)
        return torch.cat((torch.cos(angle), torch.sin(angle)), 1)


class Clock(nn.Module):
    """What the noise network is told of the time: an MLP on the features.

    Parameters
    ----------
    hidden : tuple of int
        Widths, the last one that of the output.
    generator : torch.Generator, optional
        Draws the initial weights.
    """

    def __init__(self, hidden: tuple[int, ...], generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.net = Mlp(MlpShape(2 * FEATURES, hidden[-1], hidden[:-1], "mish", "none"), generator)

    def forward(self, features: Tensor) -> Tensor:
        """Return (M, width) at ``features`` (M, 64)."""
        result: Tensor = self.net(features)
        return result


class NoiseEstimate(nn.Module):
    """The noise that stands in a noised action.

    Parameters
    ----------
    observation_dim, action_dim : int
        S and D.
    hidden : tuple of int
        Widths; the last one is also that of the clock's output.
    generator : torch.Generator, optional
        Draws the initial weights.
    """

    def __init__(
        self,
        observation_dim: int,
        action_dim: int,
        hidden: tuple[int, ...],
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.observation_dim, self.action_dim = observation_dim, action_dim
        inputs = action_dim + observation_dim + hidden[-1]
        self.net = Mlp(MlpShape(inputs, action_dim, hidden, "mish", "none"), generator)

    def forward(self, observations: Tensor, actions: Tensor, clock: Tensor) -> Tensor:
        """Return ε (M, D) at ``observations`` (M, S), noised ``actions`` (M, D) and the ``clock``'s word (M, width)."""
        result: Tensor = self.net(torch.cat((actions, observations, clock), 1))
        return result
