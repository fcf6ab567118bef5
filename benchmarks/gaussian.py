"""three_exits with a Gaussian behaviour policy beside the flow: what it can imitate, and what steering makes of it.

One IQL critic per training seed, with each behaviour policy. The strength of a rule is chosen on one set of evaluation seeds and
reported on another.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.timing import table
from workbench.engine.metrics.choose import Played, choose_strength
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer

SEEDS = (1, 2, 3)
EPISODES = 50
CHOOSING = 1000
REPORTING = 2000
BEHAVIOURS = ("flow_matching", "gaussian")
SHOWN: dict[str, tuple[float, ...]] = {"best_of_n": (8,), "qgf": (0.3, 1.0, 3.0), "vgf": (1, 3)}
SETTINGS: dict[str, dict[str, Any]] = {"vgf": {"ascent": "plain", "step_size": 0.002, "alpha": 0.02, "pick": "uniform"}}


def train(behaviour: str, seed: int) -> Parts:
    task = ThreeExits()
    config = make_config(**(task.training_defaults() | {"behaviour": behaviour, "seed": seed}))
    trainer = Trainer(task.generate(None, seed), config)
    for _ in fit(trainer):
        pass
    return trainer.parts()


def play(name: str, parts: Parts, run: int, base: int, **settings: Any) -> Played:
    rule = make_rule(name, **(SETTINGS.get(name, {}) | settings))
    strength = float(settings.get(RULES[name].strength, 0.0))
    return Played(strength, run, base, rollout(rule, parts, ThreeExits(), EPISODES, base + run).returns)


def row(behaviour: str, name: str, runs: dict[int, Parts]) -> list[object]:
    key = RULES[name].strength
    tried: list[dict[str, Any]] = [{key: strength} for strength in SHOWN.get(name, ())] or [{}]
    played = [
        play(name, parts, seed, base, **settings)
        for settings in tried
        for base in (CHOOSING, REPORTING)
        for seed, parts in runs.items()
    ]
    choice = choose_strength(played, [CHOOSING], [REPORTING])
    found = choice.reported
    each = [p.returns.mean() for p in played if (p.strength, p.seed) == (choice.strength, REPORTING)]
    where = f"{key} = {choice.strength:g}" if name in SHOWN else ""
    score = f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"
    return [behaviour, name, where, score, " ".join(f"{mean:.2f}" for mean in each)]


def run() -> None:
    rows, started = [], time.process_time()
    for behaviour in BEHAVIOURS:
        runs = {seed: train(behaviour, seed) for seed in SEEDS}
        rows += [row(behaviour, name, runs) for name in ("bc", *SHOWN)]
    heads = ("behaviour", "rule", "strength", "score", "each seed")
    table(f"three_exits, IQL critic: {len(SEEDS)} training seeds, {EPISODES} episodes each", heads, rows)
    print(f"{time.process_time() - started:.0f} s of CPU")
