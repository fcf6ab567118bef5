"""Compiled or plain, reduced or exact: which update is faster is measured where a run begins.

It depends on sizes, machine and compiler.
"""

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
    of_plain, of_compiled = measure(plain, compiled, changed, ROUNDS)
    return Choice(of_compiled < of_plain, of_plain, of_compiled)


def measure(one: Step, other: Step, changed: Iterable[Tensor], rounds: int) -> tuple[float, float]:
    """Median seconds of an update either way, taken in turn; the tensors ``changed`` are as they were afterwards."""
    held = [(tensor, tensor.detach().clone()) for tensor in changed]
    try:
        for step in (other, one):  # compiles, and warms up
            _seconds(step)
        pairs = [(_seconds(one), _seconds(other)) for _ in range(rounds)]
    finally:
        with torch.no_grad():
            for tensor, before in held:
                tensor.copy_(before)
    of_one, of_other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return of_one, of_other


def in_words(precision: str, reduced: float, exact: float) -> str:
    """What a reduced precision costs or saves, for who asked for it: seconds of an update either way."""
    times = f"precision={precision}: {1e3 * reduced:.2f} ms an update here, fp32 {1e3 * exact:.2f} ms"
    return f"{times}: {'faster' if reduced < exact else 'slower and less exact, so better left out'}"


def _seconds(step: Step) -> float:
    """Of one update."""
    start = time.perf_counter()
    for _ in range(UPDATES):
        losses = step()
    float(next(iter(losses.values())))  # waits for the device
    return (time.perf_counter() - start) / UPDATES
