"""A GPU's recording, imitated on the CPU: a tape of tensor operations, played again on the memory they were taped on.

Like a CUDA graph the tape knows no Python: whatever code decided while it was taped stays decided. Operations write their
results into the memory that the taped ones got, and an operation on other memory cannot come into it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.engine.graphs import leaving_no_trace

T = TypeVar("T")


class Tape(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self.launches = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        result = func(*args, **given)
        self.operations.append((func, args, given, _tensors(result)))
        return result

    def play(self) -> None:
        self.launches += 1
        with torch.no_grad():
            for func, args, kwargs, held in self.operations:
                for old, new in zip(held, _tensors(func(*args, **kwargs)), strict=True):
                    if old.data_ptr() != new.data_ptr():
                        old.copy_(new)


class TapeRecorder:
    """A `Recorder`; ``tapes`` are those it made."""

    def __init__(self) -> None:
        self.tapes: list[Tape] = []

    def __call__(self, work: Callable[[], T], generators: Sequence[torch.Generator]) -> tuple[Callable[[], None], T]:
        with leaving_no_trace(generators), Tape() as tape:  # a capture computes nothing: what it writes is undone
            result = work()
        self.tapes.append(tape)
        return tape.play, result


def _tensors(nest: Any) -> list[Tensor]:
    return [leaf for leaf in _pytree.tree_leaves(nest) if isinstance(leaf, Tensor)]
