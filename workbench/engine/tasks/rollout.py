"""Episodes of a steered policy, all environments at once; chunks of actions are played open loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from workbench.engine.inference import outside_inference_mode
from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.protocol import Rule
from workbench.engine.tasks.latency import Latency
from workbench.engine.tasks.pilot import Pilot
from workbench.engine.tasks.protocol import Playable, StepResult
from workbench.engine.words import DivergedError, UserError, counted

Tick = Callable[[int, int], None]
Watch = Callable[[np.ndarray, np.ndarray], None]
Record = Callable[[np.ndarray, np.ndarray, np.ndarray, StepResult], None]


@dataclass(frozen=True)
class Episodes:
    """What E episodes gave.

    Attributes
    ----------
    returns : ndarray
        (E,) undiscounted returns, task units.
    discounted : ndarray
        (E,) returns discounted with the critic's γ per environment step: the Monte-Carlo value of the first action.
    q_first : ndarray
        (E,) Q of the first action (the whole first chunk) by the rule's own critic, task units (NaN without a critic).
    success : ndarray
        (E,) bool.
    terminated : ndarray
        (E,) bool: the episode ended by itself, in success or not, before the time limit.
    lengths : ndarray
        (E,) int.
    starts : ndarray
        (E, S) first observations.
    first_actions : ndarray
        (E, d) what was played there, d numbers as the environment takes them.
    seconds_per_action, seconds_per_decision : float
        Wall time inside `act`, per environment action played and per decision, which is a chunk of them. Actions that an
        episode's end left unplayed do not count.
    """

    returns: np.ndarray
    discounted: np.ndarray
    q_first: np.ndarray
    success: np.ndarray
    terminated: np.ndarray
    lengths: np.ndarray
    starts: np.ndarray
    first_actions: np.ndarray
    seconds_per_action: float
    seconds_per_decision: float


@outside_inference_mode
def rollout(
    rule: Rule,
    parts: Parts,
    task: Playable,
    episodes: int,
    seed: int,
    tick: Tick | None = None,
    watch: Watch | None = None,
    record: Record | None = None,
    most_steps: int | None = None,
    latency: Latency | None = None,
) -> Episodes:
    """Play ``episodes`` episodes with ``rule``.

    The noise is drawn for every environment at every decision, active or not, so that two rules with the same seed and
    number of particles meet the same starts and the same noise. With action chunks a decision is h environment steps,
    which are played without looking at the observations between; an episode may end among them. ``latency`` says that a decision
    takes time, and what is played meanwhile.

    Parameters
    ----------
    rule, parts, task
    episodes : int
        E ≥ 1.
    seed : int
        Fixes starts and noise.
    tick : callable, optional
        Called as ``tick(finished, episodes)`` after each step.
    watch : callable, optional
        Called as ``watch(observations, moved)`` with (E, S) and (E,) bool at the start, where all count as moved, and after
        each step: the way to record whole episodes.
    record : callable, optional
        Called as ``record(observations, actions, active, result)`` after each step with what was seen before it, (E,
        S), and the actions, (E, D): the way to make a dataset of the episodes (`Recorder`).
    most_steps : int, optional
        Cut episodes off after so many steps, before the task's own limit.
    latency : Latency, optional
        Without it a decision takes no time.

    Returns
    -------
    Episodes
        Returns (E,), successes (E,) and what else was seen of each.

    Raises
    ------
    UserError
        The parts act with another number of dimensions than the task takes, or their chunks are too short for the latency.
    FloatingPointError
        An observation or a reward of the environment is not finite, or the critic's Q of a first action is not.
    NonFiniteError
        As `act`, with the episode and its step.
    """
    if episodes < 1:
        raise UserError(f"episodes must be at least 1, got {episodes}")
    if parts.step_dim != task.info.action_dim:
        raise UserError(
            f"these parts act with {counted(parts.action_dim, 'number')}, {counted(parts.chunk, 'step')} of "
            f"{parts.step_dim}; task '{task.info.name}' takes {task.info.action_dim} a step: these are the parts of another task"
        )
    pilot = Pilot(rule, parts, task.info.name, episodes, seed, latency or Latency())
    env = task.environments(episodes, seed)
    try:
        observations = starts = env.reset()
        active = np.ones(episodes, dtype=bool)
        check_finite(task, "observation", observations, active, 0)
        returns, discounted = np.zeros(episodes), np.zeros(episodes)
        terminated = np.zeros(episodes, dtype=bool)
        success, lengths = np.zeros(episodes, dtype=bool), np.zeros(episodes, dtype=np.int64)
        q_first, step = np.full(episodes, np.nan), 0
        if watch is not None:
            watch(observations, active)
        while active.any():
            actions = pilot.actions(step, observations, active)
            if step == 0:
                first_actions = actions.copy()
                if parts.critic is not None:
                    q_first[:] = _q_of(rule, parts, *pilot.first)
            result = env.step(actions, active)
            check_finite(task, "observation", result.observations, active, step + 1)
            check_finite(task, "reward", result.rewards[:, None], active, step + 1)
            returns[active] += result.rewards[active]
            discounted[active] += parts.discount**step * result.rewards[active]
            lengths[active] += 1
            success |= active & result.success
            terminated |= active & result.terminated
            if watch is not None:
                watch(result.observations, active)
            if record is not None:
                record(observations, actions, active, result)
            step += 1
            observations = result.observations
            active = active & ~(result.terminated | result.truncated) & (most_steps is None or step < most_steps)
            if tick is not None:
                tick(int(episodes - active.sum()), episodes)
    finally:
        env.close()
    per_action, per_decision = pilot.seconds / int(lengths.sum()), pilot.seconds / pilot.decided
    return Episodes(
        returns, discounted, q_first, success, terminated, lengths, starts, first_actions, per_action, per_decision
    )


@torch.no_grad()
def _q_of(rule: Rule, parts: Parts, observations: Tensor, actions: Tensor) -> np.ndarray:
    critic = parts.pick_critic(rule.critic)
    q = q_values(critic, parts.normalize(observations), actions, rule.pick_aggregate)
    worth: np.ndarray = (q / parts.reward_scale).cpu().numpy()
    if not np.isfinite(worth).all():
        episode = int(np.flatnonzero(~np.isfinite(worth))[0])
        raise DivergedError(
            f"the critic's Q of the first action of episode {episode} is {worth[episode]}; "
            "wb.check_parts(parts, observations) tries the critic"
        )
    return worth


def check_finite(task: Playable, what: str, values: np.ndarray, active: np.ndarray, step: int, first: int = 0) -> None:
    """Raise `DivergedError` where an environment that plays returned a NaN or an infinity in ``values`` (E, columns).

    Episodes are counted from ``first``.
    """
    bad = active[:, None] & ~np.isfinite(values)
    if bad.any():
        episode, column = (int(index) for index in np.argwhere(bad)[0])
        raise DivergedError(
            f"task '{task.info.name}': the {what} of episode {first + episode} is {values[episode, column]}"
            f"{f' in column {column}' if what == 'observation' else ''} after environment step {step}: the environment "
            "returned it; its simulation may have diverged, or it divides by 0"
        )
