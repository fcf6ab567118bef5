"""Five seeds of three_exits trained at once, against one seed and against five one after the other.

First on one thread, then as a sweep does it on two cores: three seeds in one process, two in another, at the same time.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.timing import table
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.together import TrainerGroup
from workbench.engine.training.loop.trainer import Trainer

SEEDS, UPDATES, REPEATS = 5, 100, 15


def trainers(critic: str) -> list[Trainer]:
    task = ThreeExits()
    settings = task.training_defaults(critic) | ({"reference_steps": 1} if critic == "td_vgf" else {})
    return [Trainer(task.generate(None, seed), make_config(**settings, seed=seed)) for seed in range(SEEDS)]


def repeat(step: Callable[[], Any]) -> Callable[[], None]:
    def call() -> None:
        for _ in range(UPDATES):
            step()

    return call


def distance(together: list[Trainer], alone: list[Trainer]) -> float:
    """Largest difference between any two weights of the same seed."""
    return max(
        float((found.networks.net(name).theta - own.networks.net(name).theta).detach().abs().max())
        for found, own in zip(together, alone, strict=True)
        for name in own.networks.modules()
    )


def measure(critic: str) -> list[str]:
    group, alone, one = TrainerGroup(trainers(critic)), trainers(critic), trainers(critic)[0]
    group.step()
    one.step()
    for trainer in alone:
        trainer.step()
    for _ in range(UPDATES - 1):
        group.step()
        for trainer in alone:
            trainer.step()
    apart = distance(group.hand_back(), alone)
    calls = [repeat(one.step), repeat(group.step), repeat(lambda: [trainer.step() for trainer in alone])]
    times: list[tuple[list[float], ...]] = []
    for _ in range(REPEATS):
        spent = []
        for call in calls:
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            spent.append([time.perf_counter() - wall, time.process_time() - cpu])
        times.append(tuple(spent))
    medians = [statistics.median(run[i][0] for run in times) / UPDATES * 1e3 for i in range(3)]
    ratios = [statistics.median(run[i][kind] / run[0][kind] for run in times) for kind in (0, 1) for i in (1, 2)]
    return [
        critic,
        *(f"{value:.2f}" for value in medians),
        *(f"{value:.2f}×" for value in ratios),
        f"{apart:.0e}",
    ]


def _some(seeds: int, start: Any, repeats: int) -> list[float]:
    """In a process of its own: seconds of each repeat of 100 updates of ``seeds`` seeds, begun together with the others."""
    torch.set_num_threads(1)
    chosen = trainers("iql")[:seeds]
    step = TrainerGroup(chosen).step if seeds > 1 else chosen[0].step
    repeat(step)()
    start.wait()
    spent = []
    for _ in range(repeats):
        before = time.perf_counter()
        repeat(step)()
        spent.append(time.perf_counter() - before)
    return spent


def _at_the_same_time(groups: tuple[int, ...], repeats: int = REPEATS) -> float:
    """Milliseconds of an update of all ``groups``, each in its process: the slowest group's median."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(len(groups)) as pool:
        start = manager.Barrier(len(groups))
        waiting = [pool.apply_async(_some, (seeds, start, repeats)) for seeds in groups]
        return max(statistics.median(one.get()) for one in waiting) / UPDATES * 1e3


def two_processes() -> None:
    """What five seeds cost on two cores, next to one seed, measured in turn."""
    runs = [(_at_the_same_time((1,)), _at_the_same_time((3, 2))) for _ in range(3)]
    one, five = (statistics.median(column) for column in zip(*runs, strict=True))
    ratio = statistics.median(b / a for a, b in runs)
    table(
        "three_exits, IQL, as a sweep trains five seeds on two cores: three at once beside two (to reach: 2)",
        ("one, ms", "five, ms", "five / one"),
        [[f"{one:.2f}", f"{five:.2f}", f"{ratio:.2f}×"]],
    )


def run() -> None:
    two_processes()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = [measure(critic) for critic in ("iql", "td_vgf")]
    finally:
        torch.set_num_threads(before)
    heads = ("critic", "one, ms", "five at once, ms", "five in turn, ms", "at once / one", "in turn / one")
    table(
        f"three_exits, an update of {SEEDS} seeds on one thread: medians of {REPEATS} × {UPDATES} updates "
        "(to reach: at once / one = 2)",
        (*heads, "CPU: at once / one", "CPU: in turn / one", "largest difference after 100"),
        rows,
    )
