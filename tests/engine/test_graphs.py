"""What a recording cannot repeat is refused before it is recorded, in words, and leaves nothing behind."""

from collections.abc import Callable

import pytest
import torch
from engine.tape import TapeRecorder
from torch import Tensor

from workbench.engine.graphs import CannotRecord, Recording, rehearse

KEPT: list[Tensor] = []
OBSTACLES: dict[str, tuple[Callable[[Tensor], object], str]] = {
    "item": (lambda x: x.sum().item(), "looks at a number"),
    "float": (lambda x: float(x[0]), "looks at a number"),
    "if": (lambda x: x + 1 if x.sum() > 0 else x, "looks at a number"),
    "equal": (lambda x: torch.equal(x, x), "looks at a number"),
    "nonzero": (lambda x: x.nonzero(), "size depends on numbers"),
    "unique": (lambda x: x.unique(), "size depends on numbers"),
    "masked_select": (lambda x: x.masked_select(x > 0), "size depends on numbers"),
    "mask": (lambda x: x[x > 0], "picks rows by a mask"),
    "mask written": (lambda x: x.clone().index_put_((x > 0,), torch.zeros(())), "picks rows by a mask"),
    "repeats": (lambda x: x.repeat_interleave(torch.ones_like(x, dtype=torch.long)), "size depends on numbers|number"),
    "tensor": (lambda x: x + torch.tensor([1.0, 2.0, 3.0]), "makes a tensor of Python's numbers"),
    "device": (lambda x: x.to("meta"), "copies between"),
    "default generator": (lambda x: torch.randn(3), "another generator"),
    "own generator": (lambda x: torch.rand(3, generator=torch.Generator()), "another generator"),
    "dropout": (lambda x: torch.nn.functional.dropout(x), "another generator"),
    "kept": (lambda x: KEPT.append(x + 1.0), "keeps a tensor"),
}


@pytest.mark.parametrize("name", OBSTACLES)
def test_obstacles_are_named(name: str) -> None:
    KEPT.clear()
    work, words = OBSTACLES[name]
    x = torch.tensor([0.5, 1.0, 2.0])
    with pytest.raises(CannotRecord, match=words):
        rehearse(lambda: work(x), [])


def test_a_rehearsal_leaves_no_trace() -> None:
    generator = torch.Generator().manual_seed(3)
    x, weights = torch.arange(6.0).view(2, 3), torch.ones(4, requires_grad=True)
    before, state, version = x.clone(), generator.get_state(), weights.detach().clone()

    def work() -> Tensor:
        x[1].mul_(torch.rand(3, generator=generator))
        torch.add(x[0], 1.0, out=x[0])
        loss = (weights * weights).sum()
        loss.backward()
        with torch.no_grad():
            weights.sub_(weights.grad)
        weights.grad = None
        return loss.detach()

    rehearse(work, [generator])
    assert torch.equal(x, before)
    assert torch.equal(weights, version)
    assert torch.equal(generator.get_state(), state)
    with pytest.raises(CannotRecord):
        rehearse(lambda: (work(), x.sum().item()), [generator])
    assert torch.equal(x, before)
    assert torch.equal(generator.get_state(), state)


def test_a_recording_repeats_the_work_with_new_inputs() -> None:
    generator, total = torch.Generator().manual_seed(0), torch.zeros(3)

    def work(inputs: tuple[Tensor, list[Tensor]]) -> dict[str, Tensor]:
        first, (second,) = inputs
        total.add_(first)
        return {"product": first * second + torch.rand(3, generator=generator)}

    example = torch.zeros(3), [torch.zeros(3)]
    recording = Recording(work, example, [generator], TapeRecorder())
    assert torch.equal(total, torch.zeros(3))
    by_hand = torch.Generator().manual_seed(0)
    results = []
    for number in range(3):
        first, second = torch.full((3,), float(number)), torch.arange(3.0)
        results.append(recording((first, [second]))["product"])
        assert torch.equal(results[-1], first * second + torch.rand(3, generator=by_hand))
    assert torch.equal(total, torch.full((3,), 3.0))
    assert len({result.data_ptr() for result in results}) == 3  # the caller's own
    assert not example[0].any()


def test_python_decisions_are_taken_once() -> None:
    """So is it on a GPU; this is what the tests of the losses and rules rely on."""
    calls: list[int] = []

    def work(x: Tensor) -> Tensor:
        calls.append(1)
        return x + len(calls)

    recording = Recording(work, torch.zeros(1), [], TapeRecorder())
    assert recording(torch.zeros(1)) == recording(torch.zeros(1)) == len(calls) == 2  # the rehearsal and the tape
