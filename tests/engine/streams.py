"""A GPU's streams, imitated on the CPU: operations run at once, and every pair that a GPU might run at the same time is reported.

An operation happens before another on the same stream, and before what a stream does after it waited. Two accesses to the same
bytes of which neither happens before the other are a race, if one of them writes. Memory goes back to the stream that made it
as soon as nobody holds it: that one must then have waited for all that others do with it, unless it was lent to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.engine.graphs import tensors_in, written_by
from workbench.engine.lanes import extent, has_kernel


class Stream:
    def __init__(self, name: str) -> None:
        self.name, self.past = name, {name: 0}  # of each stream, how many of its operations have happened before

    def wait_stream(self, other: Stream) -> None:
        self._wait(other.past)

    def wait_event(self, event: Event) -> None:
        self._wait(event.past)

    def _wait(self, past: dict[str, int]) -> None:
        for name, count in past.items():
            self.past[name] = max(self.past.get(name, 0), count)

    def has_seen(self, name: str, count: int) -> bool:
        return self.past.get(name, 0) >= count


class Event:
    def __init__(self) -> None:
        self.past: dict[str, int] = {}

    def record(self, stream: Stream) -> None:
        self.past = dict(stream.past)


@dataclass(frozen=True)
class Access:
    low: int
    high: int
    name: str
    count: int
    writes: bool

    def meets(self, other: Access) -> bool:
        return (self.writes or other.writes) and self.low < other.high and other.low < self.high


class Streams(TorchDispatchMode):
    """Everything within the block is done on `here`, which `on` changes."""

    def __init__(self) -> None:
        super().__init__()
        self.main = self.here = Stream("main")
        self.streams = {"main": self.main}
        self.faults: list[str] = []
        self.used: set[str] = set()
        self._accesses: dict[int, list[Access]] = {}
        self._home: dict[int, str] = {}
        self._lent: set[tuple[int, str]] = set()
        self._there: dict[int, StorageWeakRef] = {}
        self._back: dict[str, list[Access]] = {}  # of each stream, who used the memory that has gone back to it

    @property
    def made(self) -> int:
        """Streams beside the first."""
        return len(self.streams) - 1

    def stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For those of `torch.cuda`."""
        monkeypatch.setattr(torch.cuda, "Stream", lambda device: self.new())
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: self.here)
        monkeypatch.setattr(torch.cuda, "stream", self.on)
        monkeypatch.setattr(Tensor, "record_stream", lambda t, stream: self._lent.add((_place(t), stream.name)))

    def new(self) -> Stream:
        stream = Stream(f"stream {len(self.streams)}")
        self.streams[stream.name] = stream
        return stream

    def moment(self) -> Event:
        return Event()

    @contextmanager
    def on(self, stream: Stream) -> Iterator[None]:
        before, self.here = self.here, stream
        try:
            yield
        finally:
            self.here = before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        self._forget()
        result = func(*args, **given)
        if has_kernel(func):
            self._launched(func, tensors_in((args, given)), written_by(func, args, given), tensors_in(result))
        for tensor in tensors_in(result):
            self._meet(tensor)
        return result

    def _launched(self, func: Any, inputs: list[Tensor], written: list[Tensor], outputs: list[Tensor]) -> None:
        here, name = self.here, self.here.name
        self.used.add(name)
        here.past[name] += 1
        places, changed = {_place(tensor) for tensor in inputs}, {id(tensor) for tensor in written}
        made = [tensor for tensor in outputs if _place(tensor) not in places]
        for tensor in (*inputs, *made):
            low, high = extent(tensor)
            access = Access(low, high, name, here.past[name], id(tensor) in changed or _place(tensor) not in places)
            held = self._accesses.setdefault(self._meet(tensor), [])
            late = [a for a in held if access.meets(a) and not here.has_seen(a.name, a.count)]
            if late:
                self.faults.append(f"{func.name()} on {name} does not wait for {late}")
            covered = [a for a in held if access.writes and low <= a.low and a.high <= high]
            self._accesses[_place(tensor)] = [a for a in held if a not in covered] + [access]

    def _meet(self, tensor: Tensor) -> int:
        place = _place(tensor)
        if place not in self._there:
            self._there[place] = StorageWeakRef(tensor.untyped_storage())
            self._home[place] = self.here.name
        return place

    def _forget(self) -> None:
        """What nobody holds any more goes back to the stream that made it, which may use it for what it does next."""
        for place in [place for place, there in self._there.items() if there.expired()]:
            used = [a for a in self._accesses.pop(place, ()) if (place, a.name) not in self._lent]
            self._back.setdefault(self._home.pop(place), []).extend(used)
            self._lent = {lent for lent in self._lent if lent[0] != place}
            del self._there[place]
        for access in self._back.pop(self.here.name, ()):
            if not self.here.has_seen(access.name, access.count):
                self.faults.append(f"{self.here.name} gets memory back that was not lent while {access.name} uses it")


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
