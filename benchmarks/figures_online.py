"""Offline to online on a real task: pointmaze of OGBench, generated here; VGF against FQL."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.seeds import CHOOSING, of_seeds, said
from benchmarks.timing import table
from workbench.engine.data.transitions import Transitions
from workbench.engine.metrics.intervals import bootstrap_mean
from workbench.engine.online.config import make_online_config
from workbench.engine.online.learner import Learner
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.storage import load_saved, save_generated
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer

TASK = "ogbench/pointmaze-medium-navigate-singletask-v0"
ROWS, UPDATES, SEEDS = 100_000, 4000, range(3)
STEPS, EVERY, EPISODES = 16_000, 8000, 20
SMALL = {"hidden": (64, 64), "steps": UPDATES}


class Way(NamedTuple):
    """What is trained offline, who acts, and the strengths to choose from by the return of the offline policy's episodes.

    Attributes
    ----------
    rule : str
    offline : dict
    trainings, settings : tuple of dict
        Strengths: of the training, a training each; and of the rule.
    """

    rule: str
    offline: dict[str, Any]
    trainings: tuple[dict[str, Any], ...] = ({},)
    settings: tuple[dict[str, Any], ...] = ({},)


WAYS = {
    "VGF": Way(
        "vgf",
        # looked for on seed 11: with the published Adam steps in the backup nobody reaches the goal offline
        {"critic": "td_vgf", "reference_steps": UPDATES, "ascent": "plain", "step_size": 0.1},
        trainings=tuple({"alpha": alpha} for alpha in (0.02, 0.2)),
        settings=tuple({"steps": steps} for steps in (1, 3, 10)),
    ),
    "FQL": Way(
        "fql",
        {"critic": "td_actor", "parts": ("one_step",), "actor": "fql", "normalize_q": True},
        trainings=tuple({"fql_alpha": alpha} for alpha in (0.03, 0.1, 0.3)),
    ),
}


def course(task: Task, data: Transitions, way: Way, seed: int) -> tuple[dict[str, Any], list[float]]:
    """The strength that acted, and the success of each evaluation."""
    tried = []
    for training in way.trainings:
        settings = SMALL | way.offline | training
        trainer = Trainer(data, make_config(**task.training_defaults(way.offline["critic"]) | settings, seed=seed))
        for _ in fit(trainer):
            pass
        for chosen in way.settings:
            played = rollout(make_rule(way.rule, **chosen), trainer.parts(), task, EPISODES, CHOOSING + seed)
            tried.append((played.returns.mean(), trainer, training, chosen))
    _, trainer, training, chosen = max(tried, key=lambda one: one[0])  # the first of equals
    online = make_online_config(
        rule=way.rule,
        settings=chosen,
        steps=STEPS,
        updates_per_step=0.5,
        eval_every=EVERY,
        eval_episodes=EPISODES,
        seed=2001 + 2 * seed,
    )
    events = Learner(trainer, task, online).run()
    success = [event.success.mean for event in events if event.kind == "evaluated" and event.success is not None]
    return training | chosen, success


def online() -> None:
    """VGF's offline-to-online runs against FQL's."""
    task = make_task(TASK)
    with tempfile.TemporaryDirectory() as folder:
        save_generated(task, Path(folder), ROWS, 0, processes=1)
        data = load_saved(task, Path(folder))
    found, rows = {}, []
    for name, way in WAYS.items():
        runs = [course(task, data, way, seed) for seed in SEEDS]
        # the last round of episodes may go past the end, and be evaluated on its own
        length = min(len(success) for _, success in runs)
        found[name] = np.array([success[:length] for _, success in runs])
        chosen = ", ".join(f"{key} = {value:g}" for strength, _ in runs for key, value in strength.items())
        rows.append([name, chosen, *[of_seeds(found[name][:, at]) for at in range(length)]])
    most = min(success.shape[1] for success in found.values())
    size = f"{ROWS:,} rows, {UPDATES:,} updates offline, then {STEPS:,} steps"
    table(
        f"pointmaze-medium-navigate, {size}: success, {len(SEEDS)} seeds",
        ("method", "chosen", "offline", *[f"{at * EVERY:,} steps" for at in range(1, most)]),
        [row[: 2 + most] for row in rows],
    )
    gains = {way: success[:, most - 1] - success[:, 0] for way, success in found.items()}
    for way, gain in gains.items():
        said(f"{way} succeeds more often after the steps than before", bootstrap_mean(gain), len(SEEDS))
    ends = found["VGF"][:, most - 1] - found["FQL"][:, most - 1]
    said("VGF succeeds more often than FQL at the end", bootstrap_mean(ends), len(SEEDS))
    said("VGF gains more than FQL", bootstrap_mean(gains["VGF"] - gains["FQL"]), len(SEEDS))
