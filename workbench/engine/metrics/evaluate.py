"""Evaluate a rule on a task: return, success, shift, support, coverage, value gap and cost in one object."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.engine.inference import outside_inference_mode
from workbench.engine.metrics.cost import network_evaluations, seconds_alone
from workbench.engine.metrics.coverage import Coverage, measure_coverage
from workbench.engine.metrics.intervals import Interval, bootstrap_mean
from workbench.engine.metrics.mmd import MmdBound, mmd_bound
from workbench.engine.metrics.shift import Clouds, Shift, draw_clouds, shift_between
from workbench.engine.metrics.support import DataSupport, Support
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import Rule
from workbench.engine.tasks.modes import KnowsModes
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
    transport : MmdBound or None
        For rules that VGF's bound on MMD² is about: the two beside each other.
    q_estimate : float or None
        The critic's own value of the first actions, task units; None without a critic.
    q_gap : float or None
        ``q_estimate`` minus their discounted Monte-Carlo return: above 0 the critic is over-optimistic.
    q_gap_interval : Interval or None
        The same with its interval over episodes, estimate and return of each start state paired.
    support : Support or None
        Where the data are given.
    coverage : Coverage or None
        Where the task knows its modes.
    chunk : int
        h, environment actions per decision.
    network_evaluations : int
        Per decision; over ``chunk`` it is the cost of one environment action.
    ms_per_action, ms_per_decision : float
        Wall time per environment action and per decision as it was in this evaluation (many states at a time).
    ms_alone : float
        Wall time of a decision at one state, median of warm calls: the latency of a deployed policy.
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
    transport: MmdBound | None
    q_estimate: float | None
    q_gap: float | None
    q_gap_interval: Interval | None
    support: Support | None
    coverage: Coverage | None
    chunk: int
    network_evaluations: int
    ms_per_action: float
    ms_per_decision: float
    ms_alone: float
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
            "transport": None if self.transport is None else asdict(self.transport),
            "q_estimate": self.q_estimate,
            "q_gap": self.q_gap,
            "q_gap_interval": None if self.q_gap_interval is None else self.q_gap_interval.as_dict(),
            "support": None if self.support is None else asdict(self.support),
            "coverage": None if self.coverage is None else asdict(self.coverage),
            "chunk": self.chunk,
            "network_evaluations": self.network_evaluations,
            "network_evaluations_per_action": self.network_evaluations / self.chunk,
            "ms_per_action": self.ms_per_action,
            "ms_per_decision": self.ms_per_decision,
            "ms_alone": self.ms_alone,
        }


@outside_inference_mode
def evaluate(
    rule: Rule,
    parts: Parts,
    task: Task,
    episodes: int,
    seed: int,
    probes: Tensor | None = None,
    tick: Tick | None = None,
    data: DataSupport | None = None,
) -> Evaluation:
    """Play episodes and measure everything that can be had.

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
    data : DataSupport, optional
        The dataset, made ready once for many evaluations; without it ``support`` stays empty. Of an action chunk the first step
        is compared with the data's actions.

    Raises
    ------
    ValueError
        Fewer than one episode, or a rule that needs a part that is missing.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    path: list[np.ndarray] = []

    def watch(observations: np.ndarray, moved: np.ndarray) -> None:
        path.append(observations.copy())

    played = rollout(rule, parts, task, episodes, seed, tick, watch if isinstance(task, KnowsModes) else None)
    if probes is None:
        probes = played.starts_tensor(parts)
    probes = probes[:SHIFT_STATES]
    clouds = draw_clouds(rule, parts, probes, SHIFT_DRAWS, torch.Generator(probes.device).manual_seed(seed))
    gaps = played.q_first - played.discounted if np.isfinite(played.q_first).all() else None
    return Evaluation(
        task=task.info.name,
        rule=rule.name,
        settings=rule.model_dump(),
        episodes=episodes,
        seed=seed,
        returns=bootstrap_mean(played.returns, seed),
        success=bootstrap_mean(played.success.astype(np.float64), seed),
        shift=shift_between(clouds, rule, parts, probes, seed),
        transport=mmd_bound(rule, parts, probes, torch.Generator(probes.device).manual_seed(seed)),
        q_estimate=None if gaps is None else float(played.q_first.mean()),
        q_gap=None if gaps is None else float(gaps.mean()),
        q_gap_interval=None if gaps is None else bootstrap_mean(gaps, seed),
        support=None if data is None else support_of(clouds, data, parts, probes),
        coverage=_coverage(task, path, played) if isinstance(task, KnowsModes) else None,
        chunk=parts.chunk,
        network_evaluations=network_evaluations(rule, parts, probes[0]),
        ms_per_action=1e3 * played.seconds_per_action,
        ms_per_decision=1e3 * played.seconds_per_decision,
        ms_alone=1e3 * seconds_alone(rule, parts, probes[0]),
        record=played,
    )


def support_of(clouds: Clouds, data: DataSupport, parts: Parts, probes: Tensor) -> Support:
    """How near the actions chosen at ``probes`` (B, S) are to the data; of an action chunk the first step."""
    return data.measure(probes.cpu().numpy(), clouds.chosen[..., : parts.step_dim].cpu().numpy())


def _coverage(task: KnowsModes, path: list[np.ndarray], played: Episodes) -> Coverage:
    return measure_coverage(task.mode_names, task.modes(np.stack(path), played.first_actions, played.returns))
