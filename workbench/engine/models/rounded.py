"""Networks with rounded weights, as a deployed policy may carry them: a half or a quarter of the size, and a little wrong."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from workbench.engine.models.mlp import Mlp, places
from workbench.engine.models.native.half import HalfWeights, may_pack, pack
from workbench.engine.models.native.operations import number_of
from workbench.engine.models.parts import Parts

Weights = Literal["bf16", "int8"]
CODES = 127  # int8 without -128, so that zero stays zero and both signs reach equally far


def with_rounded_weights(parts: Parts, weights: Weights) -> Parts:
    """Copies of the networks whose weight matrices hold only what bf16, or int8 with a scale for each output, can say.

    Biases, LayerNorm and what is no torch module stay as they are, and so does the arithmetic: it is the weights' error alone.
    With "bf16" a decision in C (`workbench.engine.steering.loop`) at few states reads weights of half the size, for the same
    numbers; after a change of the copies' weights it reads what they are then, in fp32.

    Parameters
    ----------
    parts : Parts
    weights : {"bf16", "int8"}

    Returns
    -------
    Parts
        The given ones are left alone.
    """

    def rounded(part: Any) -> Any:
        return _rounded(part, weights) if isinstance(part, nn.Module) else part

    return replace(
        parts,
        reference=rounded(parts.reference),
        critic=rounded(parts.critic),
        target_critic=rounded(parts.target_critic),
        value=rounded(parts.value),
        extra={name: rounded(part) for name, part in parts.extra.items()},
    )


@torch.no_grad()
def _rounded(module: nn.Module, weights: Weights) -> nn.Module:
    twin = copy.deepcopy(module)
    own: set[int] = set()
    for inner in twin.modules():
        if isinstance(inner, Mlp):
            own.add(id(inner.theta))
            for name, array in inner.arrays().items():
                if name.endswith(".weight"):
                    array.copy_(round_matrix(array, weights, inputs=1))
            if weights == "bf16":
                inner.packed = _packed(inner)
    for parameter in twin.parameters():
        if parameter.dim() > 1 and id(parameter) not in own:
            parameter.copy_(round_matrix(parameter, weights, inputs=-1))
    return twin


def _packed(mlp: Mlp) -> HalfWeights | None:
    if type(mlp) is not Mlp or not may_pack(mlp.shape, mlp.theta):
        return None
    return pack(number_of(mlp.shape, places), mlp.theta)


def round_matrix(matrix: Tensor, weights: Weights, inputs: int) -> Tensor:
    """``matrix`` rounded; with int8 each output has a scale of its own, over the dimension ``inputs``."""
    if weights == "bf16":
        return matrix.to(torch.bfloat16).to(matrix.dtype)
    if not matrix.numel():  # of a network without inputs
        return matrix
    scale = matrix.abs().amax(inputs, keepdim=True) / CODES
    return torch.where(scale > 0.0, (matrix / scale).round() * scale, matrix)
