"""Grids and stores that take a second: few rows, few steps, small networks; and results made up of nothing."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import save_generated
from workbench.experiments.grid import Grid
from workbench.experiments.job import Data
from workbench.experiments.store import Store
from workbench.experiments.sweep import check_data

TASK = "three_exits"
DATA = {"fingerprint": None, "folder": None, "clip_actions": False}
QUICK = {"fit.steps": (20,), "fit.hidden": ((8, 8),), "fit.batch_size": (16,)}


def small_data(folder: Path) -> Data:
    save_generated(make_task(TASK), folder, 500, 0)
    return check_data(Data(folder=str(folder)), TASK)


def small_grid(data: Data, **changes: Any) -> Grid:
    axes = QUICK | changes.pop("axes", {"weight": (0.0, 0.3)})
    return Grid(
        **{"tasks": (TASK,), "rules": ("qgf",), "axes": axes, "seeds": (0, 1), "episodes": 5, "data": data} | changes
    )


def record(key: str, seed: int = 0) -> dict[str, Any]:
    job = {"task": "t", "rule": "qgf", "seed": seed, "episodes": 2, "settings": {}, "training": {}, "data": DATA}
    return {"key": key, "job": job, "changed": {"settings": {"weight": 0.3}, "training": {}}}


def measured(mean: float) -> dict[str, Any]:
    span = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}
    one = {"return": span, "success": span, "shift": {"w2": 0.5}, "version": 2, "transport": 0.2, "gap": None}
    seeds = {"choose": 1, "report": 2}
    return {
        "choose": one,
        "report": one,
        "seconds": 1.0,
        "training": {"folder": "trained/a"},
        "evaluation_seeds": seeds,
    }


def finish(store: Store, key: str, mean: float = 0.5, seed: int = 0) -> bool:
    store.describe(record(key, seed))
    store.begin(key)
    return store.finish(
        record(key, seed),
        measured(mean),
        {name: np.array([0.25, 1.0]) for name in ("choose.returns", "report.returns")},
    )


def results_in_index(store: Store) -> dict[str, int]:
    """How many different results the index has of each job.

    A result may have two lines that say the same: who reads a store between a result and its line adds the line as well.
    """
    lines = set((Path(store.where) / "index.jsonl").read_text().splitlines())
    return Counter(row["key"] for row in map(json.loads, lines) if row.get("status") == "done")
