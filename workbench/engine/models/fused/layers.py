"""A stack of MLPs on a GPU: each hidden layer is a product and one kernel, and two products and two kernels on the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from workbench.engine.models.fused import operations

if TYPE_CHECKING:
    from workbench.engine.models.mlp import Layer, MlpShape


class Hidden(NamedTuple):
    """Of a hidden layer: what entered, its product without the bias, and the rows' means and 1/deviations."""

    x: Tensor
    product: Tensor
    mean: Tensor
    rstd: Tensor


class FusedKept(NamedTuple):
    """What `fused_back` needs: of each hidden layer, and what entered the last one."""

    hidden: list[Hidden]
    last: Tensor


def may_fuse(shape: MlpShape, x: Tensor) -> bool:
    """Whether a layer's bias, LayerNorm and activation at ``x`` may be one kernel.

    They may for fp32 numbers on CUDA, when nobody looks inside: no tracer, ``torch.func`` or forward-mode autograd.
    """
    return (
        operations.is_ours(x)
        and shape.activation in operations.KNOWN
        and not shape.norm_after
        and max(shape.hidden, default=0) <= operations.WIDEST
        and not torch.compiler.is_compiling()
        and torch._C._functorch.peek_interpreter_stack() is None
        and forward_ad._current_level < 0
        and not operations.reason()
    )


def fused_run(x: Tensor, layers: list[Layer], shape: MlpShape, keep: bool) -> tuple[Tensor, FusedKept]:
    """Evaluate the stack at ``x``, (M, I) for one member, (K, M, I) for a stack: outputs, and what the way back needs.

    The numbers are those of `workbench.engine.models.mlp.forward` to float rounding.
    """
    product, hidden = torch.mm if x.dim() == 2 else torch.bmm, []
    for layer in layers[:-1]:
        y = product(x, layer.weight)
        out, mean, rstd = operations.finish(y, layer.bias, layer.scale, layer.shift, shape.activation)
        if keep:
            hidden.append(Hidden(x, y, mean, rstd))
        x = out
    bias, weight = layers[-1].bias, layers[-1].weight
    if x.dim() == 2:
        return torch.addmm(bias[0], x, weight), FusedKept(hidden, x)
    if weight.shape[2] == 1 < x.shape[1]:  # a batch of products with one column is slower than this
        return torch.baddbmm(bias, weight.mT, x.mT).mT, FusedKept(hidden, x)
    return torch.baddbmm(bias, x, weight), FusedKept(hidden, x)


def fused_back(
    grad: Tensor, kept: FusedKept, layers: list[Layer], shape: MlpShape, into: list[Layer] | None, need_input: bool
) -> Tensor | None:
    """As `workbench.engine.models.mlp.backward`, of what `fused_run` kept."""
    product = torch.mm if grad.dim() == 2 else torch.bmm
    weight = layers[-1].weight
    if into is not None:
        torch.sum(grad, -2, keepdim=True, out=into[-1].bias)
        product(kept.last.mT, grad, out=into[-1].weight)
    if not kept.hidden and not need_input:
        return None
    grad = grad * weight.mT if grad.shape[-1] == 1 else product(grad, weight.mT)
    for i in range(len(kept.hidden) - 1, -1, -1):
        layer, (x, before, mean, rstd) = layers[i], kept.hidden[i]
        sums = None if into is None else (into[i].bias, into[i].scale, into[i].shift)
        weights = (layer.bias, layer.scale, layer.shift)
        grad = operations.finish_back(grad, before, weights, (mean, rstd), shape.activation, sums)
        if into is not None:
            product(x.mT, grad, out=into[i].weight)
        if i > 0 or need_input:
            grad = product(grad, layer.weight.mT)
    return grad if need_input else None
