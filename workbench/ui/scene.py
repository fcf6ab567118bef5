"""What a picture of steering shows: a question (task, rule, settings, noise, state) and the engine's answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.engine.metrics.shift import sliced_wasserstein2
from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import steer
from workbench.engine.steering.trace import Trace

NOISE_ROWS = 2048  # always drawn, then cut: showing more particles keeps those that were there
EXTENT = 1.6  # the landscape reaches this far, the view starts smaller
GRID = 80
SERIES_TICKS, SERIES_PARTICLES = 25, 128


@dataclass(frozen=True)
class Question:
    """One picture, fully described.

    Attributes
    ----------
    task, rule : str
    settings : dict
        Of the rule.
    seed : int
        Of the noise, shared by all stages.
    shown : int
        About how many particles are drawn; whole groups of the rule's own N.
    state : tuple of float
        (S,), the observation at which the rule acts.
    """

    task: str
    rule: str
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    shown: int = 512
    state: tuple[float, ...] = (0.0,)

    def make(self) -> Rule:
        """The rule; ValueError says which setting is wrong."""
        return make_rule(self.rule, **self.settings)

    def behaviour(self) -> Rule:
        """The unsteered flow with as many Euler steps, its Q read from the same critic."""
        rule = self.make()
        return make_rule("bc", flow_steps=rule.flow_steps, critic=rule.critic, pick_aggregate=rule.pick_aggregate)


@dataclass(frozen=True)
class Numbers:
    """What is measured on one stage (as in `engine.metrics.shift`); Q in the task's units, distances in action units.

    Attributes
    ----------
    q : float
        Mean Q of the chosen actions (NaN without a critic).
    true_reward : float or None
        Mean true reward of the chosen actions, where the task knows it.
    shift : float
        Mean distance of the particles, before the pick, from where the behaviour flow takes the same noise.
    w2 : float
        Sliced Wasserstein-2 distance between the chosen actions and the behaviour flow's.
    budget : float
        Mean length of the pushes along a particle's way.
    """

    q: float
    true_reward: float | None
    shift: float
    w2: float
    budget: float


@dataclass(frozen=True)
class Answer:
    """The answer to a question: the traces, what was measured on them, and how it came about tick by tick.

    Attributes
    ----------
    traces : list of Trace
        Behaviour first, then the rule; the same noise.
    numbers : list of Numbers
        For each trace.
    shift, q : list of ndarray
        (ticks + 1,) each, for each trace: mean distance from the behaviour flow at the same tick, and mean Q (NaN where
        not computed).
    """

    question: Question
    traces: list[Trace]
    numbers: list[Numbers]
    shift: list[np.ndarray]
    q: list[np.ndarray]


def shared_noise(seed: int, groups: int, particles: int, action_dim: int, extra: int = 0) -> Noise:
    """Noise (B, N, D): the same rows in the same order for every split of them into groups."""
    generator = torch.Generator().manual_seed(seed)
    rows = max(NOISE_ROWS, groups * particles)
    start = torch.randn(rows, action_dim, generator=generator)[: groups * particles]
    choice = torch.rand(rows, generator=generator)[: groups * particles]
    noise = Noise(start.view(groups, particles, action_dim), choice.view(groups, particles))
    if extra == 0:
        return noise
    further = torch.randn(rows, extra, action_dim, generator=generator)[: groups * particles]
    return noise._replace(extra=further.view(groups, particles, extra, action_dim))


@torch.no_grad()
def answer(question: Question, parts: Parts, task: Any, before: Answer | None = None) -> Answer:
    """Run the behaviour flow and the rule on the same noise and measure both.

    ``before``, an earlier answer from the same parts, lends its behaviour flow where that is still the same.

    Raises ValueError with the engine's own words when the rule and the parts do not fit together.
    """
    rule, behaviour = question.make(), question.behaviour()
    groups = max(1, round(question.shown / rule.particles))
    noise = shared_noise(question.seed, groups, rule.particles, parts.action_dim, rule.extra_draws())
    total = groups * rule.particles
    flat = Noise(noise.start.view(total, 1, -1), noise.choice.view(total, 1))
    state = torch.tensor(question.state, dtype=torch.float32)
    if before is not None and _same_behaviour(before, question, behaviour, total):
        home, home_numbers, home_q = before.traces[0], before.numbers[0], before.q[0]
    else:
        home = steer(behaviour, parts, state.expand(total, -1), flat, question.seed)
        home_numbers, home_q = measure(home, home, parts, task), climb(home, parts, state)
    trace = steer(rule, parts, state.expand(groups, -1), noise, question.seed)
    if not torch.isfinite(trace.positions).all():
        raise ValueError("the particles ran off to infinity; a smaller strength or step size keeps them finite")
    numbers = [home_numbers, measure(trace, home, parts, task)]
    return Answer(
        question, [home, trace], numbers, [drift(home, home), drift(trace, home)], [home_q, climb(trace, parts, state)]
    )


def _same_behaviour(before: Answer, question: Question, behaviour: Rule, total: int) -> bool:
    then, home = before.question, before.traces[0]
    same = (then.task, then.seed, then.state) == (question.task, question.seed, question.state)
    return same and home.settings == behaviour.model_dump() and home.positions.shape[1] == total


def measure(trace: Trace, behaviour: Trace, parts: Parts, task: Any) -> Numbers:
    """Measure one trace against the behaviour flow's trace of the same noise."""
    rows, chosen, final = torch.arange(len(trace.picked)), trace.actions, trace.positions[-1]
    home = behaviour.positions[-1].view(final.shape)
    q = float("nan") if trace.q is None else float(trace.q[rows, trace.picked].mean()) / parts.reward_scale
    truth = getattr(task, "true_reward", None)
    return Numbers(
        q=q,
        true_reward=None if truth is None else float(torch.as_tensor(truth(chosen)).mean()),
        shift=float((final - home).norm(dim=-1).mean()),
        w2=0.0
        if trace is behaviour
        else sliced_wasserstein2(chosen.double().numpy(), behaviour.actions.double().numpy()),
        budget=float(trace.budget.mean()),
    )


def drift(trace: Trace, behaviour: Trace) -> np.ndarray:
    """Mean distance (ticks + 1,) of all particles from the behaviour flow's at the same tick; its last tick stays."""
    ticks = torch.arange(len(trace.positions)).clamp(max=len(behaviour.positions) - 1)
    home = behaviour.positions[ticks].view(trace.positions.shape)
    return np.asarray((trace.positions - home).norm(dim=-1).mean((1, 2)))


def climb(trace: Trace, parts: Parts, state: Tensor) -> np.ndarray:
    """Mean Q (ticks + 1,) of a sample of the particles at some of the ticks, task units; NaN at the others.

    Before t = 1 the particles are noisy and the critic extrapolates.
    """
    out = np.full(len(trace.positions), np.nan)
    if parts.critic is None:
        return out
    ticks = np.unique(np.linspace(0, len(out) - 1, min(len(out), SERIES_TICKS)).round().astype(int))
    points = trace.positions.flatten(1, 2)[ticks, :SERIES_PARTICLES]
    q = critic_values(parts, state, points.flatten(0, 1), trace.settings["critic"], trace.settings["pick_aggregate"])
    out[ticks] = q.view(len(ticks), -1).mean(1).numpy()
    return out


@torch.no_grad()
def critic_values(parts: Parts, state: Tensor, actions: Tensor, which: str, how: Any) -> Tensor:
    """Q (M,) in task units at one state (S,) and actions (M, D)."""
    rows = parts.normalize(state[None]).expand(len(actions), -1)
    return q_values(parts.pick_critic(which), rows, actions, how) / parts.reward_scale


def plane(extent: float = EXTENT, grid: int = GRID) -> Tensor:
    """Grid of actions (G·G, 2) at cell centres of [-extent, extent]², the first coordinate fastest."""
    centres = (torch.arange(grid) + 0.5) / grid * 2 * extent - extent
    return torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1).reshape(-1, 2)


def landscape(parts: Parts, state: tuple[float, ...], which: str = "target", how: Any = "min") -> np.ndarray:
    """Q (G, G) over the plane of actions, row i the i-th lowest second coordinate, task units."""
    actions = plane()
    return critic_values(parts, torch.tensor(state, dtype=torch.float32), actions, which, how).view(GRID, GRID).numpy()
