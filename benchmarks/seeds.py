"""What the papers' figures have in common: trained seeds, methods at strengths that other episodes chose, and the sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from workbench.engine.metrics.choose import Played, choose_strength
from workbench.engine.metrics.cost import network_evaluations
from workbench.engine.metrics.intervals import Interval, bootstrap_mean, bootstrap_runs
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.wide_bandit import WideBandit
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.together import fit_together
from workbench.engine.training.loop.trainer import Trainer

SEEDS, STATES, EPISODES = range(5), 256, 200
CHOOSING, REPORTING = 1000, 2000
TASKS: dict[str, Callable[[], Task]] = {
    "bandit1d": lambda: make_task("bandit1d"),
    "bandit2d": lambda: make_task("bandit2d"),
    "wide bandit": WideBandit,
    "three_exits": lambda: make_task("three_exits"),
}
WEIGHTS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


def trained(task: Task, **settings: Any) -> list[Trainer]:
    """One training a seed, by the task's settings and ``settings``."""
    config = task.training_defaults() | settings
    trainers = [Trainer(task.generate(None, seed), make_config(**config, seed=seed)) for seed in SEEDS]
    for _ in fit_together(trainers):
        pass
    return trainers


def verdict(difference: Interval) -> str:
    """What an interval of a difference says of the claim that it is above 0."""
    if difference.low > 0.0:
        return "holds here"
    return "does not hold here" if difference.high < 0.0 else "is undecided here"


def said(claim: str, difference: Interval, seeds: int = len(SEEDS)) -> None:
    """The sentence of a figure."""
    span = f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
    print(f"  {claim}: {verdict(difference)} ({span}, 95% over {seeds} training seeds)")


def of_seeds(values: np.ndarray) -> str:
    found = bootstrap_mean(values)
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"


def asked(trainer: Trainer, rule: Rule, seed: int) -> tuple[torch.Tensor, Noise]:
    """States of the data and noise, the same for every rule."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(len(trainer.data), (STATES,), generator=generator)
    states = torch.from_numpy(trainer.data.observations)[rows]
    return states, draw_noise(STATES, 1, trainer.parts().action_dim, generator, rule.extra_draws())


class Method(NamedTuple):
    """A rule with its settings, and the strengths to choose from along ``axis``; no axis: as it is."""

    rule: str
    axis: str = ""
    strengths: tuple[float, ...] = (0.0,)
    settings: Mapping[str, Any] = {}

    def at(self, strength: float) -> Rule:
        """At one of its strengths."""
        whole = int(strength) if self.axis in ("steps", "particles") else strength
        return make_rule(self.rule, **self.settings, **({self.axis: whole} if self.axis else {}))


class Best(NamedTuple):
    """A method at the strength that the choosing episodes prefer: what it reports, for each seed, and what a decision costs."""

    chosen: str
    reported: Interval
    returns: list[np.ndarray]
    evaluations: int


def best_of(method: Method, task: Task, trainers: Sequence[Trainer], episodes: int | None = None) -> Best:
    played = []
    for strength in method.strengths:
        for number, trainer in enumerate(trainers):
            for base in (CHOOSING, REPORTING):
                record = rollout(method.at(strength), trainer.parts(), task, episodes or EPISODES, base + number)
                played.append(Played(float(strength), number, base, record.returns))
    choice = choose_strength(played, [CHOOSING], [REPORTING])
    returns = [p.returns for p in played if (p.strength, p.seed) == (choice.strength, REPORTING)]
    state = torch.zeros(task.info.observation_dim)
    cost = network_evaluations(method.at(choice.strength), trainers[0].parts(), state)
    return Best(f"{method.axis} = {choice.strength:g}" if method.axis else "", choice.reported, returns, cost)


def paired(one: Best, two: Best) -> Interval:
    """Mean difference of the returns of the same seeds and episodes."""
    return bootstrap_runs([a - b for a, b in zip(one.returns, two.returns, strict=True)])


def shown(best: Best) -> str:
    return f"{best.reported.mean:.3f} [{best.reported.low:.3f}, {best.reported.high:.3f}]"
