"""The only randomness of steering, passed in as an argument: the same noise under two rules gives paired particles."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Noise(NamedTuple):
    """Random numbers for one call of `steer` or `act`.

    Attributes
    ----------
    start : Tensor
        (B, N, D), standard normal: where each particle begins.
    choice : Tensor
        (B, N), uniform on (0, 1): decides a random choice of the particle.
    """

    start: Tensor
    choice: Tensor


def draw_noise(states: int, particles: int, action_dim: int, generator: torch.Generator) -> Noise:
    """Draw the noise for B = ``states``, N = ``particles``, D = ``action_dim`` from ``generator``, on its device."""
    device = generator.device
    start = torch.randn(states, particles, action_dim, generator=generator, device=device)
    return Noise(start, torch.rand(states, particles, generator=generator, device=device))
