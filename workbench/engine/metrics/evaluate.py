"""Evaluate a rule on a task: return, success, shift, support, coverage, the critic's error and cost in one object."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.engine.glossary import VERSION
from workbench.engine.inference import outside_inference_mode
from workbench.engine.metrics.cost import network_evaluations, seconds_alone
from workbench.engine.metrics.coverage import Coverage, measure_coverage
from workbench.engine.metrics.intervals import Interval, bootstrap_mean
from workbench.engine.metrics.mmd import MmdBound, mmd_bound
from workbench.engine.metrics.shift import Clouds, Shift, draw_clouds, shift_between
from workbench.engine.metrics.support import Support
from workbench.engine.metrics.visited import (
    Home,
    OccupancyShift,
    Source,
    States,
    Watcher,
    behaviour_episodes,
    behaviour_states,
    is_kept,
    keep,
    occupancy_shift,
    scale_of,
)
from workbench.engine.models.parts import KnowsData, Parts
from workbench.engine.showing import Shown
from workbench.engine.steering.protocol import Rule, SettingValue
from workbench.engine.steering.rules.bc import BC
from workbench.engine.tasks.latency import Latency
from workbench.engine.tasks.modes import KnowsModes
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.rollout import Episodes, Tick, Watch, rollout
from workbench.engine.words import UserError

SHIFT_STATES = 64
SHIFT_DRAWS = 32


@dataclass(frozen=True)
class Evaluation(Shown):
    """The result of `evaluate`; `as_dict` is what ``workbench evaluate --json`` prints.

    `workbench.engine.glossary` says what each number is, and what it hides.

    Attributes
    ----------
    task, rule : str
    settings : dict
    episodes, seed : int
    returns, success : Interval
        Undiscounted episode return in task units; share of episodes that reached the goal.
    gain : Interval
        Return minus that of the behaviour policy's episodes from the same starts and noise, paired.
    promised : Interval or None
        The critic's own value of the first actions, task units; None without a critic.
    earned : Interval
        The discounted return that came of the same first actions, task units.
    gap : Interval or None
        ``promised`` minus ``earned``, paired: above 0 the critic is over-optimistic.
    transport : float
        Mean length of the way that the critic's pushes take a particle, action units.
    shift : Shift
        At states that the behaviour policy visits, the same ones for every rule.
    own_shift : Shift
        The same at states that the steered policy visits (without likelihoods).
    occupancy : OccupancyShift
        Distance between the states that the steered and the behaviour policy visit.
    states_from : {"dataset", "behaviour episodes", "given"}
        Where the states of ``shift``, ``transport``, ``support`` and ``mmd_bound`` are from.
    states : int
        How many they are.
    mmd_bound : MmdBound or None
        For rules that VGF's bound on MMD² is about: the two beside each other.
    support : Support or None
        Where the data are given.
    coverage : Coverage or None
        Where the task knows its modes.
    chunk : int
        h, environment actions per decision.
    latency : Latency
        How long a decision took in the episodes, and what was played meanwhile.
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
    settings: dict[str, SettingValue]
    episodes: int
    seed: int
    returns: Interval
    success: Interval
    gain: Interval
    promised: Interval | None
    earned: Interval
    gap: Interval | None
    transport: float
    shift: Shift
    own_shift: Shift
    occupancy: OccupancyShift
    states_from: Source
    states: int
    mmd_bound: MmdBound | None
    support: Support | None
    coverage: Coverage | None
    chunk: int
    latency: Latency
    network_evaluations: int
    ms_per_action: float
    ms_per_decision: float
    ms_alone: float
    record: Episodes

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON; the numbers by their keys in the glossary."""
        own = self.own_shift.as_dict()
        return {
            "version": VERSION,
            "task": self.task,
            "rule": self.rule,
            "settings": self.settings,
            "episodes": self.episodes,
            "seed": self.seed,
            "return": self.returns.as_dict(),
            "success": self.success.as_dict(),
            "gain": self.gain.as_dict(),
            "promised": _plain(self.promised),
            "earned": self.earned.as_dict(),
            "gap": _plain(self.gap),
            "transport": self.transport,
            "shift": self.shift.as_dict(),
            "own_shift": {name: own[name] for name in ("displacement", "w2", "w2_interval", "w2_floor")},
            "occupancy": asdict(self.occupancy),
            "states": {"from": self.states_from, "count": self.states},
            "mmd_bound": _plain(self.mmd_bound),
            "support": _plain(self.support),
            "coverage": _plain(self.coverage),
            "chunk": self.chunk,
            "latency": self.latency.model_dump(),
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
    data: KnowsData | None = None,
    watch: Watch | None = None,
    latency: Latency | None = None,
) -> Evaluation:
    """Play episodes with a rule, and measure what it earns, what was promised, and how far it goes from the data.

    The behaviour policy's episodes from the same starts are played too, once for all rules that are evaluated with the same
    parts, task and seed.

    Parameters
    ----------
    rule, parts, task
    episodes : int
        At least 1.
    seed : int
        Fixes starts and noise. Choose a strength on one seed and report it on another.
    probes : Tensor, optional
        (P, S) other states at which shift is measured (the first 64). Without it they are `behaviour_states`: the same for
        every rule, so that a rule cannot look harmless by being silent where an episode starts.
    tick : callable, optional
        ``tick(finished, episodes)``, for a progress bar.
    data : KnowsData, optional
        The dataset (`DataSupport`), made ready once for many evaluations; ``parts.data`` without it, and where that is missing
        too ``support`` stays empty. Of an action chunk the first step is compared with the data's actions.
    watch : callable, optional
        As for `rollout`: sees the steered episodes as they are played.
    latency : Latency, optional
        How long a decision takes in the steered episodes. The behaviour policy's, and what is measured at single states, are
        without it: so ``gain`` has what latency costs in it.

    Returns
    -------
    Evaluation
        Its ``as_dict()`` is what a store keeps.

    Raises
    ------
    UserError
        Fewer than one episode, or a rule that needs a part that is missing.
    """
    if episodes < 1:
        raise UserError(f"episodes must be at least 1, got {episodes}")
    latency = latency or Latency()
    unsteered = type(rule) is BC and rule.pick == "uniform" and latency == Latency()
    twice = not unsteered and not is_kept(parts, task, episodes, seed, rule)
    home = behaviour_episodes(parts, task, episodes, seed, rule, _half(tick, 0)) if twice else None
    path: list[np.ndarray] = []
    watcher = Watcher(parts.chunk, latency)

    def see(observations: np.ndarray, moved: np.ndarray) -> None:
        watcher(observations, moved)
        if isinstance(task, KnowsModes):
            path.append(observations.copy())
        if watch is not None:
            watch(observations, moved)

    played = rollout(rule, parts, task, episodes, seed, _half(tick, 1) if twice else tick, see, latency=latency)
    visited = watcher.visited
    if unsteered:
        home = keep(parts, task, episodes, seed, rule, Home(played, visited))
    elif home is None:
        home = behaviour_episodes(parts, task, episodes, seed, rule)
    where, data = behaviour_states(parts, task), data or parts.data
    scale = scale_of(where.rows)
    if probes is not None:
        where = States(probes.to(parts.device), "given")
    rows = where.rows[:SHIFT_STATES]
    own = torch.from_numpy(visited.sample(SHIFT_STATES, seed)).to(parts.device)
    clouds, here = (_clouds(rule, parts, states, seed) for states in (rows, own))
    gaps = played.q_first - played.discounted if np.isfinite(played.q_first).all() else None
    return Evaluation(
        task=task.info.name,
        rule=rule.name,
        settings=rule.model_dump(),
        episodes=episodes,
        seed=seed,
        returns=bootstrap_mean(played.returns, seed),
        success=bootstrap_mean(played.success.astype(np.float64), seed),
        gain=bootstrap_mean(played.returns - home.record.returns, seed),
        promised=None if gaps is None else bootstrap_mean(played.q_first, seed),
        earned=bootstrap_mean(played.discounted, seed),
        gap=None if gaps is None else bootstrap_mean(gaps, seed),
        transport=clouds.transport,
        shift=shift_between(clouds, rule, parts, rows, seed),
        own_shift=shift_between(here, rule, parts, own, seed, likelihood=False),
        occupancy=occupancy_shift(visited, home.visited, scale, seed),
        states_from=where.source,
        states=len(rows),
        mmd_bound=mmd_bound(rule, parts, rows, torch.Generator(rows.device).manual_seed(seed)),
        support=None if data is None else support_of(clouds, data, parts, rows),
        coverage=_coverage(task, path, played) if isinstance(task, KnowsModes) else None,
        chunk=parts.chunk,
        latency=latency,
        network_evaluations=network_evaluations(rule, parts, rows[0]),
        ms_per_action=1e3 * played.seconds_per_action,
        ms_per_decision=1e3 * played.seconds_per_decision,
        ms_alone=1e3 * seconds_alone(rule, parts, rows[0]),
        record=played,
    )


def _clouds(rule: Rule, parts: Parts, states: Tensor, seed: int) -> Clouds:
    return draw_clouds(rule, parts, states, SHIFT_DRAWS, torch.Generator(states.device).manual_seed(seed))


def _half(tick: Tick | None, done: int) -> Tick | None:
    """Report one half of the progress: the behaviour policy's episodes come first (``done`` = 0), the rule's own second
    (1).
    """
    return None if tick is None else lambda finished, total: tick(done * total + finished, 2 * total)


def _plain(value: Any) -> Any:
    return None if value is None else asdict(value)


def support_of(clouds: Clouds, data: KnowsData, parts: Parts, states: Tensor) -> Support:
    """How near the actions chosen at ``states`` (B, S) are to the data; of an action chunk the first step."""
    support: Support = data.measure(states.cpu().numpy(), clouds.chosen[..., : parts.step_dim].cpu().numpy())
    return support


def _coverage(task: KnowsModes, path: list[np.ndarray], played: Episodes) -> Coverage:
    return measure_coverage(task.mode_names, task.modes(np.stack(path), played.first_actions, played.returns))
