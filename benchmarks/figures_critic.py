"""Counterparts of QGF's figures about the critic: does guidance survive noise (3), and does a better critic steer better (10)?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.stats import spearmanr

from benchmarks.seeds import CHOOSING, REPORTING, SEEDS, STATES, TASKS, WEIGHTS, Method, asked, of_seeds, said, trained
from benchmarks.timing import table
from workbench.engine.metrics.estimator import noise_sensitivity
from workbench.engine.metrics.intervals import bootstrap_mean
from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.rollout import rollout
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses.floq import returns_to_go

GRADIENTS = ("qgf", "qgf_jacobian", "qgf_chain", "bptt", "noisy")
SIZES = (0.03, 0.1, 0.3, 1.0)  # ‖ε‖, action units
SHARES = (1 / 64, 1 / 16, 1 / 4, 1.0)  # of the task's updates that a critic is trained for
LOOKED_AT, EPISODES = 2000, 100


def noise() -> None:
    """Figure 3: QGF's gradient turns less under noise than other estimators of it."""
    for name, make in TASKS.items():
        found = np.empty((len(GRADIENTS), len(SEEDS), len(SIZES)))
        for number, trainer in enumerate(trained(make())):
            for place, key in enumerate(GRADIENTS):
                rule = make_rule(key)
                states, drawn = asked(trainer, rule, 3000 + number)
                generator = torch.Generator().manual_seed(number)
                directions = torch.randn(rule.flow_steps, *drawn.start.shape, generator=generator)
                turned = noise_sensitivity(rule, trainer.parts(), states, drawn, directions, SIZES)
                found[place, number] = [level.mean for level in turned.cosine]
        table(
            f"{name}: cos(g(a_t), g(a_t + ε)), mean over {STATES} states and all t, of {len(SEEDS)} seeds [95%]",
            ("rule", *[f"‖ε‖ = {size:g}" for size in SIZES]),
            [[key, *[of_seeds(found[i, :, e]) for e in range(len(SIZES))]] for i, key in enumerate(GRADIENTS)],
        )
        for place, key in enumerate(GRADIENTS[1:], 1):
            difference = (found[0] - found[place]).mean(1)
            said(f"QGF's gradient turns less under noise than that of {key}", bootstrap_mean(difference))


def ranking(parts: Parts, trainer: Trainer) -> float:
    """Rank correlation of Q with what the data earned from the same rows on."""
    data, rows = trainer.data, min(LOOKED_AT, len(trainer.data))
    assert parts.critic is not None
    states = parts.normalize(torch.from_numpy(data.observations[:rows]))
    with torch.no_grad():
        q = q_values(parts.critic, states, torch.from_numpy(data.actions[:rows]), "mean")
    return float(spearmanr(q.numpy(), returns_to_go(data, parts.discount, rows)).statistic)


def better_critic() -> None:
    """Figure 10: the better the critic, the better QGF; one finished flow, critics after more and more updates."""
    for name in ("bandit2d", "wide bandit", "three_exits"):
        task = TASKS[name]()
        finished = trained(task)
        steps = int(task.training_defaults()["steps"])
        quality, reached = np.empty((2, len(SHARES), len(SEEDS)))
        for level, share in enumerate(SHARES):
            critics = finished if share == 1.0 else trained(task, steps=max(1, round(share * steps)))
            parts = []
            for number, (flow, other) in enumerate(zip(finished, critics, strict=True)):
                critic = other.parts()
                parts.append(
                    replace(flow.parts(), critic=critic.critic, target_critic=critic.target_critic, value=critic.value)
                )
                quality[level, number] = ranking(parts[-1], flow)
            returns = np.array(
                [
                    [
                        [
                            rollout(
                                Method("qgf", "weight").at(weight), each, task, EPISODES, base + number
                            ).returns.mean()
                            for number, each in enumerate(parts)
                        ]
                        for base in (CHOOSING, REPORTING)
                    ]
                    for weight in WEIGHTS
                ]
            )  # (weights, choosing and reporting, seeds)
            reached[level] = returns[returns[:, 0].mean(1).argmax(), 1]
        table(
            f"{name}: critics after a share of the updates, one finished flow",
            ("updates", "rank correlation with what the data earned", "QGF's return"),
            [[f"{s:.3g}", of_seeds(quality[i]), of_seeds(reached[i])] for i, s in enumerate(SHARES)],
        )
        said("the longest-trained critic ranks better than the shortest", bootstrap_mean(quality[-1] - quality[0]))
        said("QGF returns more with it", bootstrap_mean(reached[-1] - reached[0]))
        along = [spearmanr(quality[:, seed], reached[:, seed]).statistic for seed in range(len(SEEDS))]
        said("the better a critic ranks, the better QGF (rank correlation)", bootstrap_mean(np.nan_to_num(along)))
