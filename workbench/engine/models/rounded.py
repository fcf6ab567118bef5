"""Networks with rounded weights, as a deployed policy may carry them: a half or a quarter of the size, and a little wrong."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from workbench.engine.models.mlp import Mlp
from workbench.engine.models.parts import Parts

Weights = Literal["bf16", "int8"]
CODES = 127  # int8 without -128, so that zero stays zero and both signs reach equally far


def with_rounded_weights(parts: Parts, weights: Weights) -> Parts:
    """Copies of the networks whose weight matrices hold only what bf16, or int8 with a scale for each output, can say.

    Biases, LayerNorm and what is no torch module stay as they are, and so does the arithmetic: it is the weights' error alone.

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
    for parameter in twin.parameters():
        if parameter.dim() > 1 and id(parameter) not in own:
            parameter.copy_(round_matrix(parameter, weights, inputs=-1))
    return twin


def round_matrix(matrix: Tensor, weights: Weights, inputs: int) -> Tensor:
    """``matrix`` rounded; with int8 each output has a scale of its own, over the dimension ``inputs``."""
    if weights == "bf16":
        return matrix.to(torch.bfloat16).to(matrix.dtype)
    if not matrix.numel():  # of a network without inputs
        return matrix
    scale = matrix.abs().amax(inputs, keepdim=True) / CODES
    return torch.where(scale > 0.0, (matrix / scale).round() * scale, matrix)
