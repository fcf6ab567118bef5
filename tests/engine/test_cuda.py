"""How a CUDA graph is recorded, with torch's own part imitated: what is put in order around it, also when it fails."""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from engine.streams import Streams
from torch import Tensor

from workbench.engine import cuda
from workbench.engine.graphs import CannotRecord


class Generator:
    """A generator of a GPU, of which a recording takes hold."""

    def __init__(self) -> None:
        self.state = "its own"

    def clone_state(self) -> str:
        return self.state

    def graphsafe_set_state(self, state: str) -> None:
        self.state = state


class Graph:
    def __init__(self) -> None:
        self.replays = 0

    def register_generator_state(self, generator: Generator) -> None:
        generator.state = "being recorded"

    def replay(self) -> None:
        self.replays += 1


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Streams:
    found = Streams()
    found.stand_in(monkeypatch)
    monkeypatch.setattr(found.main, "device", torch.device("cuda", 0), raising=False)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: found.here)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device, priority: found.new())
    monkeypatch.setattr(torch.cuda, "Event", found.moment)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", recorded)
    cuda._beside.cache_clear()
    yield found
    cuda._beside.cache_clear()


@contextmanager
def recorded(graph: Graph, capture_error_mode: str) -> Iterator[None]:
    assert capture_error_mode == "thread_local"
    assert not gc.isenabled()
    yield


def work(x: Tensor) -> Callable[[], Any]:
    return lambda: (x @ x, x + x)


def test_branches_are_those_of_one_recording(streams: Streams) -> None:
    replay, (product, total) = cuda.record_cuda(work(torch.ones(2, 2)), [])
    assert isinstance(replay.__self__, Graph)  # type: ignore[attr-defined]
    assert streams.made == cuda.LANES - 1
    assert product.tolist() == total.tolist() == [[2.0, 2.0], [2.0, 2.0]]
    cuda.record_cuda(work(torch.ones(2, 2)), [])
    assert streams.made == cuda.LANES - 1  # the same ones again


def test_one_branch_needs_no_other_stream(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "LANES", 1)
    cuda.record_cuda(work(torch.ones(2, 2)), [])
    assert streams.made == 0


def test_nothing_is_collected_while_it_is_recorded(streams: Streams) -> None:
    """An old recording that goes meanwhile would break the new one."""
    seen = []
    cuda.record_cuda(lambda: seen.append(gc.isenabled()), [])
    assert seen == [False]
    assert gc.isenabled()
    gc.disable()
    try:
        cuda.record_cuda(lambda: None, [])
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_two_threads_record_one_after_the_other(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    """They share streams, of which each can be part of one recording."""
    inside: list[int] = []
    most: list[int] = []

    @contextmanager
    def counted(graph: Graph, capture_error_mode: str) -> Iterator[None]:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        yield
        inside.pop()

    monkeypatch.setattr(torch.cuda, "graph", counted)
    monkeypatch.setattr(cuda, "LANES", 1)
    threads = [threading.Thread(target=cuda.record_cuda, args=(lambda: None, [])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]
    assert gc.isenabled()


def test_a_recording_that_fails_leaves_its_generators_as_they_were(streams: Streams) -> None:
    generator = Generator()

    def fails() -> None:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nand more lines")

    with pytest.raises(CannotRecord, match=r"^CUDA error: operation not permitted when stream is capturing$"):
        cuda.record_cuda(fails, [generator])  # type: ignore[list-item]
    assert generator.state == "its own"
    assert gc.isenabled()


def test_where_one_records() -> None:
    assert cuda.recorder_for(torch.device("cpu")) is None
    assert cuda.recorder_for(torch.device("cuda")) is cuda.record_cuda
