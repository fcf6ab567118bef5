"""Calling the passes: directly, or as operations of PyTorch that a recording keeps whole instead of looking inside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from workbench.engine.models.activation import is_traced
from workbench.engine.models.native.build import library
from workbench.engine.models.native.passes import KNOWN, MOST, MOST_LAYERS, NativePasses
from workbench.engine.precision import is_bf16

if TYPE_CHECKING:
    from workbench.engine.models.mlp import MlpShape

_NUMBERS: dict[MlpShape, int] = {}  # the place of a shape's passes in `_PASSES`: a recording holds numbers
_PASSES: list[NativePasses] = []
_GROWS = threading.Lock()
_HERE = threading.local()


def may_run(shape: MlpShape, theta: Tensor, x: Tensor, keep: bool) -> bool:
    """Whether the passes are there, these are plain fp32 numbers on the CPU, multiplied as such, and nobody looks inside.

    Those who look are tracers, `torch.func` and forward-mode autograd.
    """
    return (
        torch._C._functorch.peek_interpreter_stack() is None
        and x.shape[:-2].numel() == shape.members
        and may_run_stacked(shape, theta, x, keep)
    )


def may_run_stacked(shape: MlpShape, theta: Tensor, x: Tensor, keep: bool) -> bool:
    """As `may_run`, for who leaves ``torch.func`` by himself."""
    return (
        library() is not None
        and x.shape[-2] > 0
        and x.shape[-1] == shape.inputs  # of another number PyTorch says so; C would read on
        and knows(shape, theta, x, x.shape[-2] if keep else 0)
        and (not is_traced() or _is_recorded())
        and forward_ad._current_level < 0
        and not is_bf16()
    )


def may_decide() -> bool:
    """Whether a whole decision may be one call (`workbench.engine.models.native.decision`), of networks that C `knows`."""
    return (
        not is_traced()
        and library() is not None
        and torch._C._functorch.peek_interpreter_stack() is None
        and forward_ad._current_level < 0
        and not is_bf16()
    )


def knows(shape: MlpShape, theta: Tensor, x: Tensor, kept: int) -> bool:
    """Whether C has the passes of such a network for such numbers, of which ``kept`` rows are kept for the way back."""
    return (
        shape.activation in KNOWN
        and not shape.norm_after
        and kept * shape.members * sum(shape.hidden) <= MOST
        and len(shape.hidden) < MOST_LAYERS
        and x.dtype is theta.dtype is torch.float32
        and x.device.type == theta.device.type == "cpu"
    )


def number_of(shape: MlpShape, places: Callable[[MlpShape], dict[str, int]]) -> int:
    """The number by which `run` and `run_back` know the passes of ``shape``."""
    number = _NUMBERS.get(shape)
    if number is None:
        with _GROWS:
            number = _NUMBERS.setdefault(shape, len(_PASSES))
            if number == len(_PASSES):
                _PASSES.append(NativePasses(shape, places(shape)))
    return number


def passes_of(number: int) -> NativePasses:
    """The passes that `number_of` gave the number."""
    return _PASSES[number]


def run(number: int, theta: Tensor, x: Tensor, keep: bool) -> tuple[Tensor, Tensor]:
    """Evaluate at ``x``: outputs, and with ``keep`` what `run_back` needs."""
    if _is_recorded():
        result: tuple[Tensor, Tensor] = torch.ops.workbench.run(number, theta, x, keep)
        return result
    return _PASSES[number].forward(theta, x, keep)


def run_back(
    number: int, theta: Tensor, grad: Tensor, kept: Tensor, weights: bool, inputs: bool
) -> tuple[Tensor, Tensor]:
    """Gradients in the input and in the weights, each empty unless asked for."""
    if _is_recorded():
        result: tuple[Tensor, Tensor] = torch.ops.workbench.run_back(number, theta, grad, kept, weights, inputs)
        return result
    return _PASSES[number].backward(theta, grad, kept, weights, inputs)


def run_back_chosen(number: int, theta: Tensor, member: Tensor, kept: Tensor) -> Tensor:
    """Gradient in the input (M, I) of the one output of each row's own ``member`` (M,)."""
    if _is_recorded():
        result: Tensor = torch.ops.workbench.run_back_chosen(number, theta, member, kept)
        return result
    return _PASSES[number].backward_chosen(theta, member, kept)


@contextmanager
def recorded_whole() -> Iterator[None]:
    """Within this block a tracer sees each pass as one operation."""
    _HERE.recorded = True
    try:
        yield
    finally:
        _HERE.recorded = False


def _is_recorded() -> bool:
    return is_traced() and vars(_HERE).get("recorded", False)


def _run(number: int, *rest: Any) -> tuple[Tensor, Tensor]:
    return _PASSES[number].forward(*rest)


def _run_back(number: int, *rest: Any) -> tuple[Tensor, Tensor]:
    return _PASSES[number].backward(*rest)


def _run_back_chosen(number: int, *rest: Any) -> Tensor:
    return _PASSES[number].backward_chosen(*rest)


_OWN = torch.library.Library("workbench", "DEF")
_OWN.define("run(int number, Tensor theta, Tensor x, bool keep) -> (Tensor, Tensor)")
_OWN.define(
    "run_back(int number, Tensor theta, Tensor grad, Tensor kept, bool weights, bool inputs) -> (Tensor, Tensor)"
)
_OWN.define("run_back_chosen(int number, Tensor theta, Tensor member, Tensor kept) -> Tensor")
_OWN.impl("run", _run, "CPU")
_OWN.impl("run_back", _run_back, "CPU")
_OWN.impl("run_back_chosen", _run_back_chosen, "CPU")
# What a recording may call instead, without the way through the dispatcher.
DIRECTLY = {
    torch.ops.workbench.run.default: _run,
    torch.ops.workbench.run_back.default: _run_back,
    torch.ops.workbench.run_back_chosen.default: _run_back_chosen,
}
