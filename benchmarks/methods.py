"""three_exits by every rule of the registry: score at a strength chosen on other episodes, each seed, and what it costs.

One IQL critic and all learned parts are trained per training seed. The strength of a rule that is steered at test time is
chosen on one set of evaluation seeds and reported on another. A method that is steered in training has its strength from
`ThreeExits.training_defaults`, which was set on training seed 0; the seeds here are others. Second table: methods with
the critic that was published with them, TD with the actor's own actions.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from benchmarks.timing import median_seconds, table
from workbench.engine.metrics.choose import Played, choose_strength
from workbench.engine.metrics.cost import network_evaluations
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import LEARNED_PARTS
from workbench.engine.training.plan import extra_parts

SEEDS, EPISODES = (1, 2, 3), 300
CHOOSING, REPORTING = 1000, 2000
BUDGETS = {"weight": (0.1, 0.3, 1.0, 3.0), "steps": (1, 3, 10), "particles": (4, 32)}
PLAIN = {"ascent": "plain", "step_size": 0.002, "alpha": 0.02, "pick": "uniform"}
LIMIT = {"ascent": "plain", "step_size": 0.1, "pick": "uniform"}  # the same force without temperature: 0.002 / 0.02
SETTINGS: dict[str, dict[str, Any]] = {"vgf": PLAIN, "vgf_zero": LIMIT, "vgf_amortised": LIMIT}
ACTORS = ("fql", "rebrac", "edp", "qam")  # published with a critic that plays what they play


def train(seed: int, critic: str, **settings: Any) -> tuple[float, Trainer]:
    task, start = ThreeExits(), time.perf_counter()
    config = make_config(**(task.training_defaults(critic) | {"seed": seed} | settings))
    trainer = Trainer(task.generate(None, seed), config)
    for _ in fit(trainer):
        pass
    return time.perf_counter() - start, trainer


def play(parts: Parts, name: str, run: int, base: int, budget: float, **settings: Any) -> Played:
    rule = make_rule(name, **(SETTINGS.get(name, {}) | settings))
    returns = rollout(rule, parts, ThreeExits(), EPISODES, base + run).returns
    return Played(budget, run, base, returns)


def update_ms(trainer: Trainer, part: str) -> float:
    """Median time of an update of this part alone, milliseconds."""
    batch, noise = trainer.draw()
    return 1e3 * median_seconds(lambda: trainer.update(batch, {part: noise[part]}), 20)


def budgets_of(name: str) -> tuple[float, ...]:
    """Strengths to choose from; one, where the strength was set in training or there is none."""
    rule = RULES[name]
    return (0.0,) if rule.trained_strength or rule.strength not in BUDGETS else BUDGETS[rule.strength]


def with_one_critic() -> None:
    runs, times = {}, {}
    for seed in SEEDS:
        _, trainer = train(seed, "iql", parts=tuple(LEARNED_PARTS))
        runs[seed] = trainer.parts()
        times = {part: update_ms(trainer, part) for part in LEARNED_PARTS}
    rows = []
    for name, rule in RULES.items():
        played = []
        for budget in budgets_of(name):
            strength = {} if budgets_of(name) == (0.0,) else {rule.strength: budget}
            for base in (CHOOSING, REPORTING):
                played += [play(parts, name, seed, base, budget, **strength) for seed, parts in runs.items()]
        choice = choose_strength(played, [CHOOSING], [REPORTING])
        each = " ".join(
            f"{p.returns.mean():.2f}" for p in played if (p.strength, p.seed) == (choice.strength, REPORTING)
        )
        found = choice.reported
        evaluations = network_evaluations(make_rule(name), next(iter(runs.values())), torch.zeros(4))
        own = sum(times[part] for part in extra_parts(rule.needs))
        where = f"{rule.strength} = {choice.strength:g}" if budgets_of(name) != (0.0,) else rule.trained_strength or ""
        score = f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"
        rows.append([name, where, score, each, evaluations, f"{own:.1f}" if own else ""])
    heads = ("rule", "strength", "score", "each seed", "evaluations an action", "own update, ms")
    table(f"three_exits, one IQL critic: {len(SEEDS)} training seeds, {EPISODES} episodes each", heads, rows)


def with_their_own() -> None:
    rows = []
    for name in ACTORS:
        seconds, scores = [], []
        for seed in SEEDS:
            spent, trainer = train(seed, "td_actor", actor=name)
            seconds.append(spent)
            scores.append(play(trainer.parts(), name, seed, REPORTING, 0.0).returns.mean())
        each = " ".join(f"{score:.2f}" for score in scores)
        rows.append([name, f"{np.mean(scores):.2f}", each, f"{np.median(seconds):.0f}"])
    table("three_exits, critic td_actor", ("rule", "score", "each seed", "data and training, s"), rows)


def run() -> None:
    with_one_critic()
    with_their_own()
