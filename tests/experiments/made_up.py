"""Stores with numbers made up for tests: real jobs, invented measurements."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from workbench.experiments.grid import Grid
from workbench.experiments.job import Job
from workbench.experiments.store import Store
from workbench.experiments.sweep import record_of

# What a job measures: returns (choose, report) of its episodes, shift W2, Q-estimate.
Measure = Callable[[dict[str, float], int], tuple[np.ndarray, np.ndarray, float, float]]


def made_up_store(
    folder: Path | str, grid: Grid, measure: Measure, leave_out: Callable[[Any], bool] | None = None
) -> Store:
    """A store in which every job of ``grid`` has the result that ``measure`` invents from its settings and seed."""
    store = Store(folder, create=True)
    jobs = grid.jobs()
    records = {job.key: record_of(job) for job in jobs}
    store.note_sweep(grid.model_dump(mode="json"), grid.command(store.where), records.values())
    for job in jobs:
        if leave_out is not None and leave_out(job):
            continue
        chosen, reported, w2, q = measure(job.settings, job.seed)
        store.describe(records[job.key])
        store.begin(job.key)
        result = {
            "choose": measured(chosen, w2, q),
            "report": measured(reported, w2, q) | bound_of(job),
            "evaluation_seeds": job.evaluation_seeds(),
            "training": {"folder": "trained/none", "fingerprint": "0", "device": "cpu", "steps": 1},
            "device": "cpu",
            "seconds": 1.0,
        }
        arrays = {"choose.returns": chosen.astype(np.float32), "report.returns": reported.astype(np.float32)}
        assert store.finish(records[job.key], result, arrays)
    return store


def bound_of(job: Job) -> dict[str, Any]:
    """A hundredth of the steps as MMD², and ten times that as its bound, for rules that VGF's theory is about."""
    if "alpha" not in job.settings:
        return {"transport": None}
    found = job.settings["steps"] / 100
    return {"mmd_bound": {"mmd2": found, "bound": 10 * found, "stepwise": 5 * found, "unproven": ""}}


def whole(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean, "high": mean}


def measured(returns: np.ndarray, w2: float, q: float) -> dict[str, Any]:
    mean = float(returns.mean())
    span = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}
    return {
        "version": 2, "return": span, "success": span, "shift": {"w2": w2, "displacement": w2}, "transport": 2 * w2,
        "promised": whole(q), "earned": whole(mean), "gap": whole(q - mean),
        "network_evaluations": 20, "ms_per_decision": 0.5, "ms_alone": 2.0,
    }  # fmt: skip
