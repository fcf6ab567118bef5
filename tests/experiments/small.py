"""Grids and stores that take a second: few rows, few steps, small networks."""

from pathlib import Path
from typing import Any

from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import save_generated
from workbench.experiments.grid import Grid
from workbench.experiments.job import Data
from workbench.experiments.sweep import check_data

TASK = "three_exits"
QUICK = {"fit.steps": (20,), "fit.hidden": ((8, 8),), "fit.batch_size": (16,)}


def small_data(folder: Path) -> Data:
    save_generated(make_task(TASK), folder, 500, 0)
    return check_data(Data(folder=str(folder)), TASK)


def small_grid(data: Data, **changes: Any) -> Grid:
    axes = QUICK | changes.pop("axes", {"weight": (0.0, 0.3)})
    return Grid(
        **{"tasks": (TASK,), "rules": ("qgf",), "axes": axes, "seeds": (0, 1), "episodes": 5, "data": data} | changes
    )
