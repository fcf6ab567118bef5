"""The IMPALA encoder of pictures, as in the three published codes (methods_more.md, section 17)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from workbench.engine.models.activation import activated

EncoderName = Literal["impala", "impala_small", "impala_debug", "impala_large"]
KERNEL = 3  # of every convolution and every pool


class Sizes(NamedTuple):
    """How large an encoder is: channels of its stacks, residual blocks in each, and width of its last layer."""

    channels: tuple[int, ...]
    blocks: int
    width: int


ENCODERS: dict[str, Sizes] = {
    "impala": Sizes((16, 32, 32), 2, 512),
    "impala_small": Sizes((16, 32, 32), 1, 512),
    "impala_debug": Sizes((4, 4), 1, 512),
    "impala_large": Sizes((64, 128, 128), 2, 1024),
}


@dataclass(frozen=True)
class Picture:
    """A picture, and the encoder that looks at it.

    Parameters
    ----------
    height, width, channels : int
        Of the picture; its numbers are 0 to 255.
    sizes : Sizes
        Of the encoder.
    activation : {"relu", "gelu", "mish"}
        Of its last layer, which is that of the networks behind it; in the stacks it is ReLU.
    """

    height: int
    width: int
    channels: int
    sizes: Sizes
    activation: Literal["relu", "gelu", "mish"]

    @property
    def size(self) -> int:
        """S, numbers of one picture."""
        return self.height * self.width * self.channels

    @property
    def features(self) -> int:
        """F, numbers that come out."""
        return self.sizes.width

    def layout(self) -> dict[str, tuple[int, int, int]]:
        """Name and shape (1, rows, columns) of every array: kernels (9·in, out), the picture's axes first as in flax."""
        arrays, channels = {}, self.channels
        for i, out in enumerate(self.sizes.channels):
            for j in range(1 + 2 * self.sizes.blocks):
                arrays[f"stack_{i}.conv_{j}.kernel"] = (1, KERNEL * KERNEL * channels, out)
                arrays[f"stack_{i}.conv_{j}.shift"] = (1, 1, out)
                channels = out
        height, width = self.height, self.width
        for _ in self.sizes.channels:
            height, width = -(-height // 2), -(-width // 2)
        arrays["features.kernel"] = (1, height * width * channels, self.sizes.width)
        arrays["features.shift"] = (1, 1, self.sizes.width)
        return {f"encoder.{name}": shape for name, shape in arrays.items()}


def first_bound(name: str, rows: int, columns: int) -> float:
    """Bound of the uniform first weights of a kernel: Glorot's, whose fan out of a convolution counts its 9 places."""
    return math.sqrt(6.0 / (rows + columns * (KERNEL * KERNEL if ".conv_" in name else 1)))


def encode(pixels: Tensor, picture: Picture, arrays: Mapping[str, Tensor]) -> Tensor:
    """Features (M, F) of ``pixels`` (M, S), 0 to 255, by the ``arrays`` of `Picture.layout` without their first axis."""
    p = picture
    floating = pixels if pixels.is_floating_point() else pixels.to(arrays["encoder.features.kernel"].dtype)
    x = floating.reshape(-1, p.height, p.width, p.channels).permute(0, 3, 1, 2) / 255.0
    for i in range(len(p.sizes.channels)):
        x = _pooled(_conv(x, arrays, f"encoder.stack_{i}.conv_0"))
        for block in range(p.sizes.blocks):
            before = x
            for j in (1 + 2 * block, 2 + 2 * block):
                x = _conv(torch.relu(x), arrays, f"encoder.stack_{i}.conv_{j}")
            x = x + before
    flat = torch.relu(x).permute(0, 2, 3, 1).flatten(1)
    last = torch.addmm(arrays["encoder.features.shift"], flat, arrays["encoder.features.kernel"])
    return activated(last, p.activation)


def _conv(x: Tensor, arrays: Mapping[str, Tensor], name: str) -> Tensor:
    kernel, shift = arrays[f"{name}.kernel"], arrays[f"{name}.shift"]
    weight = kernel.view(KERNEL, KERNEL, x.shape[1], -1).permute(3, 2, 0, 1)
    return F.conv2d(x, weight, shift[0], padding=1)


def _pooled(x: Tensor) -> Tensor:
    """The largest of 3 by 3 at every second place, padded as flax does: on even sizes nothing before, one behind."""
    height, width = ((-(-size // 2) - 1) * 2 + KERNEL - size for size in x.shape[2:])
    sides = (width // 2, width - width // 2, height // 2, height - height // 2)
    return F.max_pool2d(F.pad(x, sides, value=-math.inf), KERNEL, stride=2)
