"""The step along a direction: plain, or Adam with fresh moments for each transport."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Ascent = Literal["adam", "plain"]
BETA_1 = 0.9
BETA_2 = 0.999
EPS = 1e-8


class Moments(NamedTuple):
    """Adam's running moments over the particle array, each (B, N, D), and the number of steps taken."""

    first: Tensor
    second: Tensor
    steps: int


def fresh_moments(like: Tensor) -> Moments:
    """Zero moments, as at the start of every transport."""
    return Moments(torch.zeros_like(like), torch.zeros_like(like), 0)


def ascend(direction: Tensor, moments: Moments, size: float, how: Ascent) -> tuple[Tensor, Moments]:
    """Return the step (B, N, D) along ``direction`` and the new moments.

    With Adam the first step has length ``size`` in every coordinate whatever the direction's length is.
    """
    if how == "plain":
        return size * direction, moments._replace(steps=moments.steps + 1)
    steps = moments.steps + 1
    first = torch.lerp(moments.first, direction, 1.0 - BETA_1)
    second = torch.lerp(moments.second, direction.square(), 1.0 - BETA_2)
    scale = (second / (1.0 - BETA_2**steps)).sqrt_().add_(EPS)
    return size / (1.0 - BETA_1**steps) * first / scale, Moments(first, second, steps)
