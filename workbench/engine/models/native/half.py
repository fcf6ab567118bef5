"""Weights that bf16 can say, once more as bf16 numbers: decisions at few states wait for weights, and these are half as long."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from workbench.engine.models.native.build import library, reason
from workbench.engine.models.native.operations import knows, passes_of

if TYPE_CHECKING:
    from workbench.engine.models.mlp import MlpShape


class HalfWeights(NamedTuple):
    """Weights of a network as they were when it was rounded.

    Attributes
    ----------
    numbers : Tensor
        (P,), bf16 numbers in C's order.
    where, version : int
        Memory and version of the fp32 weights that they are.
    """

    numbers: Tensor
    where: int
    version: int

    def of(self, theta: Tensor) -> Tensor | None:
        """The packed weights, unless ``theta`` holds others by now."""
        same = not theta.is_inference() and (theta.data_ptr(), theta._version) == (self.where, self.version)
        return self.numbers if same else None


def slow_because(device: torch.device) -> str:
    """Why bf16 weights make no decision on ``device`` faster, in words; empty where they may."""
    why = reason() if device.type == "cpu" else f"the device is {device.type}"
    return f"bf16 weights are computed with in fp32, which is no faster: {why}" if why else ""


def may_pack(shape: MlpShape, theta: Tensor) -> bool:
    """Whether C has passes for such a network and its weights have a version."""
    return library() is not None and not theta.is_inference() and knows(shape, theta, theta, 0)


def pack(number: int, theta: Tensor) -> HalfWeights:
    """The weights ``theta`` (P,), already rounded, of the network whose passes have the ``number``."""
    found = library()
    assert found is not None
    packed = torch.zeros(theta.shape, dtype=torch.bfloat16)
    found.pack(passes_of(number).where, theta.data_ptr(), packed.data_ptr())
    return HalfWeights(packed, theta.data_ptr(), theta._version)
