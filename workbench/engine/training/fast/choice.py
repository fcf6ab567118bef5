"""Compiled or plain: which update is faster is measured where a run begins, since it depends on sizes, machine and compiler."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

Step = Callable[[], dict[str, Tensor]]
ROUNDS = 7
UPDATES = 3  # a round


@dataclass(frozen=True)
class Choice:
    """The faster of two ways to do an update.

    Attributes
    ----------
    compiled : bool
    plain_seconds, compiled_seconds : float
        Medians of an update.
    """

    compiled: bool
    plain_seconds: float
    compiled_seconds: float

    def __str__(self) -> str:
        """One sentence for who trains."""
        times = f"compiled {1e3 * self.compiled_seconds:.2f} ms, plain {1e3 * self.plain_seconds:.2f} ms an update"
        return f"{times}: the {'compiled' if self.compiled else 'plain'} update is taken"


def choose(plain: Step, compiled: Step, changed: Iterable[Tensor]) -> Choice:
    """Measure both in turn, and leave the tensors ``changed``, all that an update writes to, as they were."""
    held = [(tensor, tensor.detach().clone()) for tensor in changed]
    try:
        for step in (compiled, plain):  # compiles, and warms up
            _seconds(step)
        rounds = [(_seconds(plain), _seconds(compiled)) for _ in range(ROUNDS)]
    finally:
        with torch.no_grad():
            for tensor, before in held:
                tensor.copy_(before)
    of_plain, of_compiled = (statistics.median(column) for column in zip(*rounds, strict=True))
    return Choice(of_compiled < of_plain, of_plain, of_compiled)


def _seconds(step: Step) -> float:
    """Of one update."""
    start = time.perf_counter()
    for _ in range(UPDATES):
        losses = step()
    float(next(iter(losses.values())))  # waits for the device
    return (time.perf_counter() - start) / UPDATES
