"""Recorded work: many small GPU kernels launched as one CUDA graph.

A small update or decision is a few hundred kernels of some microseconds each. Launched one by one they take as long as the
processor needs to launch them, which is several times longer than they run. A recording is made of them once and repeats
them in one launch: the same kernels, in the same order, on the same memory.

So the work must not do what a recording cannot repeat: look at a number, make a tensor whose size depends on numbers, copy
from or to the processor, draw random numbers from a generator that the recording does not know, or keep a tensor that it
made. `rehearse` runs the work once, refuses all of that in words, and puts back whatever the work changed. It does so on any
device: what passes on the CPU is what a GPU can record.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

T = TypeVar("T")
_SAID: set[str] = set()


class CannotRecord(Exception):
    """The work does what a recording cannot repeat; the message says what."""


class Recorder(Protocol):
    """Makes a recording of work: what repeats it, and its result, which lies in the same memory after every repetition."""

    def __call__(
        self, work: Callable[[], T], generators: Sequence[torch.Generator], /
    ) -> tuple[Callable[[], None], T]: ...


class Recording:
    """``work`` over inputs of fixed shapes, recorded once and launched with ever new ones.

    Parameters
    ----------
    work : callable
        Takes tensors in any nest of tuples, lists and dicts, and returns such.
    example : nest of Tensor
        Inputs of the right shapes; they are copied.
    generators : sequence of torch.Generator
        Those that the work draws from.
    recorder : Recorder
    rehearsed : bool
        The same work has been rehearsed already.

    Raises
    ------
    CannotRecord
        The work cannot be repeated as it is. Nothing has been changed by it.
    """

    def __init__(
        self,
        work: Callable[[Any], Any],
        example: Any,
        generators: Sequence[torch.Generator],
        recorder: Recorder,
        rehearsed: bool = False,
    ) -> None:
        self._inputs = _pytree.tree_map_only(Tensor, torch.clone, example)
        if not rehearsed:
            rehearse(lambda: work(self._inputs), generators)
        self._replay, self._outputs = recorder(lambda: work(self._inputs), generators)

    def __call__(self, inputs: Any) -> Any:
        """Launch with ``inputs``, shaped as the example; the result is the caller's own."""
        held, new = tensors_in(self._inputs), tensors_in(inputs)
        if held:
            torch._foreach_copy_(held, new, non_blocking=True)
        self._replay()
        return _pytree.tree_map_only(Tensor, torch.clone, self._outputs)


def rehearse(work: Callable[[], Any], generators: Sequence[torch.Generator]) -> None:
    """Run ``work`` once, refuse what cannot be recorded, and leave everything as it was.

    Raises
    ------
    CannotRecord
        With what was done, in words.
    """
    with leaving_no_trace(generators) as watched:
        result = work()
        kept = {tensor.untyped_storage()._cdata for tensor in tensors_in(result)}
        if watched.survivors(kept):
            gc.collect()  # what is only part of a cycle goes with it
        if watched.survivors(kept):
            raise CannotRecord("it keeps a tensor that it made beyond the end of the work")


@contextmanager
def leaving_no_trace(generators: Sequence[torch.Generator]) -> Iterator[_Watched]:
    """Within this block work is watched as for a recording; afterwards tensors and generators are as they were before."""
    states = [generator.get_state() for generator in generators]
    watched = _Watched(generators)
    try:
        with watched:
            yield watched
    finally:
        watched.put_back()
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


def say_once(what: str, error: CannotRecord) -> None:
    """Warn, the first time for each reason, that ``what`` goes on without a recording."""
    words = f"{what} cannot be recorded for the GPU and goes on kernel by kernel, more slowly: {error}"
    if words not in _SAID:
        _SAID.add(words)
        warnings.warn(words, stacklevel=3)


class _Watched(TorchDispatchMode):
    """Sees every tensor operation: refuses some, and saves what is written to before it is."""

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch types it not
        self._generators = list(generators)
        self._before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self._made: dict[int, StorageWeakRef] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: to be left out of compilations, torch would load its compiler at the first operation, which takes seconds."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        inputs = tensors_in((args, given))
        reason = _obstacle(func, args, given, self._generators)
        if reason is not None:
            raise CannotRecord(f"it {reason} ({func.name()})")
        for tensor in written_by(func, args, given):
            self._save(tensor)
        result = func(*args, **given)
        outputs = tensors_in(result)
        if len({t.device for t in (*inputs, *outputs) if t.dim() or t.device.type != "cpu"}) > 1:
            raise CannotRecord(f"it copies between the processor and the device ({func.name()})")
        old = {tensor.untyped_storage()._cdata for tensor in inputs}
        for tensor in outputs:
            storage = tensor.untyped_storage()
            if storage._cdata not in old and storage._cdata not in self._before:
                self._made[storage._cdata] = StorageWeakRef(storage)
        return result

    def survivors(self, kept: set[int]) -> bool:
        """Whether anything that was made is still there, apart from the storages ``kept``."""
        return any(not made.expired() for place, made in self._made.items() if place not in kept)

    def put_back(self) -> None:
        """Undo what was written."""
        for storage, before in self._before.values():
            storage.copy_(before)
        self._before.clear()

    def _save(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._made and storage._cdata not in self._before:
            self._before[storage._cdata] = storage, storage.clone()


def _obstacle(func: Any, args: Any, kwargs: dict[str, Any], generators: list[torch.Generator]) -> str | None:
    """Why ``func`` cannot be part of a recording; None where it can."""
    aten, tags = torch.ops.aten, func.tags
    if func in (aten.lift_fresh.default, aten.lift_fresh_copy.default):
        return "makes a tensor of Python's numbers, a copy from the processor; torch.full and torch.arange do not"
    if torch.Tag.data_dependent_output in tags:
        return "looks at a number, which the processor would have to wait for"
    chosen_by_mask = func.overloadpacket in (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_)
    if chosen_by_mask:
        masks = [t for t in tensors_in(args[1]) if t.dtype in (torch.bool, torch.uint8)]
        return "picks rows by a mask, whose number is not known ahead; torch.where keeps all" if masks else None
    if torch.Tag.dynamic_output_shape in tags:
        return "makes a tensor whose size depends on numbers"
    if torch.Tag.nondeterministic_seeded in tags:
        used = kwargs.get("generator")  # wrapped anew on its way here: what it wraps says which one it is
        known: list[Any] = list(generators)
        if used is None or used._cdata not in [generator._cdata for generator in known]:
            return "draws random numbers from another generator than its own"
    return None


def written_by(func: Any, args: Any, kwargs: dict[str, Any]) -> list[Tensor]:
    """The tensors among the arguments that ``func`` writes to."""
    found = []
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            found += tensors_in(args[place] if place < len(args) else kwargs.get(argument.name))
    return found


def tensors_in(nest: Any) -> list[Tensor]:
    """The tensors in any nest of tuples, lists and dicts."""
    return [leaf for leaf in _pytree.tree_leaves(nest) if isinstance(leaf, Tensor)]
