"""Recordings on an NVIDIA GPU: CUDA graphs, with branches where operations do not wait for each other."""

from __future__ import annotations

import functools
import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import torch

from workbench.engine.graphs import CannotRecord, Recorder
from workbench.engine.lanes import Lanes

T = TypeVar("T")
LANES = 8  # branches of a recording at most
_ONE_AT_A_TIME = threading.Lock()  # recordings share their streams, and the collector


def record_cuda(work: Callable[[], T], generators: Sequence[torch.Generator]) -> tuple[Callable[[], None], T]:
    """Record ``work`` as a CUDA graph. Random numbers of ``generators`` go on from launch to launch as they would without."""
    graph, before = torch.cuda.CUDAGraph(), [generator.clone_state() for generator in generators]
    for generator in generators:
        graph.register_generator_state(generator)
    try:
        # other threads may go on meanwhile: a page's server acts and draws in several
        with _ONE_AT_A_TIME, _nothing_collected(), torch.cuda.graph(graph, capture_error_mode="thread_local"):
            here = torch.cuda.current_stream()
            with Lanes([here, *_beside(here.device, LANES - 1)], _Cuda()) if LANES > 1 else nullcontext():
                result = work()
    except RuntimeError as error:
        for generator, state in zip(generators, before, strict=True):
            generator.graphsafe_set_state(state)  # the one that it had believes that it is still being recorded
        raise CannotRecord(str(error).strip().partition("\n")[0]) from error
    return graph.replay, result


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Old recordings in cycles go before this block, and none while it lasts: that would break the one being made."""
    gc.collect()
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def recorder_for(device: torch.device) -> Recorder | None:
    """What records on ``device``: None where launching costs little and nothing has to be recorded."""
    return record_cuda if device.type == "cuda" else None


class _Cuda:
    """What `Lanes` needs of a GPU."""

    def moment(self) -> torch.cuda.Event:
        return torch.cuda.Event()

    def on(self, stream: torch.cuda.Stream) -> AbstractContextManager[Any]:
        return torch.cuda.stream(stream)


@functools.cache
def _beside(device: torch.device, count: int) -> list[torch.cuda.Stream]:
    """Streams for branches; of high priority, since torch hands out the others again and again."""
    return [torch.cuda.Stream(device, priority=-1) for _ in range(count)]
