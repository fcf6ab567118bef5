"""The same as `estimator` on OGBench pointmaze-medium: 500k rows are generated and one seed is trained first (two minutes)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.estimator import report
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import load_saved, save_generated
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer

WEIGHTS = (0.0, 1.0, 10.0, 30.0, 100.0, 1000.0)


def run() -> None:
    task = make_task("ogbench/pointmaze-medium-navigate-singletask-v0")
    with tempfile.TemporaryDirectory() as folder:
        save_generated(task, Path(folder), 500_000, 0)
        data = load_saved(task, Path(folder))
    trainer = Trainer(data, make_config(**task.training_defaults(), seed=0))
    for _ in fit(trainer):
        pass
    report("pointmaze-medium-navigate", [(trainer.parts(), data)], WEIGHTS)
