"""A GPU's streams, imitated on the CPU: operations run at once, and every pair that a GPU might run at the same time is reported.

An operation happens before another on the same stream, and before what a stream does after it waited. Two accesses to the same
memory of which neither happens before the other are a race, if one of them writes. Memory that one stream made and another
uses must have been lent to that one: else it may be given away too early.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.engine.graphs import _written


class Stream:
    def __init__(self, name: str) -> None:
        self.name, self.past = name, {name: 0}  # of each stream, how many of its operations have happened before

    def wait_stream(self, other: Stream) -> None:
        for name, count in other.past.items():
            self.past[name] = max(self.past.get(name, 0), count)

    def has_seen(self, name: str, count: int) -> bool:
        return self.past.get(name, 0) >= count


class Streams(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.main = self.here = Stream("main")
        self.made, self.faults, self.used = 0, [], set()  # type: ignore[var-annotated]
        self._written: dict[int, tuple[str, int]] = {}
        self._read: dict[int, dict[str, int]] = {}
        self._home: dict[int, str] = {}
        self._lent: set[tuple[int, str]] = set()
        self._there: dict[int, StorageWeakRef] = {}

    def stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For those of `torch.cuda`."""
        monkeypatch.setattr(torch.cuda, "Stream", lambda device: self._new())
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: self.here)
        monkeypatch.setattr(torch.cuda, "stream", self._on)
        monkeypatch.setattr(Tensor, "record_stream", lambda t, stream: self._lent.add((_place(t), stream.name)))

    def _new(self) -> Stream:
        self.made += 1
        return Stream(f"stream {self.made}")

    @contextmanager
    def _on(self, stream: Stream) -> Iterator[None]:
        before, self.here = self.here, stream
        try:
            yield
        finally:
            self.here = before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        here, name = self.here, self.here.name
        self.used.add(name)
        here.past[name] += 1
        inputs, written = _tensors((args, given)), {_place(t) for t in _written(func, args, given)}
        for tensor in inputs:
            place = self._meet(tensor)
            home = self._home.get(place, name)
            if home not in (name, "main") and (place, name) not in self._lent:
                self.faults.append(f"{func.name()} on {name} uses memory of {home} that was not lent")
            others = [self._written[place]] if place in self._written else []
            others += self._read.get(place, {}).items() if place in written else []
            if any(not here.has_seen(*other) for other in others):
                self.faults.append(f"{func.name()} on {name} does not wait for {others}")
        result = func(*args, **given)
        for tensor in inputs:
            self._read.setdefault(_place(tensor), {})[name] = here.past[name]
        for tensor in _tensors(result):
            if _place(tensor) not in self._there or self._there[_place(tensor)].expired():
                self._home[self._meet(tensor)] = name
                written.add(_place(tensor))
        self._written |= dict.fromkeys(written, (name, here.past[name]))
        return result

    def _meet(self, tensor: Tensor) -> int:
        """Its place in memory, of which everything is forgotten where it has been given to another tensor."""
        place = _place(tensor)
        if place not in self._there or self._there[place].expired():
            self._there[place] = StorageWeakRef(tensor.untyped_storage())
            for held in (self._home, self._written, self._read):
                held.pop(place, None)  # type: ignore[attr-defined]
            self._lent = {lent for lent in self._lent if lent[0] != place}
        return place


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _tensors(nest: Any) -> list[Tensor]:
    return [leaf for leaf in _pytree.tree_leaves(nest) if isinstance(leaf, Tensor)]
