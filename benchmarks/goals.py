"""Goals of hindsight on OGBench's pointmaze, generated here: DQC against critics of short chunks."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.seeds import of_seeds, said
from benchmarks.timing import table
from workbench.engine.metrics.intervals import bootstrap_mean
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.storage import load_saved, save_generated
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.together import fit_together
from workbench.engine.training.loop.trainer import Trainer
from workbench.runs.recipes import RECIPES

TASK = "ogbench/pointmaze-medium-navigate-v0"
ROWS, UPDATES, SEEDS, EPISODES, GOALS = 100_000, 4000, range(3), 25, 5
SIZE = {"hidden": (64, 64), "steps": UPDATES}
DQC = RECIPES["dqc"]
# All play chunks of 5 by the rule of the recipe, best of 32 of the behaviour flow's; returns of 25 steps are off-policy beyond 5.
METHODS: dict[str, dict[str, Any]] = {
    "IQL, chunks of 5": {"critic": "iql", "n_step": 5, "chunk": 5},
    "IQL, 25 steps, chunks of 5": {"critic": "iql", "n_step": 25, "chunk": 5},
    "DQC": {**DQC.training, "n_step": 1},
}


def run() -> None:
    task = make_task(TASK)
    with tempfile.TemporaryDirectory() as folder:
        save_generated(task, Path(folder), ROWS, 0, processes=1)
        data = load_saved(task, Path(folder))
    rule, rows, found = make_rule(DQC.rule, **DQC.settings), [], {}
    for name, settings in METHODS.items():
        success = np.empty((len(SEEDS), GOALS))
        begun = time.process_time()
        config = task.training_defaults() | SIZE | settings
        trainers = [Trainer(data, make_config(**config, seed=seed)) for seed in SEEDS]
        for _ in fit_together(trainers):
            pass
        for number, trainer in enumerate(trainers):
            played = rollout(rule, trainer.parts(), task, EPISODES, 2000 + number).success
            success[number] = [played[goal::GOALS].mean() for goal in range(GOALS)]
        found[name] = success.mean(1)
        each = [f"{of_goal:.0%}" for of_goal in success.mean(0)]
        rows.append([name, *each, of_seeds(found[name]), f"{time.process_time() - begun:.0f} s"])
        print(f"  {name}: {of_seeds(found[name])}", flush=True)
    table(
        f"{TASK}: {ROWS:,} rows, {UPDATES:,} updates, best of 32, {EPISODES} episodes, {len(SEEDS)} seeds: success",
        ("critic", *[f"goal {goal + 1}" for goal in range(GOALS)], "all [95%]", "processor time"),
        rows,
    )
    for name in METHODS:
        if name != "DQC":
            difference = bootstrap_mean(found["DQC"] - found[name])
            said(f"DQC succeeds more often than {name}", difference, len(SEEDS))
