"""The kernels, in Triton: what follows a matrix product in a layer, its way back, and Adam's step.

A layer's bias, LayerNorm and activation are five kernels by PyTorch's operations, and ten on the way back. On the sizes of these
networks each of them takes about two microseconds whatever it computes. Here they are one, and two.

Shapes: K members, M rows, W features; all arrays lie in a row in memory, as (K, M, W) and (K, W).
"""

from __future__ import annotations

import triton
import triton.language as tl

LINEAR = tl.constexpr(1.5957691216057308)  # 2 √(2/π): GELU's tanh form, written with the logistic function
CUBIC = tl.constexpr(0.07135481627260025)  # 0.044715 times that
FAR = tl.constexpr(10.0)  # where the gate is 0 or 1 to fp32: beyond it a square or an exponential could be infinite


@triton.jit
def gate(x):
    """GELU(x) / x."""
    near = tl.minimum(tl.maximum(x, -FAR), FAR)
    return tl.where(x > -FAR, 1.0 / (1.0 + tl.exp(-near * (LINEAR + CUBIC * near * near))), 0.0)


@triton.jit
def forward_layer(
    product,
    bias,
    scale,
    shift,
    out,
    mean,
    rstd,
    rows,
    width,
    eps,
    NORMED: tl.constexpr,
    GELU: tl.constexpr,
    TILE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """``out`` = activation(LayerNorm(``product`` + bias)) of TILE rows of one member, with the rows' mean and 1/deviation."""
    member = tl.program_id(1)
    row, column = tl.program_id(0) * TILE + tl.arange(0, TILE), tl.arange(0, BLOCK)
    there = (row < rows)[:, None] & (column < width)[None, :]
    at = (member.to(tl.int64) * rows + row)[:, None] * width + column[None, :]
    own = member * width + column
    x = tl.load(product + at, there, 0.0) + tl.load(bias + own, column < width, 0.0)[None, :]
    if NORMED:
        middle = tl.sum(tl.where(there, x, 0.0), 1) / width
        away = tl.where(there, x - middle[:, None], 0.0)
        factor = 1.0 / tl.sqrt(tl.sum(away * away, 1) / width + eps)
        tl.store(mean + member * rows + row, middle, row < rows)
        tl.store(rstd + member * rows + row, factor, row < rows)
        x = away * factor[:, None] * tl.load(scale + own, column < width, 0.0)[None, :]
        x += tl.load(shift + own, column < width, 0.0)[None, :]
    tl.store(out + at, x * gate(x) if GELU else tl.maximum(x, 0.0), there)


@triton.jit
def backward_layer(
    grad,
    product,
    bias,
    scale,
    shift,
    mean,
    rstd,
    out,
    sums,
    rows,
    width,
    NORMED: tl.constexpr,
    GELU: tl.constexpr,
    SUMS: tl.constexpr,
    ROUNDS: tl.constexpr,
    TILE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The gradient in ``product`` at ROUNDS times TILE rows; with SUMS those of bias, scale and shift, summed over these rows.

    The sums are (K, programs, 3, W).
    """
    member, piece, column = tl.program_id(1), tl.program_id(0), tl.arange(0, BLOCK)
    inside, own = column < width, member * width + column
    moved = tl.load(bias + own, inside, 0.0)[None, :]
    if NORMED:
        stretch = tl.load(scale + own, inside, 0.0)[None, :]
        lifted = tl.load(shift + own, inside, 0.0)[None, :]
    d_bias = tl.zeros([BLOCK], tl.float32)
    d_scale = tl.zeros([BLOCK], tl.float32)
    d_shift = tl.zeros([BLOCK], tl.float32)
    for number in range(ROUNDS):
        row = (piece * ROUNDS + number) * TILE + tl.arange(0, TILE)
        there = (row < rows)[:, None] & inside[None, :]
        at = (member.to(tl.int64) * rows + row)[:, None] * width + column[None, :]
        g = tl.load(grad + at, there, 0.0)
        x = tl.load(product + at, there, 0.0) + moved
        if NORMED:
            middle = tl.load(mean + member * rows + row, row < rows, 0.0)[:, None]
            factor = tl.load(rstd + member * rows + row, row < rows, 0.0)[:, None]
            hat = tl.where(there, (x - middle) * factor, 0.0)
            x = hat * stretch + lifted
        if GELU:
            part, near = gate(x), tl.minimum(tl.abs(x), FAR)
            g *= part + x * part * (1.0 - part) * (LINEAR + 3.0 * CUBIC * near * near)
        else:
            g = tl.where(x > 0.0, g, 0.0)
        if NORMED:
            if SUMS:
                d_scale += tl.sum(g * hat, 0)
                d_shift += tl.sum(g, 0)
            g *= stretch
            level, slope = tl.sum(g, 1)[:, None] / width, tl.sum(g * hat, 1)[:, None] / width
            g = tl.where(there, factor * (g - level - hat * slope), 0.0)
        if SUMS:
            d_bias += tl.sum(g, 0)
        tl.store(out + at, g, there)
    if SUMS:
        place = sums + (member * tl.num_programs(0) + piece) * 3 * width + column
        tl.store(place, d_bias, inside)
        if NORMED:
            tl.store(place + width, d_scale, inside)
            tl.store(place + 2 * width, d_shift, inside)


@triton.jit
def add_parts(
    sums,
    bias,
    scale,
    shift,
    width,
    NORMED: tl.constexpr,
    ALL: tl.constexpr,
    PARTS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Add up what `backward_layer` left of each of ALL parts of the rows, PARTS at a time."""
    member, column = tl.program_id(1), tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = column < width
    first = tl.zeros([BLOCK], tl.float32)
    second = tl.zeros([BLOCK], tl.float32)
    third = tl.zeros([BLOCK], tl.float32)
    for begin in range(0, ALL, PARTS):
        part = begin + tl.arange(0, PARTS)
        there = (part < ALL)[:, None] & inside[None, :]
        at = sums + ((member * ALL + part) * 3)[:, None] * width + column[None, :]
        first += tl.sum(tl.load(at, there, 0.0), 0)
        if NORMED:
            second += tl.sum(tl.load(at + width, there, 0.0), 0)
            third += tl.sum(tl.load(at + 2 * width, there, 0.0), 0)
    tl.store(bias + member * width + column, first, inside)
    if NORMED:
        tl.store(scale + member * width + column, second, inside)
        tl.store(shift + member * width + column, third, inside)


@triton.jit
def adam(
    weight,
    grad,
    first,
    second,
    count,
    rate,
    size,
    BETA_1: tl.constexpr,
    BETA_2: tl.constexpr,
    EPS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Adam's step number ``count`` (), at the learning rate ``rate`` ()."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there = place < size
    steps = tl.load(count).to(tl.float64)  # 1 - β^n of fp32 numbers would lose half its digits at the first steps
    step = (tl.load(rate) / (1.0 - tl.exp(steps * tl.log(tl.full([], BETA_1, tl.float64))))).to(tl.float32)
    spread = tl.sqrt(1.0 - tl.exp(steps * tl.log(tl.full([], BETA_2, tl.float64)))).to(tl.float32)
    g, m, v = tl.load(grad + place, there), tl.load(first + place, there), tl.load(second + place, there)
    m += (1.0 - BETA_1) * (g - m)
    v = BETA_2 * v + (1.0 - BETA_2) * g * g
    tl.store(first + place, m, there)
    tl.store(second + place, v, there)
    change = step * m / (tl.sqrt(v) / spread + EPS)
    tl.store(weight + place, tl.load(weight + place, there) - change, there)
