"""How good is a behaviour flow of few steps? Ordinary and mean flow at T = 1, 2 and 10: distance from the data, and QGF's return.

Distance: exact W2 between actions that the flow draws at states of the data and the data's own actions there, of 1,000 states,
all states together, the floor taken off (the data's actions there against those elsewhere). Return: `three_exits`, QGF at its
default weight, of which each flow step takes its share, 200 episodes that nothing was chosen on. Training seeds 1 to 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.timing import table
from workbench.engine.metrics.shift import wasserstein2
from workbench.engine.models.velocity import sample
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer

SEEDS, STEPS, ROWS, EPISODES = (1, 2, 3), (1, 2, 10), 1000, 200
FLOWS = ("flow_matching", "mean_flow")


def train(name: str, flow: str, seed: int) -> Trainer:
    task = make_task(name)
    trainer = Trainer(
        task.generate(None, seed), make_config(**(task.training_defaults() | {"behaviour": flow, "seed": seed}))
    )
    for _ in fit(trainer):
        pass
    return trainer


def distances(trainer: Trainer, seed: int) -> list[float]:
    """W2 from the data, floor taken off, at every T."""
    data = trainer.data
    first, second = np.random.default_rng(seed).permutation(len(data))[: 2 * ROWS].reshape(2, ROWS)
    there, elsewhere = (np.asarray(data.actions[np.sort(rows)], dtype=np.float64) for rows in (first, second))
    states = trainer.parts().normalize(torch.from_numpy(np.asarray(data.observations[np.sort(first)])).float())
    floor, found = wasserstein2(elsewhere, there), []
    for steps in STEPS:
        noise = torch.randn(there.shape, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            drawn = sample(trainer.networks.reference, states, noise, steps).double().numpy()
        found.append(float(np.sqrt(max(wasserstein2(drawn, there) ** 2 - floor**2, 0.0))))
    return found


def returns(trainer: Trainer, seed: int) -> list[float]:
    """Of QGF at every T."""
    task = make_task("three_exits")
    parts = trainer.parts()
    played = (rollout(make_rule("qgf", flow_steps=steps), parts, task, EPISODES, 2000 + seed) for steps in STEPS)
    return [float(record.returns.mean()) for record in played]


def cell(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ({' '.join(f'{value:.3f}' for value in values)})"


def run() -> None:
    rows = []
    for name in ("bandit2d", "three_exits"):
        for flow in FLOWS:
            trainers = {seed: train(name, flow, seed) for seed in SEEDS}
            measured = {"W2": [distances(trainer, seed) for seed, trainer in trainers.items()]}
            if name == "three_exits":
                measured["QGF's return"] = [returns(trainer, seed) for seed, trainer in trainers.items()]
            for what, found in measured.items():
                rows.append([name, flow, what, *(cell(of_one) for of_one in zip(*found, strict=True))])
    heads = ("task", "flow", "measured", *(f"T = {steps}" for steps in STEPS))
    table(f"few steps of the behaviour flow, {len(SEEDS)} training seeds: mean (each seed)", heads, rows)
