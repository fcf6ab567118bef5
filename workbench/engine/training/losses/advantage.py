"""How much more a loss counts the data's actions that are better than average."""

from __future__ import annotations

import math

import torch
from torch import Tensor

WEIGHT_LIMIT = 100.0  # the published codes clip the weights here


def advantage_weight(scaled: Tensor) -> Tensor:
    """Weights min(exp(x), 100) of the scaled advantages x = ``scaled`` (M,).

    The exponent is clipped instead of its exponential: the same weights, and never infinite.
    """
    return torch.exp(scaled.clamp_max(math.log(WEIGHT_LIMIT)))
