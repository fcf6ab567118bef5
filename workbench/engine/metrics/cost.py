"""Cost: network evaluations per decision, counted by running the rule once, and the time that one decision takes."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from workbench.engine.models.critic import Aggregate
from workbench.engine.models.parts import Parts, q_gradient
from workbench.engine.steering.graphs import Actor
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.run import act


@runtime_checkable
class ManyPasses(Protocol):
    """A part that evaluates its network several times for one answer."""

    @property
    def passes(self) -> int:
        """How often."""
        ...


class _Counted:
    """A part that counts the rows that go through it, under its own name and where its gradient is asked."""

    def __init__(self, name: str, inner: Any, rows: Counter[str]) -> None:
        self._name, self._inner, self._rows = name, inner, rows
        self._passes = inner.passes if isinstance(inner, ManyPasses) else 1

    def __call__(self, observations: Tensor, *inputs: Any) -> Any:
        self._rows[self._name] += self._passes * len(observations)
        return self._inner(observations, *inputs)


class _CountedCritic(_Counted):
    def value_and_grad(self, observations: Tensor, actions: Tensor, how: Aggregate) -> tuple[Tensor, Tensor]:
        self._rows[f"{self._name} gradient"] += self._passes * len(observations)
        return q_gradient(self._inner, observations, actions, how)

    def pessimistic_gradient(self, observations: Tensor, actions: Tensor, deviations: float) -> tuple[Tensor, Tensor]:
        self._rows[f"{self._name} gradient"] += self._passes * len(observations)
        return q_gradient(self._inner, observations, actions, "mean", deviations)


def evaluations_by_part(rule: Rule, parts: Parts, observation: Tensor) -> dict[str, int]:
    """Rows that go through each network for one decision at ``observation`` (S,): by its name, an ensemble counts once.

    Both critics are "critic"; where the gradient is asked it counts once, under "critic gradient" (its backward pass costs
    about one more).
    """
    rows: Counter[str] = Counter()
    counted = replace(
        parts,
        reference=_Counted("reference", parts.reference, rows),
        critic=None if parts.critic is None else _CountedCritic("critic", parts.critic, rows),
        target_critic=None if parts.target_critic is None else _CountedCritic("critic", parts.target_critic, rows),
        extra={name: _Counted(name, part, rows) for name, part in parts.extra.items()},
    )
    generator = torch.Generator(observation.device).manual_seed(0)
    act(
        rule, counted, observation[None], draw_noise(1, rule.particles, parts.action_dim, generator, rule.extra_draws())
    )
    return dict(rows)


def network_evaluations(rule: Rule, parts: Parts, observation: Tensor) -> int:
    """Rows that go through all networks for one decision at ``observation`` (S,): the sum of `evaluations_by_part`.

    A decision is one action, or a chunk of ``parts.chunk`` of them.
    """
    return sum(evaluations_by_part(rule, parts, observation).values())


def seconds_alone(rule: Rule, parts: Parts, observation: Tensor, repeats: int = 11, warm_up: int = 2) -> float:
    """Wall time of one decision at one ``observation`` (S,), as a deployed policy pays it: median of warm calls.

    Not divided by anything: with action chunks a decision is good for ``parts.chunk`` environment steps.
    """
    device = observation.device
    generator = torch.Generator(device).manual_seed(0)
    noise = draw_noise(1, rule.particles, parts.action_dim, generator, rule.extra_draws())
    actor, times = Actor(rule, parts), []
    for _ in range(warm_up + repeats):
        start = time.perf_counter()
        actor(observation[None], noise)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times[warm_up:])
