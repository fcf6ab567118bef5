"""What a reduced precision costs a policy: how far its actions move, what that does to the return, and the time it saves."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.engine.metrics.intervals import Interval, bootstrap_mean
from workbench.engine.metrics.visited import behaviour_states
from workbench.engine.models.parts import Parts
from workbench.engine.models.rounded import Weights, with_rounded_weights
from workbench.engine.precision import Precision, products
from workbench.engine.steering.graphs import Actor
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.rollout import rollout

REPEATS = 7
MANY = 256  # states of the second time


@dataclass(frozen=True)
class Reduced:
    """One way of acting, beside full precision.

    Attributes
    ----------
    way : str
        What is reduced.
    action_error, largest_error : float
        Mean and largest distance of an action from that of full precision, at behaviour states, same noise; action units.
    gain : Interval
        Return minus that of full precision, over episodes from the same starts with the same noise; task units.
    ms_one, ms_many : float
        Wall time of a decision at one state, and at 256.
    """

    way: str
    action_error: float
    largest_error: float
    gain: Interval
    ms_one: float
    ms_many: float

    def as_dict(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)


def measure_reduced(rule: Rule, parts: Parts, task: Task, episodes: int, seed: int) -> list[Reduced]:
    """Act at every precision that the parts' device knows; the first way is full precision itself.

    Parameters
    ----------
    rule, parts, task
    episodes : int
    seed : int
        Fixes starts and noise, the same for all ways.
    """
    states = behaviour_states(parts, task).rows
    exact: tuple[Tensor, np.ndarray] | None = None
    results = []
    for way, precision, weights in _ways(parts.device):
        played = parts if weights is None else with_rounded_weights(parts, weights)
        actor = Actor(rule, played)
        with products(precision, parts.device):
            actions = actor(states, _noise(rule, parts, len(states), seed))
            returns = rollout(rule, played, task, episodes, seed).returns
            ms = [1e3 * _seconds(actor, *_asked(rule, parts, states, count, seed)) for count in (1, MANY)]
        exact = exact or (actions, returns)
        far = (actions - exact[0]).norm(dim=1)
        gain = bootstrap_mean(returns - exact[1], seed)
        results.append(Reduced(way, float(far.mean()), float(far.max()), gain, *ms))
    return results


def _ways(device: torch.device) -> list[tuple[str, Precision, Weights | None]]:
    tf32: list[tuple[str, Precision, Weights | None]] = [("TF32 products", "tf32", None)]
    return [
        ("full fp32", "highest", None),
        *(tf32 if device.type == "cuda" else []),
        ("bf16 products", "bf16", None),
        ("bf16 weights", "highest", "bf16"),
        ("int8 weights", "highest", "int8"),
    ]


def _noise(rule: Rule, parts: Parts, states: int, seed: int) -> Noise:
    generator = torch.Generator(parts.device).manual_seed(seed)
    return draw_noise(states, rule.particles, parts.action_dim, generator, rule.extra_draws())


def _asked(rule: Rule, parts: Parts, states: Tensor, count: int, seed: int) -> tuple[Tensor, Noise]:
    return states[torch.arange(count, device=states.device) % len(states)], _noise(rule, parts, count, seed)


def _seconds(actor: Actor, observations: Tensor, noise: Noise) -> float:
    once, times = partial(actor, observations, noise), []
    for _ in range(REPEATS + 1):  # the first one warms up
        start = time.perf_counter()
        once()
        if observations.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])
