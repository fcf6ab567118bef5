"""Pulling a gradient back through the one-step estimate by a tamed Jacobian."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.engine.models.parts import Reference, velocity_at


def polar_pull(ahead: Tensor, leaf: Tensor, direction: Tensor) -> Tensor:
    """``direction`` (B, N, D) through the rotation (or reflection) nearest to J = ∂ ``ahead`` / ∂ ``leaf``, transposed.

    Parameters
    ----------
    ahead, leaf : Tensor
        (B, N, D), the estimate, not clipped, and what it was made of.
    direction : Tensor
        (B, N, D).
    """
    columns = []
    for i in range(direction.shape[-1]):
        unit = torch.zeros_like(direction)
        unit[..., i] = 1.0
        columns.append(torch.autograd.grad(ahead, leaf, unit, retain_graph=True)[0])
    u, _, v = torch.linalg.svd(torch.stack(columns, -2))
    pulled: Tensor = ((u @ v).mT @ direction[..., None])[..., 0]
    return pulled


def smooth_pull(
    reference: Reference, rows: Tensor, places: Tensor, step: tuple[float, float], direction: Tensor
) -> Tensor:
    """``direction`` (B, N, D) through the mean of the estimate's Jacobians, clip included, at ``places`` (B, N, M, D).

    Parameters
    ----------
    reference : Reference
    rows : Tensor
        (B·N, S).
    places : Tensor
        (B, N, M, D).
    step : tuple of float
        Where the flow's step begins and ends.
    direction : Tensor
        (B, N, D).
    """
    samples, (t, until) = places.shape[2], step
    many = rows.repeat_interleave(samples, 0)
    with torch.enable_grad():
        leaf = places.detach().requires_grad_()
        flat = leaf.flatten(0, 2)
        clean = (flat + (1.0 - t) * velocity_at(reference, many, flat, t, until)).clamp(-1.0, 1.0).view(places.shape)
    (pulled,) = torch.autograd.grad(clean, leaf, direction[:, :, None].expand(places.shape))
    return pulled.mean(2)
