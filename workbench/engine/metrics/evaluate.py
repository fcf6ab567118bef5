"""Evaluate a rule on a task: return, success, shift, budget, value gap and cost in one object."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import Tensor

from workbench.engine.metrics.cost import network_evaluations
from workbench.engine.metrics.intervals import Interval, bootstrap_mean
from workbench.engine.metrics.shift import Shift, measure_shift
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import Rule
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.rollout import Episodes, Tick, rollout

SHIFT_STATES, SHIFT_DRAWS = 64, 32


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`; `as_dict` is what ``workbench evaluate --json`` prints.

    Attributes
    ----------
    task, rule : str
    settings : dict
    episodes, seed : int
    returns, success : Interval
        Undiscounted episode return in task units; share of episodes that reached the goal.
    shift : Shift
    q_estimate : float or None
        The critic's own value of the first actions, task units; None without a critic.
    q_gap : float or None
        ``q_estimate`` minus their discounted Monte-Carlo return: above 0 the critic is over-optimistic.
    chunk : int
        h, environment actions per decision.
    network_evaluations : int
        Per decision; over ``chunk`` it is the cost of one environment action.
    ms_per_action, ms_per_decision : float
        Wall time per environment action and per decision as it was in this evaluation (many states at a time).
    record : Episodes
        The episodes themselves.
    """

    task: str
    rule: str
    settings: dict[str, Any]
    episodes: int
    seed: int
    returns: Interval
    success: Interval
    shift: Shift
    q_estimate: float | None
    q_gap: float | None
    chunk: int
    network_evaluations: int
    ms_per_action: float
    ms_per_decision: float
    record: Episodes

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        shift = asdict(self.shift)
        budget = shift.pop("budget")
        return {
            "task": self.task,
            "rule": self.rule,
            "settings": self.settings,
            "episodes": self.episodes,
            "seed": self.seed,
            "return": self.returns.as_dict(),
            "success": self.success.as_dict(),
            "shift": shift,
            "budget": budget,
            "q_estimate": self.q_estimate,
            "q_gap": self.q_gap,
            "chunk": self.chunk,
            "network_evaluations": self.network_evaluations,
            "network_evaluations_per_action": self.network_evaluations / self.chunk,
            "ms_per_action": self.ms_per_action,
            "ms_per_decision": self.ms_per_decision,
        }


def evaluate(
    rule: Rule,
    parts: Parts,
    task: Task,
    episodes: int,
    seed: int,
    probes: Tensor | None = None,
    tick: Tick | None = None,
) -> Evaluation:
    """Play episodes and measure shift.

    Parameters
    ----------
    rule, parts, task
    episodes : int
        At least 1.
    seed : int
        Fixes starts and noise. Choose a budget on one seed and report it on another.
    probes : Tensor, optional
        (P, S) states at which shift is measured (the first 64); the episodes' start states without it.
    tick : callable, optional
        ``tick(finished, episodes)``, for a progress bar.

    Raises
    ------
    ValueError
        Fewer than one episode, or a rule that needs a part that is missing.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    played = rollout(rule, parts, task, episodes, seed, tick)
    if probes is None:
        probes = played.starts_tensor(parts)
    shift = measure_shift(rule, parts, probes[:SHIFT_STATES], SHIFT_DRAWS, seed)
    known = bool(np.isfinite(played.q_first).all())
    q = float(played.q_first.mean()) if known else None
    return Evaluation(
        task=task.info.name,
        rule=rule.name,
        settings=rule.model_dump(),
        episodes=episodes,
        seed=seed,
        returns=bootstrap_mean(played.returns, seed),
        success=bootstrap_mean(played.success.astype(np.float64), seed),
        shift=shift,
        q_estimate=q,
        q_gap=float((played.q_first - played.discounted).mean()) if known else None,
        chunk=parts.chunk,
        network_evaluations=network_evaluations(rule, parts, probes[0]),
        ms_per_action=1e3 * played.seconds_per_action,
        ms_per_decision=1e3 * played.seconds_per_decision,
        record=played,
    )
