"""Where the time of one QGF update goes, in CPU milliseconds of one thread, and how fast the passes in C multiply."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch

from benchmarks.claims import LARGE, MIDDLE, SMALL, Sizes, warm
from benchmarks.timing import table
from benchmarks.together import SEEDS, trainers
from benchmarks.updates import multiply_adds, trainer
from workbench.engine.models.native.passes import NativePasses
from workbench.engine.training.fast.adam import Adam
from workbench.engine.training.fast.gradients import WAIT
from workbench.engine.training.loop.together import TrainerGroup
from workbench.engine.training.loop.trainer import Trainer

PARTS = (
    ("passes forward", NativePasses, "forward"),
    ("passes backward", NativePasses, "backward"),
    ("Adam", Adam, "step"),
    ("draws", Trainer, "draw"),
)
ROUNDS = 9


def spent(step: Callable[[], Any], calls: int) -> dict[str, float]:
    """Milliseconds of a call in all and in each part, of the fastest round."""
    rounds = []
    for _ in range(ROUNDS):
        found: Counter[str] = Counter()
        patches = [
            mock.patch.object(owner, name, _timed(getattr(owner, name), words, found)) for words, owner, name in PARTS
        ]
        for patch in patches:
            patch.start()
        start = time.process_time()
        for _ in range(calls):
            step()
        found["all"] = time.process_time() - start  # type: ignore[assignment] # a Counter of seconds
        for patch in patches:
            patch.stop()
        rounds.append({words: 1e3 * seconds / calls for words, seconds in found.items()})
    return min(rounds, key=lambda one: one["all"])


def _timed(inner: Callable[..., Any], words: str, found: Counter[str]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        result = inner(*args, **kwargs)
        found[words] += time.process_time() - start  # type: ignore[assignment]
        return result

    return call


def run() -> None:
    torch.set_num_threads(1)
    lines = []
    work: tuple[tuple[str, Sizes, int, int], ...] = (
        ("64×2", SMALL, 50, 1),
        ("128×2", MIDDLE, 30, 1),
        ("512×4", LARGE, 2, 1),
        (f"{SEEDS} seeds of three_exits at once, 64×2", SMALL, 20, SEEDS),
    )
    for name, sizes, calls, seeds in work:
        updates = trainer(*sizes[:2], hidden=sizes[2]) if seeds == 1 else TrainerGroup(trainers("iql"))
        found = spent(warm(updates.step, WAIT + 10 if sizes[2][0] < 200 else 1), calls)
        passes = found["passes forward"] + found["passes backward"]
        flop = 2.0 * seeds * 256 * multiply_adds(*sizes)
        rest = found["all"] - sum(found[words] for words, *_ in PARTS)
        cells = [found["all"], *(found[words] for words, *_ in PARTS), rest]
        lines.append([name, *(f"{cell:.2f}" for cell in cells), f"{flop / passes / 1e6:.0f}"])
    heads = ("update", "all", *(words for words, *_ in PARTS), "the rest", "GFLOP/s of the passes")
    table(f"CPU milliseconds of one thread, the fastest of {ROUNDS} rounds", heads, lines)
