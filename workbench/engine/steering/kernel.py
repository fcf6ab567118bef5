"""The RBF kernel of Stein variational gradient descent, its median bandwidth, and the repulsion between particles.

Methods.md, section 4 (VGF, arXiv 2604.14265). Shapes: B states, N particles, D action dimensions.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Repulsion = Literal["published", "fixed_bandwidth", "none"]
VARIANCE_FLOOR = 1e-12
PUBLISHED_EPS = 1e-6  # the published code adds this to 2σ² before dividing
PAIRS = 2**24  # pairs of particles to hold at a time: a rule with a kernel needs some 100 bytes for each


class Kernel(NamedTuple):
    """The kernel between all particles of a state.

    Attributes
    ----------
    values : Tensor
        (B, N, N), k(x_i, x_j) = exp(-gamma d_ij).
    distances : Tensor
        (B, N, N), squared distances d_ij.
    differences : Tensor
        (B, N, N, D), x_i - x_j.
    gamma : Tensor
        (B, 1, 1), 1 / (2σ² + 1e-6).
    middle : Tensor
        (B, 2), flat indices i·N + j of the two distances whose mean is the median.
    """

    values: Tensor
    distances: Tensor
    differences: Tensor
    gamma: Tensor
    middle: Tensor


def rbf(x: Tensor) -> Kernel:
    """Evaluate the kernel of particles ``x`` (B, N, D) with σ² = median(d) / (2 ln(N + 1)), floored at 1e-12.

    The median is over all N² squared distances, the zero diagonal included; of an even count it is the mean of the two
    middle values.
    """
    differences = x[:, :, None] - x[:, None]
    distances = differences.square().sum(-1)
    median, middle = _median(distances)
    variance = (median / (2.0 * math.log(x.shape[1] + 1.0))).clamp_min(VARIANCE_FLOOR)
    gamma = (1.0 / (2.0 * variance + PUBLISHED_EPS))[:, None, None]
    return Kernel(torch.exp(-gamma * distances), distances, differences, gamma, middle)


def _median(distances: Tensor) -> tuple[Tensor, Tensor]:
    """Median (B,) of all N² entries of ``distances`` (B, N, N), and where it stands, (B, 2).

    In sorted order N zeros come first (the diagonal), then each pair i < j twice: first (i, j), then (j, i). So only the
    N (N-1) / 2 pairs need sorting, a quarter of the work of the full matrix.
    """
    n = distances.shape[1]
    if n == 1:
        return distances[:, 0, 0], torch.zeros(distances.shape[0], 2, dtype=torch.long, device=distances.device)
    first, second = _pairs(n, distances.device)
    ordered, pair = distances.flatten(1)[:, first * n + second].sort(dim=1, stable=True)
    values, places = [], []
    for position in ((n * n - 1) // 2, n * n // 2):
        rank, copy = divmod(position - n, 2)
        if rank < 0:  # one of the zeros of the diagonal
            values.append(torch.zeros_like(ordered[:, 0]))
            places.append(torch.zeros_like(pair[:, 0]))
            continue
        i, j = first[pair[:, rank]], second[pair[:, rank]]
        values.append(ordered[:, rank])
        places.append(i * n + j if copy == 0 else j * n + i)
    return 0.5 * (values[0] + values[1]), torch.stack(places, 1)


def _pairs(n: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Indices i < j of all pairs of n particles, row by row."""
    i, j = torch.triu_indices(n, n, 1, device=device).unbind(0)
    return i, j


def repulsion(k: Kernel, how: Repulsion) -> Tensor:
    """Sum over the other particles of the repulsion, (B, N, D) (before VGF's division by N).

    ``fixed_bandwidth`` is textbook SVGD, Σ_j (x_i - x_j) k_ij / σ². ``published`` is minus the gradient of
    Σ_ij k(x_i, stopgrad(x_j)) through the bandwidth as well: the two particles i whose pairs (i, j) make the median get
    an extra push. Written in closed form, since it is on the path of every training step.
    """
    if how == "none":
        return torch.zeros_like(k.differences[:, :, 0])
    direct = 2.0 * k.gamma * (k.values[..., None] * k.differences).sum(2)
    if how == "fixed_bandwidth":
        return direct
    b, n, _, d = k.differences.shape
    # F = Σ exp(-γ d_ij), γ = 1/(2σ² + 1e-6), σ² = median / (2 ln(N+1)):  ∂F/∂median = Σ d k · 2 γ² / (2 ln(N+1))
    slope = (k.distances * k.values).sum((1, 2)) * 2.0 * k.gamma[:, 0, 0].square() / (2.0 * math.log(n + 1.0))
    above_floor = k.gamma[:, 0, 0] < 1.0 / (2.0 * VARIANCE_FLOOR + PUBLISHED_EPS) * (1.0 - 1e-6)
    slope = torch.where(above_floor, slope, torch.zeros_like(slope))
    pairs = k.middle[..., None].expand(b, 2, d)
    of_pair = k.differences.reshape(b, n * n, d).gather(1, pairs)  # ∂(mean of two)/∂x_i = 0.5 · 2 (x_i - x_j)
    owner = (k.middle // n)[..., None].expand(b, 2, d)
    return direct.scatter_add(1, owner, -slope[:, None, None] * of_pair)
