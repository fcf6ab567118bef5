"""Cost: network evaluations per decision, counted by running the rule once, and the time that one decision takes."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import torch
from torch import Tensor

from workbench.engine.models.critic import Aggregate
from workbench.engine.models.parts import Critic, Parts, Reference, q_gradient
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.run import act


class _Counter:
    def __init__(self) -> None:
        self.rows = 0


class _CountedReference:
    def __init__(self, inner: Reference, counter: _Counter) -> None:
        self._inner, self._counter = inner, counter

    def __call__(self, observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
        self._counter.rows += actions.shape[0]
        return self._inner(observations, actions, t)


class _CountedCritic:
    def __init__(self, inner: Critic, counter: _Counter) -> None:
        self._inner, self._counter = inner, counter

    def __call__(self, observations: Tensor, actions: Tensor) -> Tensor:
        self._counter.rows += actions.shape[0]
        return self._inner(observations, actions)

    def value_and_grad(self, observations: Tensor, actions: Tensor, how: Aggregate) -> tuple[Tensor, Tensor]:
        self._counter.rows += actions.shape[0]
        return q_gradient(self._inner, observations, actions, how)


def network_evaluations(rule: Rule, parts: Parts, observation: Tensor) -> int:
    """Rows that go through the velocity field or the critic for one decision at ``observation`` (S,).

    A decision is one action, or a chunk of ``parts.chunk`` of them.

    A critic gradient counts once (its backward pass costs about one more), an ensemble counts once.
    """
    counter = _Counter()
    counted = replace(
        parts,
        reference=_CountedReference(parts.reference, counter),
        critic=None if parts.critic is None else _CountedCritic(parts.critic, counter),
        target_critic=None if parts.target_critic is None else _CountedCritic(parts.target_critic, counter),
    )
    noise = draw_noise(1, rule.particles, parts.action_dim, torch.Generator(observation.device).manual_seed(0))
    act(rule, counted, observation[None], noise)
    return counter.rows


def seconds_alone(rule: Rule, parts: Parts, observation: Tensor, repeats: int = 11, warm_up: int = 2) -> float:
    """Wall time of one decision at one ``observation`` (S,), as a deployed policy pays it: median of warm calls.

    Not divided by anything: with action chunks a decision is good for ``parts.chunk`` environment steps.
    """
    device = observation.device
    noise = draw_noise(1, rule.particles, parts.action_dim, torch.Generator(device).manual_seed(0))
    times = []
    for _ in range(warm_up + repeats):
        start = time.perf_counter()
        act(rule, parts, observation[None], noise)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times[warm_up:])
