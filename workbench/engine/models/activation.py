"""Activations with their derivatives, as pairs of a forward and a backward function.

The tanh form of GELU is written with the logistic function, 0.5 (1 + tanh u) = sigmoid(2u): the same function to float
rounding, at half the time of ``torch.nn.functional.gelu(approximate="tanh")`` on a CPU, because torch's vectorised
sigmoid is several times faster than its tanh, and because the backward pass reuses it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

LINEAR = 2.0 * math.sqrt(2.0 / math.pi)
CUBIC = 0.044715 * LINEAR
FEW = 4096  # entries up to which torch's own GELU wins, since it is one call instead of five


def activated(x: Tensor, name: str) -> Tensor:
    """The activation ``name`` by PyTorch's own operation, for autograd: ``relu``, ``gelu`` (its tanh form) or ``mish``."""
    match name:
        case "relu":
            return torch.relu(x)
        case "gelu":
            return torch.nn.functional.gelu(x, approximate="tanh")
        case "mish":
            return torch.nn.functional.mish(x)
    raise ValueError(f"no activation is named {name!r}")


class Activation(NamedTuple):
    """``forward(x) -> (y, saved)`` and ``backward(grad_y, saved) -> grad_x``, elementwise."""

    forward: Callable[[Tensor], tuple[Tensor, tuple[Tensor, ...]]]
    backward: Callable[[Tensor, tuple[Tensor, ...]], Tensor]


def _relu(x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    y = torch.relu(x)
    return y, (y,)


def _relu_backward(grad: Tensor, saved: tuple[Tensor, ...]) -> Tensor:
    result: Tensor = torch.ops.aten.threshold_backward(grad, saved[0], 0)
    return result


def _gelu(x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    if not torch.compiler.is_compiling() and (x.is_cuda or is_traced() or x.numel() <= FEW):
        return torch.nn.functional.gelu(x, approximate="tanh"), (x,)
    gate = torch.addcmul(_linear(x), x, x, value=CUBIC).mul_(x).sigmoid_()
    y = x * gate
    return y, (x, y, gate)


def _gelu_backward(grad: Tensor, saved: tuple[Tensor, ...]) -> Tensor:
    if len(saved) == 1:
        result: Tensor = torch.ops.aten.gelu_backward(grad, saved[0], approximate="tanh")
        return result
    x, y, gate = saved  # y' = gate + y (1 - gate) (LINEAR + 3 CUBIC x²)
    slope = torch.addcmul(_linear(x), x, x, value=3.0 * CUBIC)
    return torch.addcmul(gate, torch.addcmul(y, y, gate, value=-1.0), slope).mul_(grad)


def _linear(like: Tensor) -> Tensor:
    """LINEAR as a remembered tensor (): a Python number would be wrapped and cast anew at every call."""
    if is_traced():
        return torch.full((), LINEAR, dtype=like.dtype, device=like.device)
    key = (like.dtype, like.device)
    if key not in _CONSTANTS:
        _CONSTANTS[key] = torch.full((), LINEAR, dtype=like.dtype, device=like.device)
    return _CONSTANTS[key]


def is_traced() -> bool:
    """Whether a program or a recording is being made of what is done: tensors of that time must not be remembered."""
    if torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0:
        return True
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


def _mish(x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    return torch.nn.functional.mish(x), (x,)


def _mish_backward(grad: Tensor, saved: tuple[Tensor, ...]) -> Tensor:
    result: Tensor = torch.ops.aten.mish_backward(grad, saved[0])
    return result


_CONSTANTS: dict[tuple[torch.dtype, torch.device], Tensor] = {}
ACTIVATIONS = {
    "relu": Activation(_relu, _relu_backward),
    "gelu": Activation(_gelu, _gelu_backward),
    "mish": Activation(_mish, _mish_backward),
}
