"""OGBench cube-single: 100k rows, fit, best QGF weight on seeds not used for choosing."""

from __future__ import annotations

from benchmarks.ogbench_task import measure


def run() -> None:
    title = "cube-single-play (to reach: success 35%)"
    measure("ogbench/cube-single-play-singletask-v0", 100_000, (0.1, 0.3, 0.6, 1.0), range(1), 100, title)
