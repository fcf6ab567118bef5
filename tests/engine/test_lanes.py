"""Branches of a recording: they wait for what they need, for nothing else, and change no number.

A GPU's streams are imitated on the CPU (tests/engine/streams.py): every two accesses to the same bytes that a GPU might do at the
same time are reported, and memory that is given back while another stream uses it.
"""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from engine.small_runs import small_trainer
from engine.streams import Stream, Streams
from engine.training.test_launches import EVERY
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from workbench.engine import lanes
from workbench.engine.lanes import Lanes
from workbench.engine.models.native import operations
from workbench.engine.training.loop.trainer import Trainer


@pytest.fixture(autouse=True)
def _plain_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU."""
    monkeypatch.setattr(operations, "library", lambda: None)


def spread(work: Callable[[], object], count: int = 8, kept: int = lanes.KEPT) -> Streams:
    """Do ``work`` on ``count`` lanes; what a GPU's streams would have met."""
    streams = Streams()
    with streams:
        with Lanes([streams.main, *(streams.new() for _ in range(count - 1))], streams, kept):
            work()
        torch.zeros(1)  # what is done next
    return streams


def update(trainer: Trainer) -> None:
    trainer.apply(trainer.draw(), torch.tensor(1e-3, dtype=torch.float64))
    trainer.step_number += 1


@pytest.mark.parametrize("way", EVERY.values(), ids=EVERY)
def test_every_loss_is_spread_without_a_race_and_is_the_same(way: dict[str, Any]) -> None:
    found, expected = (small_trainer(**({"steps": 9, "reference_steps": 1} | way)) for _ in range(2))
    for trainer in (found, expected):
        update(trainer)
        trainer._cache_samples()
    update(expected)
    streams = spread(lambda: update(found))
    assert streams.faults == []
    assert len(streams.used) > 3
    for name, theta in expected.weights.items():
        assert torch.equal(found.weights[name], theta), name


def test_what_does_not_depend_on_each_other_goes_side_by_side() -> None:
    x, counts = torch.ones(4, 4), {}

    def chains(number: int) -> None:
        results = [x for _ in range(number)]
        for _ in range(5):
            results = [result @ x for result in results]

    for number in (1, 3, 20):
        streams = spread(lambda number=number: chains(number), count=4)  # type: ignore[misc]
        counts[number] = len(streams.used - {"main"}), streams.faults
    assert counts == {1: (0, []), 3: (2, []), 20: (3, [])}


def test_pieces_of_one_array_are_written_side_by_side_and_read_together() -> None:
    whole, x = torch.zeros(3, 4), torch.ones(4)

    def pieces() -> Tensor:
        for row in whole:
            torch.mul(x, 2.0, out=row)
        return whole.sum()

    streams = spread(pieces)
    assert streams.faults == []
    assert len(streams.used) == 3


def test_what_is_kept_is_given_back_when_it_grows() -> None:
    x = torch.ones(100)

    def long() -> Tensor:
        sums = [x + number for number in range(30)]
        return torch.stack(sums).sum()

    held = Lanes([Stream("main"), Stream("other")], Streams(), kept=1000)
    with held:
        long()
    assert held._bytes == 0
    assert spread(long, kept=1000).faults == []
    assert spread(long).faults == []


class NeverWaits(Lanes):
    def _wait(self, place: int, done: Any) -> None:
        pass


class KeepsNothing(Lanes):
    def _keep(self, given: list[Tensor], result: Any) -> Any:
        return result


@pytest.mark.parametrize(("broken", "words"), [(NeverWaits, "does not wait for"), (KeepsNothing, "gets memory back")])
def test_the_imitation_finds_what_a_gpu_would_stumble_over(
    monkeypatch: pytest.MonkeyPatch, broken: type[Lanes], words: str
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "Lanes", broken)
    trainer = small_trainer(steps=9)
    assert any(words in fault for fault in spread(lambda: [update(trainer) for _ in range(2)]).faults)


STEPS = st.lists(st.tuples(st.sampled_from("amviz"), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(2, 6), st.sampled_from([0, 100, lanes.KEPT]))
def test_any_program_is_spread_without_a_race_and_is_the_same(
    steps: list[tuple[str, int, int]], count: int, kept: int
) -> None:
    """Sums, products, views, writing in place and fresh memory, in any order on any of six arrays."""

    def program(held: list[Tensor]) -> None:
        for kind, one, other in steps:
            a, b = held[one], held[other]
            match kind:
                case "a":
                    held[one] = a + b
                case "m":
                    held[one] = a @ b
                case "v":
                    held[one] = b[1:3].mT.reshape(4, 2).repeat(1, 2)
                case "i":
                    a[:2].mul_(0.5).add_(b[2:])
                case "z":
                    held[one] = torch.empty(4, 4)
                    held[one].copy_(b)

    found, expected = ([torch.arange(16.0).view(4, 4) / (1 + n) for n in range(6)] for _ in range(2))
    program(expected)
    streams = spread(lambda: program(found), count, kept)
    assert streams.faults == []
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_watching_operations_does_not_load_torchs_compiler() -> None:
    """That takes seconds, before the first recording of a process."""
    code = """
import sys, torch
from contextlib import nullcontext
from workbench.engine.graphs import rehearse
from workbench.engine.lanes import Lanes

class Nothing:
    moment = lambda self: self
    record = wait_event = lambda self, other: None
    on = lambda self, stream: nullcontext()

generator, x = torch.Generator(), torch.ones(3)
rehearse(lambda: torch.randperm(3, generator=generator) + x, [generator])
with Lanes([Nothing(), Nothing()], Nothing()):
    x.add_(1)
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
