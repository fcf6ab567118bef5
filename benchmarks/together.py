"""Five seeds of three_exits trained at once, against one seed and against five one after the other, on one thread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.timing import table
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.config import make_config
from workbench.engine.training.together import TrainerGroup
from workbench.engine.training.trainer import Trainer

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


def run() -> None:
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
