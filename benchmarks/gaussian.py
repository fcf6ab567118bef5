"""three_exits with a Gaussian behaviour policy beside the flow: what it can imitate, and what steering makes of it.

One IQL critic per training seed; the networks of critic and value are the same in both columns but for their noise. Strengths are
chosen on one set of evaluation seeds and reported on another.
"""

from __future__ import annotations

import numpy as np

from benchmarks.methods import CHOOSING, REPORTING, SEEDS, SETTINGS, budgets_of, train
from benchmarks.timing import table
from workbench.engine.metrics.choose import Played, choose_strength
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.three_exits import ThreeExits

EPISODES = 100
RULES_SHOWN = ("bc", "best_of_n", "qgf", "vgf")
BEHAVIOURS = ("flow_matching", "gaussian")


def played(parts: Parts, name: str, seed: int, base: int, strength: float, settings: dict[str, float]) -> Played:
    rule = make_rule(name, **(SETTINGS.get(name, {}) | settings))
    return Played(strength, seed, base, rollout(rule, parts, ThreeExits(), EPISODES, base + seed).returns)


def row(behaviour: str, name: str, runs: dict[int, Parts]) -> list[object]:
    strengths, key = budgets_of(name), RULES[name].strength
    found = [
        played(parts, name, seed, base, strength, {} if strengths == (0.0,) else {key: strength})
        for strength in strengths
        for base in (CHOOSING, REPORTING)
        for seed, parts in runs.items()
    ]
    choice = choose_strength(found, [CHOOSING], [REPORTING])
    each = [p.returns.mean() for p in found if (p.strength, p.seed) == (choice.strength, REPORTING)]
    score = f"{choice.reported.mean:.2f} [{choice.reported.low:.2f}, {choice.reported.high:.2f}]"
    where = "" if strengths == (0.0,) else f"{key} = {choice.strength:g}"
    return [behaviour, name, where, score, " ".join(f"{mean:.2f}" for mean in each)]


def run() -> None:
    rows, updates = [], []
    for behaviour in BEHAVIOURS:
        runs = {}
        for seed in SEEDS:
            seconds, trainer = train(seed, "iql", behaviour=behaviour)
            runs[seed] = trainer.parts()
            updates.append(seconds)
        rows += [row(behaviour, name, runs) for name in RULES_SHOWN]
    heads = ("behaviour", "rule", "strength", "score", "each seed")
    table(f"three_exits, IQL critic: {len(SEEDS)} training seeds, {EPISODES} episodes each", heads, rows)
    print(f"data and training, s: {' '.join(f'{seconds:.0f}' for seconds in np.asarray(updates))}")
