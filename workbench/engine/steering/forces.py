"""Attraction and repulsion between the particles of a state, in bounded memory however many there are.

Where all pairs fit, the kernel is held whole (`workbench.engine.steering.kernel`). Where they don't, its rows are made a block at
a time and forgotten: the same sums, and the same median, which is found by its digits instead of by sorting all pairs.

Shapes: B states, N particles, D action dimensions, R rows of a block.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from workbench.engine.steering.kernel import PUBLISHED_EPS, VARIANCE_FLOOR, Repulsion, rbf, repulsion

DENSE = 2**22  # pairs of particles that are held at a time, at some 100 bytes each
BLOCK = 2**22  # numbers of a block of differences (R, N, D), of which three are held
DIGIT = 16  # bits that one pass over all pairs decides


def forces(x: Tensor, score: Tensor, how: Repulsion) -> tuple[Tensor, Tensor]:
    """What moves the particles ``x`` (B, N, D): Σ_j k(x_j, x_i) score_j, and the sum of `repulsion`, (B, N, D) each.

    Notes
    -----
    10⁴ particles of 4 dimensions have 10⁸ pairs, which would take 4 GB at once; this takes 73 MiB, whatever N is. The
    number of operations is N² either way.
    """
    b: Any = x.shape[0]
    n = x.shape[1]
    if isinstance(b, torch.SymInt) or b * n * n <= DENSE:  # a program for any number of states has no other way
        kernel = rbf(x)
        return kernel.values @ score, repulsion(kernel, how)
    if n * n <= DENSE:
        size = DENSE // (n * n)
        pieces = [forces(*piece, how) for piece in zip(x.split(size), score.split(size), strict=True)]
    else:
        pieces = [_of_one_state(*one, how) for one in zip(x, score, strict=True)]
        pieces = [(pulled[None], apart[None]) for pulled, apart in pieces]
    pulled, apart = zip(*pieces, strict=True)
    return torch.cat(pulled), torch.cat(apart)


def _of_one_state(x: Tensor, score: Tensor, how: Repulsion) -> tuple[Tensor, Tensor]:
    n = len(x)
    median, middle = median_pair(x)
    variance = (median / (2.0 * math.log(n + 1.0))).clamp_min(VARIANCE_FLOOR)
    gamma = 1.0 / (2.0 * variance + PUBLISHED_EPS)
    pulled, apart, slope = torch.empty_like(score), torch.zeros_like(x), x.new_zeros(())
    for first, differences, distances in _rows(x):
        last = first + len(distances)
        values = torch.exp(-gamma * distances)
        pulled[first:last] = values @ score
        if how != "none":
            apart[first:last] = 2.0 * gamma * (values[..., None] * differences).sum(1)
        slope = slope + (distances * values).sum()
    if how == "published" and bool(variance > VARIANCE_FLOOR):
        # as in `repulsion`: what the bandwidth adds for the pairs that make the median
        slope = slope * 2.0 * gamma.square() / (2.0 * math.log(n + 1.0))
        for i, j in middle:
            apart[i] -= slope * (x[i] - x[j])
    return pulled, apart


class Middle(NamedTuple):
    """An entry of the matrix of distances that the median is made of."""

    i: int
    j: int


def median_pair(x: Tensor) -> tuple[Tensor, tuple[Middle, Middle]]:
    """Median () of all N² squared distances of ``x`` (N, D), N > 2, zeros of the diagonal included, and the two entries whose
    mean it is.

    In sorted order N zeros come first, then each pair i < j twice: (i, j), then (j, i); of equal pairs the first one first.
    """
    n = len(x)
    values, places = [], []
    for position in ((n * n - 1) // 2, n * n // 2):
        rank, copy = divmod(position - n, 2)
        value, i, j = _pair_of_rank(x, rank)
        values.append(value)
        places.append(Middle(i, j) if copy == 0 else Middle(j, i))
    return 0.5 * (values[0] + values[1]), (places[0], places[1])


def _pair_of_rank(x: Tensor, rank: int) -> tuple[Tensor, int, int]:
    """The distance of that rank among all pairs i < j, counted from 0, and its pair.

    Numbers that are not negative are ordered as their bits are: so the bits are found from the highest down, by counting.
    """
    width = torch.finfo(x.dtype).bits
    integer = {16: torch.int16, 32: torch.int32, 64: torch.int64}[width]
    found, left = 0, rank
    for shift in range(width - DIGIT, -1, -DIGIT):
        counts = torch.zeros(2**DIGIT, dtype=torch.long, device=x.device)
        for _, pairs in _upper(x):
            bits = pairs.view(integer).long()
            counts += ((bits >> shift)[(bits >> (shift + DIGIT)) == found] - (found << DIGIT)).bincount(
                minlength=2**DIGIT
            )
        upto = counts.cumsum(0)
        digit = int((upto <= left).sum())
        left -= int(upto[digit - 1]) if digit else 0
        found = (found << DIGIT) | digit
    for first, pairs in _upper(x):
        same = (pairs.view(integer).long() == found).nonzero()[:, 0]
        if left < len(same):
            return pairs[same[left]], *_place(int(same[left]), first, len(x))
        left -= len(same)
    raise AssertionError("there are more pairs than this rank")


def _upper(x: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Blocks of the distances of pairs i < j, row by row: the first row, and its pairs and those of the rows after it."""
    for first, _, distances in _rows(x):
        rows, columns = distances.shape
        later = torch.ones(rows, columns, dtype=torch.bool, device=x.device).triu(first + 1)
        yield first, distances[later]


def _place(which: int, first: int, n: int) -> tuple[int, int]:
    """Row and column of pair ``which`` of the rows from ``first`` on."""
    row = first
    while which >= n - 1 - row:
        which -= n - 1 - row
        row += 1
    return row, row + 1 + which


def _rows(x: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Blocks of rows: the first one's number, differences x_i - x_j (R, N, D), and squared distances (R, N)."""
    size = max(1, BLOCK // x.numel())
    for first in range(0, len(x), size):
        differences = x[first : first + size, None] - x[None]
        yield first, differences, differences.square().sum(-1)
