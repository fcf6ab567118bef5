"""three_exits: time of data and training, and the score against the guidance weight, five seeds."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.timing import table
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer

SEEDS, EPISODES = range(5), 1000
WEIGHTS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


def train(seed: int, critic: str) -> tuple[float, Parts]:
    task, start = ThreeExits(), time.perf_counter()
    trainer = Trainer(task.generate(None, seed), make_config(**task.training_defaults(critic), seed=seed))
    for _ in fit(trainer):
        pass
    return time.perf_counter() - start, trainer.parts()


def score(parts: Parts, seed: int, name: str, episodes: int = EPISODES, **settings: object) -> float:
    """Mean return on evaluation seeds that no budget is chosen on: chosen on 1000 + seed, reported on 2000 + seed."""
    return float(rollout(make_rule(name, **settings), parts, ThreeExits(), episodes, seed).returns.mean())


def run() -> None:
    seconds, chosen, reported = [], [], []
    for seed in SEEDS:
        spent, parts = train(seed, "iql")
        seconds.append(spent)
        for record, base in ((chosen, 1000), (reported, 2000)):
            record.append(
                [score(parts, base + seed, "bc"), *[score(parts, base + seed, "qgf", weight=w) for w in WEIGHTS]]
            )
    best = int(np.mean(chosen, 0).argmax())
    means = np.mean(reported, 0)
    names = ["bc", *[f"w = {w:g}" for w in WEIGHTS]]
    table(
        f"three_exits, IQL + QGF: data and 4000 steps in {np.median(seconds):.1f} s, median of 5 (to reach: 8 s)",
        ("rule", "score, mean of 5 seeds", "each seed"),
        [
            [n, f"{m:.3f}", " ".join(f"{row[i]:.2f}" for row in reported)]
            for i, (n, m) in enumerate(zip(names, means, strict=True))
        ],
    )
    print(f"  best by the choosing seeds: {names[best]}, reported {means[best]:.3f} (to reach 0.70);")
    print(f"  w = 30 lies {means[best] - means[-1]:.3f} below it (to reach 0.3)\n")
