"""What the page of training draws: loss curves from the log, value curves and landscapes from the snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.engine.tasks.registry import make_listed
from workbench.engine.training.loop.checkpoint import Run, load_run
from workbench.engine.training.loop.snapshots import list_snapshots, load_snapshot
from workbench.runs.launched import Training
from workbench.views.csv_file import csv_of
from workbench.views.links import state_of
from workbench.views.policies import ALL_TASKS
from workbench.views.question import Policy, Question
from workbench.views.terrain import Terrain, View, terrain

PROBES = 64
LINES = 600  # points of a curve; a longer log is thinned


def curves(reports: Sequence[dict[str, Any]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Step and value of every loss in the log, thinned to some hundred points each."""
    by_name: dict[str, list[tuple[float, float]]] = {}
    for report in reports[:: max(1, len(reports) // LINES)]:
        for name, value in report["losses"].items():
            by_name.setdefault(name, []).append((report["step"], value))
    return {name: (np.array(points)[:, 0], np.array(points)[:, 1]) for name, points in by_name.items()}


def parts_at(run: Run, step: int = -1) -> Parts:
    """The parts of ``run`` as they were after ``step`` updates; its last ones with −1.

    Raises
    ------
    CheckpointError
        There is no snapshot of that moment.
    """
    return run.parts() if step < 0 else load_snapshot(run, step)


@dataclass(frozen=True)
class Moment:
    """The values at one snapshot, at dataset states, task units.

    Attributes
    ----------
    step : int
    behaviour, guided : float
        Mean Q of the behaviour flow's actions, and of QGF's at its default weight, by the same critic.
    value : float
        Mean V; NaN for a critic without one.
    """

    step: int
    behaviour: float
    guided: float
    value: float


@torch.no_grad()
def moment(run: Run, step: int) -> Moment:
    """Read the snapshot of ``step`` and measure it at the run's first 64 probe states, always with the same noise."""
    parts, states = load_snapshot(run, step), run.probes[:PROBES]
    noise = draw_noise(len(states), 1, parts.action_dim, torch.Generator().manual_seed(0))
    rows = parts.normalize(states)
    behaviour, guided = (_mean_q(parts, rows, act(make_rule(name), parts, states, noise)) for name in ("bc", "qgf"))
    value = float("nan") if parts.value is None else float(parts.value(rows).mean()) / parts.reward_scale
    return Moment(step, behaviour, guided, value)


def _mean_q(parts: Parts, rows: torch.Tensor, actions: torch.Tensor) -> float:
    return float(q_values(parts.pick_critic("target"), rows, actions, "min").mean()) / parts.reward_scale


@dataclass(frozen=True)
class Look:
    """What of a training is asked for: the snapshot nearest to ``step`` (−1: the last), and the moments not yet known."""

    training: Training
    step: int
    known: frozenset[int]
    rule: str = "qgf"


@dataclass(frozen=True)
class Seen:
    """The answer: the snapshot's step and landscape (None with more or fewer than two action dimensions), new moments."""

    step: int
    steps: list[int]
    terrain: Terrain | None
    moments: list[Moment]


def see(look: Look) -> Seen:
    """Read the run folder; CheckpointError while there is no checkpoint."""
    run = load_run(look.training.run)
    steps = list_snapshots(look.training.run)
    if not steps:
        return Seen(-1, [], None, [])
    step = steps[-1] if look.step < 0 else min(steps, key=lambda one: abs(one - look.step))
    fresh = [moment(run, one) for one in steps if one not in look.known]
    return Seen(step, steps, landscape_at(run, look.training.task, step, look.rule), fresh)


def landscape_at(run: Run, task_name: str, step: int, rule: str) -> Terrain | None:
    """The landscape and the particles of ``rule`` at a snapshot, at a state of the task's own or of the data."""
    parts, task = load_snapshot(run, step), make_listed(task_name)
    if parts.action_dim < 2:
        return None
    state = state_of(task_name) if task_name in ALL_TASKS else tuple(float(value) for value in run.probes[0])
    plane: Any = (0, 1) if parts.action_dim == 2 else "principal"
    return terrain(View(Question(task_name, (Policy(rule),), shown=128, state=state), plane), parts, task)


def as_csv(reports: Sequence[dict[str, Any]], moments: Sequence[Moment]) -> bytes:
    """One line a number (update, name, value): the losses of every report, then the values of every snapshot that was seen."""
    rows = [[report["step"], f"loss_{name}", loss] for report in reports for name, loss in report["losses"].items()]
    for one in sorted(moments, key=lambda one: one.step):
        values = {"q_behaviour": one.behaviour, "q_qgf": one.guided, "v": one.value}
        rows += [[one.step, name, value] for name, value in values.items() if np.isfinite(value)]
    return csv_of(["update", "name", "value"], rows)
