"""three_exits: return, shift and the critic's promise against the strength of three rules, five seeds, compared fairly.

The best strength is chosen on one set of evaluation seeds and reported on another; the rules are compared at their best
and at the same measured shift. Ten particles and a kernel make VGF the slow one: some minutes in all.
"""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.timing import table
from workbench.engine.metrics.choose import Played, choose_strength
from workbench.engine.metrics.evaluate import SHIFT_DRAWS, SHIFT_STATES
from workbench.engine.metrics.matched import compare_at_shift
from workbench.engine.metrics.shift import draw_clouds, shift_between
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.together import fit_together
from workbench.engine.training.loop.trainer import Trainer

SEEDS, EPISODES = range(5), 200
RULES = {
    "qgf": ("weight", (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0), {}),
    "grad_step": ("steps", (0, 1, 2, 5, 10, 20, 40), {}),
    "vgf": ("steps", (0, 1, 3, 10, 30), {"ascent": "plain", "step_size": 0.002, "alpha": 0.02, "pick": "uniform"}),
}
SHIFTS = (0.05, 0.1, 0.2, 0.4)


def run() -> None:
    task = ThreeExits()
    trainers = [
        Trainer(task.generate(None, seed), make_config(**task.training_defaults(), seed=seed)) for seed in SEEDS
    ]
    for _ in fit_together(trainers):
        pass
    choosing, reporting = [1000 + seed for seed in SEEDS], [2000 + seed for seed in SEEDS]
    methods: dict[str, list[Played]] = {}
    for name, (key, strengths, settings) in RULES.items():
        methods[name], lines = [], []
        for strength in strengths:
            rule = make_rule(name, **{key: strength}, **settings)
            promised, lengths = [], []
            for seed, trainer in zip(SEEDS, trainers, strict=True):
                parts = trainer.parts()
                assert parts.behaviour_states is not None
                states = parts.behaviour_states[:SHIFT_STATES]
                clouds = draw_clouds(rule, parts, states, SHIFT_DRAWS, torch.Generator().manual_seed(seed))
                shift = shift_between(clouds, rule, parts, states, seed, likelihood=False)
                for base in (1000, 2000):
                    played = rollout(rule, parts, task, EPISODES, base + seed)
                    methods[name].append(Played(float(strength), seed, base + seed, played.returns, shift.w2))
                promised.append(played.q_first.mean())
                lengths.append(clouds.transport)
            mine = [p for p in methods[name] if p.strength == strength and p.seed in reporting]
            returns = [p.returns.mean() for p in mine]
            medians = np.median(returns), np.median([p.shift for p in mine]), np.median(lengths), np.median(promised)
            each = " ".join(f"{r:.2f}" for r in returns)
            lines.append([f"{strength:g}", *[f"{m:.3f}" for m in medians], each])
        heads = (key, "return", "shift", "transport", "promised", "return of each seed")
        table(f"three_exits, {name}: medians of {len(SEEDS)} seeds, {EPISODES} episodes each", heads, lines)
    best = {name: choose_strength(played, choosing, reporting) for name, played in methods.items()}
    matched = compare_at_shift(methods, SHIFTS, reporting)
    table(
        "mean return with 95% interval over seeds and episodes: at the strength chosen on other episodes, and at equal shift",
        ("rule", "chosen strength", "its return", *[f"shift {shift:g}" for shift in SHIFTS]),
        [
            [
                name,
                f"{best[name].strength:g}",
                *[
                    "not measured" if x is None else f"{x.mean:.2f} [{x.low:.2f}, {x.high:.2f}]"
                    for x in (best[name].reported, *matched[name])
                ],
            ]
            for name in methods
        ],
    )
