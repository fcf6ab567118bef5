"""Choosing one particle per state."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Pick = Literal["greedy", "softmax", "uniform"]


def pick_particle(q: Tensor | None, choice: Tensor, how: Pick, temperature: float) -> Tensor:
    """Pick a particle per state (methods.md, section 4, selection).

    Parameters
    ----------
    q : Tensor or None
        (B, N) aggregated Q of the particles; not needed for "uniform".
    choice : Tensor
        (B, N) uniform numbers in (0, 1) from the noise.
    how : {"greedy", "softmax", "uniform"}
        arg max Q; proportional to exp(Q / temperature), by the Gumbel trick; or each with probability 1/N.
    temperature : float
        Units of Q.

    Returns
    -------
    Tensor
        (B,) indices.
    """
    if how == "uniform" or q is None:
        return choice.argmax(1)
    if how == "greedy":
        return q.argmax(1)
    tiny = torch.finfo(choice.dtype).tiny
    gumbel = -torch.log(-torch.log(choice.clamp(tiny, 1.0 - 1e-7)))
    return (q / temperature + gumbel).argmax(1)
