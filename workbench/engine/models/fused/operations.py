"""The kernels as operations of PyTorch, which a recording sees like any other; where there is no Triton they are not used."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import torch
from torch import Tensor

KNOWN = ("relu", "gelu")
WIDEST = 4096  # features of a row that one block of threads takes
TILE = 2048  # numbers of a block of threads: small, so that a batch fills many processors
PARTS = 128  # parts of the rows of all members, about as many as a GPU has processors, that are added up in the end
COLUMNS = 32  # features of a block that adds up
EPS = 1e-6  # flax's LayerNorm epsilon, as in `workbench.engine.models.mlp`


@functools.cache
def kernels() -> Any:
    """The module of kernels; None without Triton, which torch brings where it is built for CUDA."""
    try:
        from workbench.engine.models.fused import kernels as found
    except ImportError:
        return None
    return found


@functools.cache
def reason() -> str:
    """Why the kernels cannot be used on this machine; "" where they can. The first question tries one, and warns if it fails."""
    if kernels() is None:
        return "Triton is missing"
    if not torch.cuda.is_available():
        return "there is no CUDA device"
    try:
        row = torch.zeros(1, 16, device="cuda")
        _finish(row, row, None, None, "relu")
    except Exception as error:  # Triton calls a C compiler, and that may fail in any way
        words = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        warnings.warn(
            f"layers are computed by PyTorch's kernels, more slowly, for Triton cannot be used: {words}", stacklevel=2
        )
        return words
    return ""


def may_fuse_adam(grad: Tensor | None) -> bool:
    """Whether `adam_step` can take such a gradient."""
    return grad is not None and is_ours(grad) and not reason()


def is_ours(x: Tensor) -> bool:
    """Whether ``x`` holds numbers that the kernels take: fp32, on CUDA."""
    return x.is_cuda and x.dtype is torch.float32


def finish(
    product: Tensor, bias: Tensor, scale: Tensor | None, shift: Tensor | None, activation: str
) -> tuple[Tensor, Tensor, Tensor]:
    """What follows a layer's product: bias, LayerNorm where there is a ``scale``, activation.

    Parameters
    ----------
    product : Tensor
        (M, W) or (K, M, W), without the bias.
    bias, scale, shift : Tensor
        (1, W) or (K, 1, W); the last two, or None without LayerNorm.
    activation : {"relu", "gelu"}

    Returns
    -------
    (Tensor, Tensor, Tensor)
        As ``product``, and the rows' means and 1/deviations, (M,) or (K, M); empty without LayerNorm.
    """
    result: tuple[Tensor, Tensor, Tensor] = torch.ops.workbench.finish(product, bias, scale, shift, activation)
    return result


def finish_back(
    grad: Tensor,
    product: Tensor,
    weights: tuple[Tensor, Tensor | None, Tensor | None],
    rows: tuple[Tensor, Tensor],
    activation: str,
    into: tuple[Tensor, Tensor | None, Tensor | None] | None,
) -> Tensor:
    """The gradient in ``product`` of `finish`, from that in its result.

    Parameters
    ----------
    grad, product : Tensor
        (M, W) or (K, M, W).
    weights : (Tensor, Tensor or None, Tensor or None)
        Bias, scale and shift, as there.
    rows : (Tensor, Tensor)
        Means and 1/deviations, as returned there.
    activation : {"relu", "gelu"}
    into : (Tensor, Tensor or None, Tensor or None), optional
        Where the gradients in bias, scale and shift are written.
    """
    d_bias, d_scale, d_shift = into if into is not None else (None, None, None)
    result: Tensor = torch.ops.workbench.finish_back(
        grad, product, *weights, *rows, activation, d_bias, d_scale, d_shift
    )
    return result


def adam_step(
    weight: Tensor,
    grad: Tensor,
    first: Tensor,
    second: Tensor,
    count: Tensor,
    rate: Tensor,
    betas: tuple[float, float],
    eps: float,
) -> None:
    """Adam's step number ``count`` () on one flat parameter (P,), at the learning rate ``rate`` ()."""
    torch.ops.workbench.adam(weight, grad, first, second, count, rate, *betas, eps)


def _sizes(x: Tensor) -> tuple[int, int, int]:
    return (1, *x.shape) if x.dim() == 2 else (x.shape[0], x.shape[1], x.shape[2])


def _tile(rows: int, width: int) -> tuple[int, int]:
    block = max(16, _power(width))
    return min(max(1, TILE // block), _power(rows)), block


def _power(number: int) -> int:
    """The least power of two that is not below ``number``."""
    return 1 << (number - 1).bit_length()


def _in_a_row(
    bias: Tensor, scale: Tensor | None, shift: Tensor | None, written: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """The three, each in a row in memory, as the kernels read or write them; without LayerNorm they look at the first alone."""
    if written and not all(one is None or one.is_contiguous() for one in (bias, scale, shift)):
        raise ValueError("gradients are written into arrays that lie in a row in memory")
    bias = bias.contiguous()
    return (bias, bias, bias) if scale is None or shift is None else (bias, scale.contiguous(), shift.contiguous())


def _finish(
    product: Tensor, bias: Tensor, scale: Tensor | None, shift: Tensor | None, activation: str
) -> tuple[Tensor, Tensor, Tensor]:
    members, rows, width = _sizes(product)
    product, out = product.contiguous(), torch.empty_like(product, memory_format=torch.contiguous_format)
    kept = product.shape[:-1] if scale is not None else (0,)
    mean, rstd = product.new_empty(kept), product.new_empty(kept)
    if rows:
        tile, block = _tile(rows, width)
        kernels().forward_layer[(-(-rows // tile), members)](
            product,
            *_in_a_row(bias, scale, shift),
            out,
            mean,
            rstd,
            rows,
            width,
            EPS,
            NORMED=scale is not None,
            GELU=activation == "gelu",
            TILE=tile,
            BLOCK=block,
        )
    return out, mean, rstd


def _finish_back(
    grad: Tensor,
    product: Tensor,
    bias: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    mean: Tensor,
    rstd: Tensor,
    activation: str,
    d_bias: Tensor | None,
    d_scale: Tensor | None,
    d_shift: Tensor | None,
) -> Tensor:
    members, rows, width = _sizes(product)
    grad, product = grad.contiguous(), product.contiguous()
    out = torch.empty_like(product)
    if not rows:
        for into in (d_bias, d_scale, d_shift):
            if into is not None:
                into.zero_()
        return out
    tile, block = _tile(rows, width)
    wanted, tiles = d_bias is not None, -(-rows // tile)
    rounds = -(-tiles // max(1, PARTS // members)) if wanted else 1
    parts = -(-tiles // rounds)
    sums = product.new_empty(members * parts * 3 * width if wanted else 0)
    kernels().backward_layer[(parts, members)](
        grad,
        product,
        *_in_a_row(bias, scale, shift),
        mean,
        rstd,
        out,
        sums,
        rows,
        width,
        NORMED=scale is not None,
        GELU=activation == "gelu",
        SUMS=wanted,
        ROUNDS=rounds,
        TILE=tile,
        BLOCK=block,
    )
    if d_bias is not None:
        kernels().add_parts[(-(-width // COLUMNS), members)](
            sums,
            *_in_a_row(d_bias, d_scale, d_shift, written=True),
            width,
            NORMED=scale is not None,
            ALL=parts,
            PARTS=min(64, _power(parts)),
            BLOCK=COLUMNS,
        )
    return out


def _adam(
    weight: Tensor,
    grad: Tensor,
    first: Tensor,
    second: Tensor,
    count: Tensor,
    rate: Tensor,
    beta_1: float,
    beta_2: float,
    eps: float,
) -> None:
    size, grad = weight.numel(), grad.contiguous()
    kernels().adam[(-(-size // 1024),)](
        weight, grad, first, second, count, rate, size, BETA_1=beta_1, BETA_2=beta_2, EPS=eps, BLOCK=1024
    )


_OWN = torch.library.Library("workbench", "FRAGMENT")
_OWN.define(
    "finish(Tensor product, Tensor bias, Tensor? scale, Tensor? shift, str activation) -> (Tensor, Tensor, Tensor)"
)
_OWN.define(
    "finish_back(Tensor grad, Tensor product, Tensor bias, Tensor? scale, Tensor? shift, Tensor mean, Tensor rstd, "
    "str activation, Tensor(a!)? d_bias, Tensor(b!)? d_scale, Tensor(c!)? d_shift) -> Tensor"
)
_OWN.define(
    "adam(Tensor(a!) weight, Tensor grad, Tensor(b!) first, Tensor(c!) second, Tensor count, Tensor rate, "
    "float beta_1, float beta_2, float eps) -> ()"
)
WORK = {"finish": _finish, "finish_back": _finish_back, "adam": _adam}
for _name, _work in WORK.items():
    _OWN.impl(_name, _work, "CUDA")
