"""The store: listing a thousand runs, and twenty kills at random (workers, and the sweep itself)."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.sweep import workbench
from benchmarks.timing import table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # the tests' own made-up results and kills

LIST = 0.5  # seconds to reach
KILLS = 20


def run() -> None:
    with tempfile.TemporaryDirectory() as name:
        listing(Path(name))
        kills(Path(name))


def listing(folder: Path) -> None:
    from experiments.made_up import made_up_store

    from workbench.experiments.grid import Grid
    from workbench.experiments.store import INDEX

    def measure(settings: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        returns = np.random.default_rng(seed).random(500)
        return returns, returns, settings["weight"], 1.0

    grid = Grid(
        tasks=("three_exits",), rules=("qgf",), axes={"weight": tuple(0.1 * w for w in range(100))}, seeds=tuple(range(10))
    )  # fmt: skip
    store = made_up_store(folder / "thousand", grid, measure)
    rows = len(store.rows())

    def seconds(*words: str) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            workbench(*words)
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    bare = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import tyro, numpy"], check=True)
        bare.append(time.perf_counter() - start)
    listed = seconds("runs", "list", store.where)
    (Path(store.where) / INDEX).unlink()
    start = time.perf_counter()
    workbench("runs", "list", store.where)
    rebuilt = time.perf_counter() - start
    start = time.perf_counter()
    store.rows()
    lines = [
        [f"workbench runs list, {rows} runs", f"{listed:.2f}", f"{LIST}"],
        ["… of which Python, tyro and numpy start", f"{statistics.median(bare):.2f}", ""],
        ["the same, after the index was deleted", f"{rebuilt:.2f}", ""],
        ["Store.rows(), in a running process", f"{time.perf_counter() - start:.3f}", ""],
    ]
    table("the list of runs", ("what", "seconds", "to reach"), lines)


def kills(folder: Path) -> None:
    from experiments.chaos import Chaos
    from experiments.small import small_data, small_grid

    grid = small_grid(small_data(folder / "data"), axes={"weight": tuple(0.05 * w for w in range(80))})
    chaos, start = Chaos(ROOT, folder / "chaos", grid, KILLS, seed=1), time.perf_counter()
    chaos.run()
    lines = [[str(len(grid.jobs())), str(chaos.killed_sweeps), str(chaos.killed_workers), str(len(chaos.lost())),
              str(len(chaos.doubled())), f"{time.perf_counter() - start:.0f}"]]  # fmt: skip
    heads = ("jobs", "sweeps killed", "workers killed", "results lost", "doubled", "seconds")
    table(
        f"kill -9 at random moments, {KILLS} times unless all jobs are done before (to reach: 0 lost, 0 doubled)",
        heads,
        lines,
    )
