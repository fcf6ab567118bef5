"""Decoupled Q-chunking's claim on a chain whose values are known: long chunks carry them farther in as many updates."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.seeds import SEEDS, of_seeds, said
from benchmarks.timing import table
from workbench.engine.data.transitions import Transitions, make_transitions
from workbench.engine.metrics.intervals import bootstrap_mean
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.together import fit_together
from workbench.engine.training.loop.trainer import Trainer

LENGTH, DISCOUNT, EPISODES = 40, 0.99, 100
CHUNKS, UPDATES = (1, 3, 9), (500, 1500, 4000)


def walked(seed: int) -> Transitions:
    """Episodes that begin anywhere on the chain and go to its end, a step at a time, each at the cost of 1."""
    starts = np.random.default_rng(seed).integers(0, LENGTH - max(CHUNKS), EPISODES)
    seen = np.concatenate([np.arange(start, LENGTH) for start in starts]).astype(float)[:, None] / LENGTH
    over = np.isclose(seen[:, 0], (LENGTH - 1) / LENGTH)
    ones = np.ones(len(seen))
    return make_transitions(seen, ones[:, None], -ones, 1.0 - over, seen + 1.0 / LENGTH, over)


def chain() -> None:
    """Root mean square error of the state value against −(1 − γ^k) / (1 − γ), k steps from the end."""
    states = torch.arange(LENGTH)[:, None] / LENGTH
    exact = -(1.0 - DISCOUNT ** (LENGTH - np.arange(LENGTH))) / (1.0 - DISCOUNT)
    errors = np.empty((len(CHUNKS), len(UPDATES), len(SEEDS)))
    for place, chunk in enumerate(CHUNKS):
        for column, updates in enumerate(UPDATES):
            settings = {
                "critic": "dqc",
                "dqc_chunk": chunk,
                "hidden": (64, 64),
                "batch_size": 256,
                "learning_rate": 1e-3,
            }
            trainers = [
                Trainer(walked(seed), make_config(**settings, discount=DISCOUNT, steps=updates, tau=0.02, seed=seed))
                for seed in SEEDS
            ]
            for _ in fit_together(trainers):
                pass
            for number, trainer in enumerate(trainers):
                parts = trainer.parts()
                assert parts.value is not None
                with torch.no_grad():
                    value = parts.value(parts.normalize(states)).numpy()
                errors[place, column, number] = np.sqrt(np.square(value - exact).mean())
    table(
        f"a chain of {LENGTH} states: error of V, of values from {exact.min():.1f} to {exact.max():.0f}",
        ("teacher's chunk", *[f"{updates:,} updates" for updates in UPDATES]),
        [[chunk, *map(of_seeds, errors[place])] for place, chunk in enumerate(CHUNKS)],
    )
    for place, chunk in enumerate(CHUNKS[1:], 1):
        said(
            f"chunks of {chunk} are nearer to the exact values after {UPDATES[0]:,} updates than single steps",
            bootstrap_mean(errors[0, 0] - errors[place, 0]),
        )
