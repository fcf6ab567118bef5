"""Return against latency: real-time chunking, naive chunks and pauses, at every delay that the chunks allow.

``python -m benchmarks latency [--task NAME] [--chunk H] [--seeds K] [--episodes E] [--weight W ...]``. The delay is in
environment steps, so the numbers are the same on every machine. Without --task: three_exits, then a maze with fewer rows
than usual.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from benchmarks.timing import table
from workbench.engine.metrics.intervals import bootstrap_runs
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import DuringFlow
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.latency import MEANINGS, Latency
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer

MAZE = "ogbench/pointmaze-medium-navigate-singletask-v0"
# A task: rows of data (None: its own number), changes of its usual training, the most steps of an episode, and the weight.
TASKS: dict[str, tuple[int | None, dict[str, Any], int | None, float]] = {
    "three_exits": (None, {}, None, 0.3),
    MAZE: (100_000, {"steps": 6000, "hidden": (128, 128)}, 400, 10.0),
}
REPORTING = 2000


def trained(task: Task, rows: int | None, settings: dict[str, Any], chunk: int, seed: int) -> Parts:
    config = make_config(**(task.training_defaults() | settings), chunk=chunk, seed=seed)
    trainer = Trainer(task.generate(rows, seed), config)
    for _ in fit(trainer):
        pass
    return trainer.parts()


def measure(name: str, options: Any) -> None:
    rows, settings, most, usual = TASKS.get(name, (None, {}, None, 0.3))
    task = make_task(name)
    policies = [trained(task, rows, settings, options.chunk, seed) for seed in range(options.seeds)]
    goal = task.info.horizon > 500  # such a task pays at the goal alone
    lines = []
    weights = [usual if weight is None else weight for weight in options.weight]
    for rule in (make_rule("bc"), *(make_rule("qgf", weight=weight) for weight in weights)):
        said = f"{rule.name}, w = {rule.weight:g}" if isinstance(rule, DuringFlow) else rule.name
        for delay in range(0, options.chunk // 2 + 1, options.every):
            cells = []
            for way in MEANINGS:
                latency = Latency(delay=delay, way=way, clip=options.clip)
                played = [
                    rollout(rule, parts, task, options.episodes, REPORTING + seed, most_steps=most, latency=latency)
                    for seed, parts in enumerate(policies)
                ]
                found = bootstrap_runs([one.success.astype(float) if goal else one.returns for one in played])
                cells.append(f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]")
            lines.append([said, str(delay), *cells])
            print(*lines[-1], sep="  ", flush=True)
    what = "success" if goal else "return"
    size = f"chunks of {options.chunk} steps, {options.seeds} seeds × {options.episodes} episodes"
    title = f"{name}: {what} against latency, {size}"
    table(f"{title} (β = {options.clip:g}); mean with 95% interval", ("rule", "delay, steps", *MEANINGS), lines)


def run() -> None:
    parser = ArgumentParser(prog="python -m benchmarks latency", description=__doc__)
    parser.add_argument("--task", nargs="+", default=list(TASKS))
    parser.add_argument("--chunk", type=int, default=8)
    parser.add_argument("--every", type=int, default=1, help="steps between the delays")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--episodes", type=int, default=300)
    parser.add_argument(
        "--weight", type=float, nargs="+", default=(None,), help="of QGF; without it the task's usual one"
    )
    parser.add_argument("--clip", type=float, default=5.0, help="of real-time chunking: β")
    options = parser.parse_known_args()[0]
    for name in options.task:
        measure(name, options)
