"""OGBench pointmaze-medium: 500k rows, fit, best QGF weight, three seeds."""

from __future__ import annotations

from benchmarks.ogbench_task import measure


def run() -> None:
    title = "pointmaze-medium-navigate (to reach: rows 40 s, fit 150 s, success 95%, BC at most 5%)"
    measure("ogbench/pointmaze-medium-navigate-singletask-v0", 500_000, (1.0, 10.0, 30.0), range(3), 50, title)
