"""Work and memory by counting, not by the clock: multiplications of matrices, numbers written, calls, and the peak of what lives.

What is counted is the same on every machine, so that how a cost grows can be asserted by a test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


class Count(NamedTuple):
    """What a call cost.

    Attributes
    ----------
    flops : int
        Of products of matrices.
    written : int
        Numbers that operations wrote.
    calls : int
        Operations.
    peak : int
        Most bytes of tensors that the call held at one time, beside what was there before.
    """

    flops: int
    written: int
    calls: int
    peak: int

    @property
    def work(self) -> int:
        """Multiply-adds and numbers written together."""
        return self.flops + self.written


class _Watch(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.written = self.calls = self.peak = self._held = 0
        self._live: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        known = {id(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)}
        before = {
            leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)
        }
        result = func(*args, **(kwargs or {}))
        self.calls += 1
        for out in tree_leaves(result):
            if not isinstance(out, torch.Tensor):
                continue
            storage = out.untyped_storage()
            fresh = storage._cdata not in before
            if fresh or id(out) in known:  # a view writes nothing
                self.written += out.numel()
            if fresh and storage._cdata not in self._live:
                self._forget()
                self._live[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
                self._held += storage.nbytes()
                self.peak = max(self.peak, self._held)
        return result

    def _forget(self) -> None:
        for key in [key for key, (ref, _) in self._live.items() if ref.expired()]:
            self._held -= self._live.pop(key)[1]


def count(call: Callable[[], Any]) -> Count:
    """Call once and count."""
    watch, flops = _Watch(), FlopCounterMode(display=False)
    with flops, watch:
        call()
    return Count(flops.get_total_flops(), watch.written, watch.calls, watch.peak)
