"""Noise sensitivity of the guidance estimators (QGF, figure 3) and the Q that they reach (figure 4), on three_exits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.timing import table
from workbench.engine.data.transitions import Transitions
from workbench.engine.metrics.estimator import noise_sensitivity, q_reached
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.together import fit_together
from workbench.engine.training.loop.trainer import Trainer

RULES = ("qgf", "qgf_jacobian", "qgf_chain", "bptt", "noisy")
SIZES = (0.01, 0.03, 0.1, 0.3, 1.0)  # ‖ε‖, action units
WEIGHTS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
SEEDS, STATES = range(5), 256


def run() -> None:
    task = ThreeExits()
    trainers = [
        Trainer(task.generate(None, seed), make_config(**task.training_defaults(), seed=seed)) for seed in SEEDS
    ]
    for _ in fit_together(trainers):
        pass
    report("three_exits", [(trainer.parts(), trainer.data) for trainer in trainers], WEIGHTS)


def report(task: str, runs: Sequence[tuple[Parts, Transitions]], weights: Sequence[float]) -> None:
    """Print both tables, and where QGF is not the highest; every rule is asked with the same noise at the same states."""
    cosines, reached = np.empty((len(RULES), len(runs), len(SIZES))), np.empty((len(RULES), len(runs), len(weights)))
    for number, (parts, data) in enumerate(runs):
        generator = torch.Generator().manual_seed(1000 + number)
        rows = torch.randint(len(data), (STATES,), generator=generator)
        states, drawn = torch.from_numpy(data.observations)[rows], generator.get_state()
        for i, name in enumerate(RULES):
            rule = make_rule(name)
            generator.set_state(drawn)  # the same noise for each; extra draws come besides
            noise = draw_noise(STATES, 1, parts.action_dim, generator, rule.extra_draws())
            directions = torch.randn(
                rule.flow_steps, *noise.start.shape, generator=torch.Generator().manual_seed(number)
            )
            found = noise_sensitivity(rule, parts, states, noise, directions, SIZES)
            cosines[i, number] = [level.mean for level in found.cosine]
            reached[i, number] = q_reached(rule, parts, states, noise, weights)
    mean = cosines.mean(1)
    table(
        f"{task}: cos(g(a_t), g(a_t + ε)), mean of {len(runs)} seeds, {STATES} states, all t (to reach: QGF the highest)",
        ("rule", *[f"‖ε‖ = {size:g}" for size in SIZES]),
        [[name, *[f"{c:.4f}" for c in row]] for name, row in zip(RULES, mean, strict=True)],
    )
    for level, size in enumerate(SIZES):
        best = int(mean[:, level].argmax())
        wins = int((cosines[0, :, level] >= cosines[:, :, level].max(0)).sum())
        word = (
            "highest"
            if best == 0
            else f"not the highest: {RULES[best]} is, by {mean[best, level] - mean[0, level]:.1e}"
        )
        print(f"  ‖ε‖ = {size:g}: qgf is {word}; first in {wins} of {len(runs)} seeds")
    table(
        f"{task}: Q reached, task units, mean of {len(runs)} seeds",
        ("rule", *[f"w = {w:g}" for w in weights]),
        [[name, *[f"{q:.4f}" for q in row]] for name, row in zip(RULES, reached.mean(1), strict=True)],
    )
