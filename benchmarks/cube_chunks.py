"""OGBench cube-single with chunks of 5 actions and without, on the same rows: success at the chosen weight, cost per action."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.timing import table
from workbench.engine.metrics.evaluate import Evaluation, evaluate
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import load_saved, save_generated
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer

TASK, ROWS, EPISODES = "ogbench/cube-single-play-singletask-v0", 100_000, 100
WEIGHTS = (0.03, 0.1, 0.3, 1.0)
CHOOSING, REPORTING = 1000, 2000  # evaluation seeds: the weight is chosen on one and reported on the other


def run() -> None:
    task = make_task(TASK)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        save_generated(task, Path(folder) / "data", ROWS, 0)
        generated = time.perf_counter() - start
        data = load_saved(task, Path(folder) / "data")
    lines = []
    for chunk in (1, 5):
        start = time.perf_counter()
        trainer = Trainer(data, make_config(**task.training_defaults(), chunk=chunk))
        for _ in fit(trainer):
            pass
        trained, parts = time.perf_counter() - start, trainer.parts()

        def play(seed: int, name: str, parts: object = parts, **settings: float) -> Evaluation:
            return evaluate(make_rule(name, **settings), parts, task, EPISODES, seed)

        choosing = [play(CHOOSING, "qgf", weight=w).success.mean for w in WEIGHTS]
        weight = WEIGHTS[int(np.argmax(choosing))]
        shown = " ".join(f"{w:g}:{s:.0%}" for w, s in zip(WEIGHTS, choosing, strict=True))
        for name, settings in {"bc": {}, "qgf": {"weight": weight}}.items():
            result = play(REPORTING, name, **settings)
            rate = f"{result.success.mean:.0%} [{result.success.low:.0%}, {result.success.high:.0%}]"
            cost = f"{result.network_evaluations / chunk:g}", f"{result.ms_per_action:.2f}"
            how = f"{name} w = {weight:g}" if settings else name
            lines.append([chunk, f"{trained:.0f} s", how, rate, *cost, shown if settings else ""])
    heads = ("h", "fit", "rule", "success [95%]", "evaluations/action", "ms/action", "choosing (weight:success)")
    table(f"cube-single-play with action chunks, one seed; {ROWS:,} rows generated in {generated:.0f} s", heads, lines)
