"""Offline to online on three_exits: return against environment steps, from the offline policy's on."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.timing import table
from workbench.engine.online.config import make_online_config
from workbench.engine.online.learner import Learner
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer

SEEDS, STEPS, EVERY, EPISODES = range(3), 10_000, 2500, 300
WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # critic and parts of the offline run; who acts
    "VGF (td_vgf)": (
        {"critic": "td_vgf"},
        {"rule": "vgf", "settings": {"ascent": "plain", "step_size": 0.002, "alpha": 0.02}},
    ),
    "FQL (td_actor)": ({"critic": "td_actor", "parts": ["one_step"]}, {"rule": "fql"}),
}


def course(offline: dict[str, Any], acting: dict[str, Any], seed: int) -> tuple[list[float], float]:
    """Mean returns of the evaluations, and the seconds that the online part took."""
    task = ThreeExits()
    config = make_config(**(task.training_defaults(offline["critic"]) | offline), seed=seed)
    trainer = Trainer(task.generate(None, seed), config)
    for _ in fit(trainer):
        pass
    online = make_online_config(**acting, steps=STEPS, eval_every=EVERY, eval_episodes=EPISODES, seed=1000 + seed)
    start = time.perf_counter()
    returns = [event.returns.mean for event in Learner(trainer, task, online).run() if event.kind == "evaluated"]
    return returns, time.perf_counter() - start


def run() -> None:
    lines = []
    for name, (offline, acting) in WAYS.items():
        runs = [course(offline, acting, seed) for seed in SEEDS]
        returns = np.array([found for found, _ in runs])
        gain = returns[:, -1] - returns[:, 0]
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        seconds = np.median([spent for _, spent in runs])
        shown = " ".join(f"{value:.2f}" for value in returns.mean(0))
        each = " ".join(f"{value:+.2f}" for value in gain)
        lines.append([name, shown, f"{gain.mean():+.2f} ± {error:.2f}", each, f"{seconds:.0f} s"])
    heads = ("method", f"return every {EVERY:,} steps", "gain ± standard error", "gain, each seed", "online part")
    table(f"three_exits, {STEPS:,} environment steps after offline training, {len(SEEDS)} seeds", heads, lines)
