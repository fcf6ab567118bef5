"""Medians of repeated calls, and the table they are printed in."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import TypeVar
from unittest import mock

from workbench.engine.models.native import operations

T = TypeVar("T")


def median_seconds(call: Callable[[], object], repeats: int, warm_up: int = 3) -> float:
    for _ in range(warm_up):
        call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def alternate(calls: Sequence[Callable[[], object]], repeats: int, warm_up: int = 3) -> list[float]:
    """Median of each, the calls taken in turn, so that a drift of the machine's speed meets all alike."""
    for call in calls:
        for _ in range(warm_up):
            call()
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, record in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            record.append(time.perf_counter() - start)
    return [statistics.median(record) for record in times]


def without_c(call: Callable[[], T]) -> Callable[[], T]:
    """``call`` with PyTorch's operations in place of the passes in C."""

    def plainly() -> T:
        with mock.patch.object(operations, "library", return_value=None):
            return call()

    return plainly


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    lines = [list(heads), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    print(f"\n{title}")
    for number, line in enumerate(lines):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))
    print(flush=True)
