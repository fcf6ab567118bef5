"""The two OGBench benchmarks: generate, fit, choose the weight on one evaluation seed, report it on another."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.timing import table
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.storage import load_saved, save_generated
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer


def measure(name: str, rows: int, weights: tuple[float, ...], seeds: range, episodes: int, title: str) -> None:
    task = make_task(name)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        save_generated(task, Path(folder) / "data", rows, 0)
        generated = time.perf_counter() - start
        data = load_saved(task, Path(folder) / "data")
    lines = []
    for seed in seeds:
        start = time.perf_counter()
        trainer = Trainer(data, make_config(**task.training_defaults(), seed=seed))
        for _ in fit(trainer):
            pass
        trained, parts = time.perf_counter() - start, trainer.parts()

        def success(rule: str, base: int, seed: int = seed, parts: object = parts, **settings: object) -> float:
            return float(rollout(make_rule(rule, **settings), parts, task, episodes, base + seed).success.mean())

        choosing = [success("qgf", 1000, weight=w) for w in weights]
        weight = weights[int(np.argmax(choosing))]
        report = success("qgf", 2000, weight=weight)
        shown = " ".join(f"{w:g}:{s:.0%}" for w, s in zip(weights, choosing, strict=True))
        lines.append([seed, f"{trained:.0f} s", f"{success('bc', 2000):.0%}", shown, f"{weight:g}", f"{report:.0%}"])
    heads = ("seed", "fit", "BC", "choosing (weight:success)", "chosen w", "reported success")
    table(f"{title}; {rows:,} rows generated in {generated:.0f} s", heads, lines)
