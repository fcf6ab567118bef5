"""The encoder of pictures equals the three codes' own (numbers of a run of it under flax): sizes, outputs, gradients."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from workbench.engine.models.impala import ENCODERS, Picture, Sizes, encode

HERE = Path(__file__).parent / "data" / "impala.npz"
with np.load(HERE, allow_pickle=False) as archive:
    Z = {name: torch.from_numpy(np.asarray(archive[name])) for name in archive.files}


def ours(name: str) -> str:
    """Our name of a published array."""
    place = name.replace("stack_blocks_", "stack_").replace("Conv_", "conv_").replace("MLP_0.Dense_0", "features")
    return f"encoder.{place.replace('.bias', '.shift')}"


def arrays(prefix: str) -> dict[str, Tensor]:
    found = {name.removeprefix(prefix): array for name, array in Z.items() if name.startswith(prefix)}
    return {ours(name): array.reshape(-1, array.shape[-1]) for name, array in found.items()}


def picture(kind: str) -> Picture:
    return Picture(*Z[f"in.{kind}"].shape[1:], Sizes((4, 4), 1, 32), "relu")


@pytest.mark.parametrize("kind", ["even", "odd"])
def test_features(kind: str) -> None:
    """An odd size is padded before and behind, an even one behind alone."""
    seen = picture(kind)
    held = arrays("params.")
    assert {name: (1, *array.shape) for name, array in held.items()} == seen.layout()
    for pixels in (Z[f"in.{kind}"], Z[f"in.{kind}"].float()):
        found = encode(pixels.flatten(1), seen, held)
        torch.testing.assert_close(found, Z[f"out.{kind}"], rtol=1e-5, atol=1e-5)


def test_gradients() -> None:
    held = {name: array.clone().requires_grad_() for name, array in arrays("params.").items()}
    encode(Z["in.even"].flatten(1), picture("even"), held).square().sum().backward()
    for name, theirs in arrays("grad.").items():
        grad = held[name].grad
        assert grad is not None
        torch.testing.assert_close(grad, theirs, rtol=2e-4, atol=1e-5 * float(theirs.abs().max()))


@pytest.mark.parametrize("name", ENCODERS)
def test_each_is_as_large_as_published(name: str) -> None:
    layout = Picture(64, 64, 3, ENCODERS[name], "gelu").layout()
    assert sum(k * rows * columns for k, rows, columns in layout.values()) == int(Z[f"count.{name}"])
