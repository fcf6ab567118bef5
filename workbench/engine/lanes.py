"""Branches of a recording: operations that do not wait for each other are put side by side.

An update is several networks' passes, most of which do not need one another: the flow's, the critic's, the state value's, the
targets'. Launched into one stream they run in a row, and each fills a few of a GPU's hundred processors. Here every operation
is seen before it is launched; it waits for those alone that wrote what it reads, or that read or wrote what it writes, and goes
into one of several streams. The recording keeps these branches, and a GPU runs them at the same time.

Nothing changes in what is computed: the same kernels on the same numbers. What was made is kept until the branches meet
again, since another branch may still read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.engine.graphs import tensors_in, written_by

KEPT = 1 << 30  # bytes after which branches meet, and what they made is given back
PRODUCT = 4  # how much longer a matrix product takes than anything else, roughly: it decides only who waits where
_PRODUCTS = frozenset({"mm", "bmm", "addmm", "baddbmm"})
_NO_KERNEL = frozenset({"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided"})


class Moment(Protocol):
    """A point in a stream, as `torch.cuda.Event`."""

    def record(self, stream: Any, /) -> None: ...


class Stream(Protocol):
    """As `torch.cuda.Stream`."""

    def wait_event(self, event: Any, /) -> None: ...


class Device(Protocol):
    """What `Lanes` needs of a device."""

    def moment(self) -> Moment:
        """A new one."""
        ...

    def on(self, stream: Any) -> AbstractContextManager[Any]:
        """A block whose operations are launched into ``stream``."""
        ...


@dataclass
class _Done:
    """An operation that was launched: in which lane, its number there, and when it ends, in operations."""

    lane: int
    number: int
    end: int
    seen: dict[int, int]
    moment: Moment


@dataclass
class _Access:
    """Bytes ``low`` to ``high`` of a piece of memory, and who used them."""

    low: int
    high: int
    by: _Done
    writes: bool


@dataclass
class _Lane:
    stream: Stream
    count: int = 0
    end: int = 0
    seen: dict[int, int] = field(default_factory=dict)  # of each lane, how many operations this one waited for


class Lanes(TorchDispatchMode):
    """Within this block operations are spread over ``streams``; at its end the first one has waited for all.

    Parameters
    ----------
    streams : sequence of Stream
        The first is the one that the block begins and ends on.
    device : Device
    kept : int
        Bytes made, after which all streams wait for each other.
    """

    def __init__(self, streams: Sequence[Stream], device: Device, kept: int = KEPT) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch types it not
        self._lanes = [_Lane(stream) for stream in streams]
        self._device, self._most, self._bytes = device, kept, 0
        self._accesses: dict[int, list[_Access]] = {}
        self._held: dict[int, Tensor] = {}

    def __enter__(self) -> Any:
        self._part()
        return super().__enter__()  # type: ignore[no-untyped-call] # torch types it not

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call] # torch types it not
        self._meet()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: to be left out of compilations, torch would load its compiler at the first operation, which takes seconds."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if not has_kernel(func):
            return self._keep(tensors_in((args, given)), func(*args, **given))
        written = written_by(func, args, given)
        ids = {id(tensor) for tensor in written}
        read = [tensor for tensor in tensors_in((args, given)) if id(tensor) not in ids]
        before = self._before(read, written)
        ready = max((done.end for done in before), default=0)
        place = self._choose(ready, before)
        lane = self._lanes[place]
        for done in before:
            self._wait(place, done)
        with self._device.on(lane.stream):
            result = func(*args, **given)
        lane.count += 1
        lane.end = max(lane.end, ready) + (PRODUCT if func.overloadpacket.__name__ in _PRODUCTS else 1)
        lane.seen[place] = lane.count
        done = _Done(place, lane.count, lane.end, dict(lane.seen), self._moment(lane))
        self._note(read, written, tensors_in(result), done)
        self._keep([*read, *written], result)
        if self._bytes > self._most:
            self._meet()
            self._part()
        return result

    def _before(self, read: list[Tensor], written: list[Tensor]) -> list[_Done]:
        found = {}
        for writes, tensors in ((False, read), (True, written)):
            for tensor in tensors:
                low, high = extent(tensor)
                for access in self._accesses.get(_memory(tensor), ()):
                    if (writes or access.writes) and access.low < high and low < access.high:
                        found[id(access.by)] = access.by
        return sorted(found.values(), key=lambda done: -done.end)

    def _choose(self, ready: int, before: list[_Done]) -> int:
        """The lane whose last operation ends latest without making this one wait; one that it waits for anyway comes first."""
        own = [done.lane for done in before]
        free = [place for place, lane in enumerate(self._lanes) if lane.end <= ready]
        if free:
            return max(free, key=lambda place: (self._lanes[place].end, place in own, -place))
        return min(range(len(self._lanes)), key=lambda place: (self._lanes[place].end, place not in own, place))

    def _wait(self, place: int, done: _Done) -> None:
        lane = self._lanes[place]
        if lane.seen.get(done.lane, 0) < done.number:
            lane.stream.wait_event(done.moment)
            for other, number in done.seen.items():
                lane.seen[other] = max(lane.seen.get(other, 0), number)

    def _note(self, read: list[Tensor], written: list[Tensor], results: list[Tensor], done: _Done) -> None:
        known = {_memory(tensor) for tensor in (*read, *written)}
        made = [tensor for tensor in results if _memory(tensor) not in known]
        for tensor in read:
            self._accesses.setdefault(_memory(tensor), []).append(_Access(*extent(tensor), done, False))
        for tensor in (*written, *made):
            low, high = extent(tensor)
            left = [a for a in self._accesses.get(_memory(tensor), ()) if a.low < low or a.high > high]
            self._accesses[_memory(tensor)] = [*left, _Access(low, high, done, True)]

    def _keep(self, given: list[Tensor], result: Any) -> Any:
        """Hold on to what was used and made until the lanes meet: until then another one may use its memory."""
        self._held |= {_memory(tensor): tensor for tensor in given}
        for tensor in tensors_in(result):
            if _memory(tensor) not in self._held:
                self._bytes += tensor.untyped_storage().nbytes()
                self._held[_memory(tensor)] = tensor
        return result

    def _meet(self) -> None:
        """Let the first stream wait for all others; nothing that was made is needed by another one any more."""
        for lane in self._lanes[1:]:
            self._lanes[0].stream.wait_event(self._moment(lane))
        self._accesses.clear()
        self._held.clear()
        self._bytes = 0

    def _part(self) -> None:
        """Let all others wait for the first."""
        moment = self._moment(self._lanes[0])
        counts = {place: lane.count for place, lane in enumerate(self._lanes)}
        for place, lane in enumerate(self._lanes):
            if place:
                lane.stream.wait_event(moment)
            lane.seen, lane.end = dict(counts), 0

    def _moment(self, lane: _Lane) -> Moment:
        moment = self._device.moment()
        moment.record(lane.stream)
        return moment


def has_kernel(func: Any) -> bool:
    """Whether an operation launches anything: views and bare allocations do not."""
    return not func.is_view and func.overloadpacket.__name__ not in _NO_KERNEL


def extent(tensor: Tensor) -> tuple[int, int]:
    """Its first byte in its memory, and the one behind its last."""
    if tensor.numel() == 0:
        return 0, 0
    size, low = tensor.element_size(), tensor.storage_offset()
    last = sum((int(n) - 1) * int(step) for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    return int(low) * size, (int(low) + last + 1) * size


def _memory(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
