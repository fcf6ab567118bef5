"""The forward and backward pass of a stack of MLPs as one call into C each.

On small networks most of an update of ours was the cost of calling PyTorch's operations, on large ones a fifth of it LayerNorm
and activation going through memory. The numbers agree with those operations to float rounding, and do not depend on the number
of threads.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from workbench.engine.models.native.build import library

if TYPE_CHECKING:
    from workbench.engine.models.mlp import MlpShape

MOST_LAYERS = 16  # as in passes.c
KNOWN = ("relu", "gelu")  # activations
MOST = 2_500_000  # numbers of hidden layers: what is kept of more is above 32 MiB, memory that the system maps anew each time


class _Net(ctypes.Structure):
    _fields_ = (
        ("members", ctypes.c_int),
        ("layers", ctypes.c_int),
        ("gelu", ctypes.c_int),
        ("width", ctypes.c_int * (MOST_LAYERS + 1)),
        ("weight", ctypes.c_long * MOST_LAYERS),
        ("bias", ctypes.c_long * MOST_LAYERS),
        ("scale", ctypes.c_long * MOST_LAYERS),
        ("shift", ctypes.c_long * MOST_LAYERS),
    )


class NativePasses:
    """The passes of one shape.

    Parameters
    ----------
    shape : MlpShape
    places : dict of str to int
        Where each array begins in the flat parameter.
    """

    def __init__(self, shape: MlpShape, places: dict[str, int]) -> None:
        found = library()
        assert found is not None
        self._library, layers = found, len(shape.hidden) + 1
        self._members, self._inputs, self._outputs = shape.members, shape.inputs, shape.outputs
        self._net = _Net(shape.members, layers, shape.activation == "gelu")
        self._net.width[: layers + 1] = (shape.inputs, *shape.hidden, shape.outputs)
        for kind in ("weight", "bias", "scale", "shift"):
            getattr(self._net, kind)[:layers] = [places.get(f"{i}.{kind}", -1) for i in range(layers)]
        self.where = ctypes.addressof(self._net)
        self._sizes: dict[tuple[int, int, bool], tuple[int, int, int]] = {}

    def _room(self, rows: int, threads: int, weights: bool) -> tuple[int, int, int]:
        """Numbers that are kept, and of working memory forward and back."""
        key = (rows, threads, weights)
        if key not in self._sizes:
            of = self._library
            self._sizes[key] = (
                of.kept_size(self.where, rows),
                of.forward_scratch(self.where, threads),
                of.backward_scratch(self.where, rows, threads, weights),
            )
        return self._sizes[key]

    def forward(self, theta: Tensor, x: Tensor, keep: bool) -> tuple[Tensor, Tensor]:
        """Evaluate at ``x``, (M, I) or (K, M, I): outputs of the same number of axes, and with ``keep`` what `backward` needs."""
        if x.stride(-1) != 1:
            x = x.contiguous()
        rows, threads = x.shape[-2], torch.get_num_threads()
        kept_size, scratch_size, _ = self._room(rows, threads, False)
        y = torch.empty((*x.shape[:-1], self._outputs))
        kept = torch.empty(kept_size if keep else 0)
        scratch = torch.empty(scratch_size)
        self._library.forward(
            self.where,
            theta.data_ptr(),
            None,
            x.data_ptr(),
            x.stride(-2),
            x.stride(0) if x.dim() == 3 else 0,
            rows,
            y.data_ptr(),
            kept.data_ptr() if keep else None,
            scratch.data_ptr(),
            threads,
        )
        return y, kept

    def backward(self, theta: Tensor, grad: Tensor, kept: Tensor, weights: bool, inputs: bool) -> tuple[Tensor, Tensor]:
        """Push ``grad``, (M, O) or (K, M, O), back: gradients in the input and the weights (P,), or empty."""
        grad = grad.contiguous()
        rows, threads = grad.shape[-2], torch.get_num_threads()
        scratch = torch.empty(self._room(rows, threads, weights)[2])
        d_x = torch.empty((*grad.shape[:-1], self._inputs) if inputs else 0)
        d_theta = torch.empty(theta.shape if weights else 0)
        self._library.backward(
            self.where,
            theta.data_ptr(),
            None,
            grad.data_ptr(),
            rows,
            kept.data_ptr(),
            d_theta.data_ptr() if weights else None,
            d_x.data_ptr() if inputs else None,
            scratch.data_ptr(),
            threads,
        )
        return d_x, d_theta

    def backward_chosen(self, theta: Tensor, member: Tensor, kept: Tensor) -> Tensor:
        """The gradient (M, I) of the one output of each row's own ``member`` (M,)."""
        rows, threads = len(member), torch.get_num_threads()
        d_x, order = torch.empty(rows, self._inputs), torch.empty(rows, dtype=torch.int64)
        scratch = torch.empty(self._library.chosen_scratch(self.where, threads))
        self._library.backward_chosen(
            self.where,
            theta.data_ptr(),
            None,
            member.contiguous().data_ptr(),
            rows,
            kept.data_ptr(),
            d_x.data_ptr(),
            scratch.data_ptr(),
            order.data_ptr(),
            threads,
        )
        return d_x
