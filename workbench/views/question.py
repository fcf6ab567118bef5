"""What a picture of steering shows: a question (task, rules, settings, noise, state, peak) and the engine's answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import steer
from workbench.engine.steering.trace import Trace
from workbench.engine.tasks.abilities import HasPeak, HasTruth
from workbench.engine.tasks.protocol import Task
from workbench.engine.words import UserError
from workbench.views.effort import Effort
from workbench.views.numbers import Numbers, Variety, measure

NOISE_ROWS = 2048  # always drawn, then cut: showing more particles keeps those that were there
EXTENT = 1.6  # the landscape reaches this far, the view starts smaller
GRID = 100
SERIES_TICKS = 25
SERIES_PARTICLES = 128
# Seconds of one processor.
TICK_SECONDS = 5e-7  # a particle's tick
PAIR_SECONDS = 1.4e-8  # a pair of particles' tick
POINT_SECONDS = 1e-6  # a point of a landscape


@dataclass(frozen=True)
class Policy:
    """A rule and those of its settings that differ from the defaults."""

    rule: str
    settings: dict[str, Any] = field(default_factory=dict)

    def make(self) -> Rule:
        """The rule; UserError says which setting is wrong."""
        return make_rule(self.rule, **self.settings)


@dataclass(frozen=True)
class Question:
    """One picture, fully described.

    Attributes
    ----------
    task : str
    policies : tuple of Policy
        One or two, beside the behaviour flow.
    seed : int
        Of the noise, shared by all stages.
    shown : int
        About how many particles are drawn; whole groups of a rule's own N.
    state : tuple of float
        (S,), the observation at which the rules act.
    peak : tuple of float or None
        (D,), where the user moved the reward's peak; None leaves the task as it is.
    """

    task: str
    policies: tuple[Policy, ...]
    seed: int = 0
    shown: int = 512
    state: tuple[float, ...] = (0.0,)
    peak: tuple[float, ...] | None = None

    @property
    def first(self) -> Policy:
        """The policy of a page that shows one rule."""
        return self.policies[0]

    @property
    def rules(self) -> list[str]:
        """The names of the rules."""
        return [policy.rule for policy in self.policies]

    def posed(self, parts: Parts, task: Task) -> tuple[Parts, Task]:
        """The parts and the task with the peak where the question wants it."""
        if self.peak is None:
            return parts, task
        if not isinstance(task, HasPeak):
            raise UserError(f"{task.info.title}: its reward has no peak that can be moved; leave the peak out")
        moved, parts = task.move_peak(self.peak, parts)
        return parts, moved


@dataclass(frozen=True)
class Answer:
    """The answer to a question: the traces, what was measured on them, and how it came about tick by tick.

    Attributes
    ----------
    traces : list of Trace
        Behaviour first, then the policies; the same noise.
    numbers : list of Numbers
        For each trace.
    displacement, promised : list of ndarray
        (ticks + 1,) each, for each trace: mean distance from the behaviour particles of the same noise at the same tick, and
        mean Q of all particles (NaN where not computed).
    """

    question: Question
    traces: list[Trace]
    numbers: list[Numbers]
    displacement: list[np.ndarray]
    promised: list[np.ndarray]


def behaviour_of(rule: Rule) -> Rule:
    """The unsteered flow with as many Euler steps as ``rule``, its Q read from the same critic."""
    how = rule.pick_aggregate
    pessimism = rule.pessimism if how == "mean" else 0.0
    return make_rule("bc", flow_steps=rule.flow_steps, critic=rule.critic, pick_aggregate=how, pessimism=pessimism)


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


@dataclass(frozen=True)
class Home:
    """The behaviour flow of one picture, with what was measured on it."""

    key: tuple[Any, ...]
    reference: Any
    critic: Any
    trace: Trace
    variety: Variety
    numbers: Numbers
    promised: np.ndarray


@dataclass(frozen=True)
class Steered:
    """One policy's part of a picture."""

    rule: Rule
    home: Home
    trace: Trace
    numbers: Numbers
    displacement: np.ndarray
    promised: np.ndarray


def effort_of(question: Question, kind: str, grid: int) -> Effort:
    """What a picture of ``question`` with a landscape of ``grid`` × ``grid`` costs; ``kind`` names what draws it.

    The guess counts particles × ticks, pairs of particles that push each other, and the landscape's points, as measured with
    networks of 64 units; what is learned while people work corrects it.
    """
    shapes, guess = [], POINT_SECONDS * grid**2
    for policy in question.policies:
        rule = policy.make()
        groups = max(1, round(question.shown / rule.particles))
        ticks, particles = rule.ticks(), groups * rule.particles
        guess += (
            TICK_SECONDS * particles * (ticks + rule.flow_steps) + PAIR_SECONDS * particles * rule.particles * ticks
        )
        shapes.append((policy.rule, groups, rule.particles, ticks, rule.flow_steps))
    rules = tuple(policy.rule for policy in question.policies)
    return Effort((kind, question.task, rules), tuple(shapes), guess)


class Scene:
    """Answers one user's questions, and computes again only what the new question changed since the last one."""

    def __init__(self) -> None:
        self._homes: list[Home] = []
        self._steered: list[Steered] = []

    @torch.no_grad()
    def answer(self, question: Question, parts: Parts, task: Task | None) -> Answer:
        """Run the behaviour flow and the policies on the same noise and measure all; without a task nothing is earned.

        Raises UserError with the engine's own words when a rule and the parts do not fit together.
        """
        rules = [policy.make() for policy in question.policies]
        if not rules:
            raise UserError("a picture needs at least one rule beside the behaviour flow")
        state = torch.tensor(question.state, dtype=torch.float32)
        sizes = [(max(1, round(question.shown / rule.particles)), rule.particles) for rule in rules]
        total = max(groups * size for groups, size in sizes)
        homes: list[Home] = []
        for rule in rules:
            homes.append(self._home(rule, question, parts, task, state, total, homes))
        steered = [
            self._steer(rule, home, size, question, parts, task, state)
            for rule, home, size in zip(rules, homes, sizes, strict=True)
        ]
        self._homes, self._steered = homes, steered
        first = homes[0]
        return Answer(
            question,
            [first.trace, *(made.trace for made in steered)],
            [first.numbers, *(made.numbers for made in steered)],
            [np.zeros(len(first.trace.positions)), *(made.displacement for made in steered)],
            [first.promised, *(made.promised for made in steered)],
        )

    def _home(
        self,
        rule: Rule,
        question: Question,
        parts: Parts,
        task: Task | None,
        state: Tensor,
        total: int,
        new: list[Home],
    ) -> Home:
        behaviour = behaviour_of(rule)
        key = (question.task, question.seed, question.state, total, behaviour)
        kept = next(
            (home for home in (*new, *self._homes) if home.key == key and home.reference is parts.reference), None
        )
        if kept is not None and kept.critic is parts.critic:
            return kept
        flat = shared_noise(question.seed, total, 1, parts.action_dim)
        if kept is not None:  # the peak was moved: the flow is the same, what it earns is not
            trace, variety = replace(kept.trace, q=final_q(kept.trace, behaviour, parts)), kept.variety
        else:
            trace = steer(behaviour, parts, state.expand(total, -1), flat, question.seed)
            variety = Variety.around(trace.actions, task)
        numbers = measure(trace, trace, behaviour, flat.choice, parts, task, variety)
        return Home(key, parts.reference, parts.critic, trace, variety, numbers, climb(trace, parts, state))

    def _steer(
        self,
        rule: Rule,
        home: Home,
        size: tuple[int, int],
        question: Question,
        parts: Parts,
        task: Task | None,
        state: Tensor,
    ) -> Steered:
        for made in self._steered:
            if made.home is home and made.rule == rule and made.trace.positions.shape[1] == size[0]:
                return made
        groups, particles = size
        noise = shared_noise(question.seed, groups, particles, parts.action_dim, rule.extra_draws())
        trace = steer(rule, parts, state.expand(groups, -1), noise, question.seed)
        numbers = measure(trace, home.trace, rule, noise.choice, parts, task, home.variety)
        return Steered(rule, home, trace, numbers, drift(trace, home.trace), climb(trace, parts, state))


def answer(question: Question, parts: Parts, task: Task) -> Answer:
    """`Scene.answer` for a single question."""
    return Scene().answer(question, parts, task)


def final_q(trace: Trace, rule: Rule, parts: Parts) -> Tensor | None:
    """Q (B, N) of the last positions, as `steer` records it."""
    if parts.critic is None:
        return None
    final = trace.positions[-1]
    rows = parts.normalize(trace.observations).repeat_interleave(final.shape[1], 0)
    flat = final.flatten(0, 1)
    q = q_values(parts.pick_critic(rule.critic), rows, flat, rule.pick_aggregate, rule.pessimism)
    return q.view(final.shape[:2])


def drift(trace: Trace, behaviour: Trace) -> np.ndarray:
    """Mean distance (ticks + 1,) of all particles from the behaviour flow's at the same tick; its last tick stays."""
    ticks = torch.arange(len(trace.positions)).clamp(max=len(behaviour.positions) - 1)
    count = trace.positions.shape[1] * trace.positions.shape[2]
    home = behaviour.positions[ticks].flatten(1, 2)[:, :count]
    return np.asarray((trace.positions.flatten(1, 2) - home)[:, _kept(trace)].norm(dim=-1).mean(1))


def _kept(trace: Trace) -> Any:
    """Which of all particles (M,) a mean counts: those that were not pruned."""
    return slice(None) if trace.kept is None else trace.kept.flatten()


def climb(trace: Trace, parts: Parts, state: Tensor) -> np.ndarray:
    """Mean Q (ticks + 1,) of a sample of the particles at some of the ticks, task units; NaN at the others.

    Before t = 1 the particles are noisy and the critic extrapolates.
    """
    out = np.full(len(trace.positions), np.nan)
    if parts.critic is None:
        return out
    ticks = np.unique(np.linspace(0, len(out) - 1, min(len(out), SERIES_TICKS)).round().astype(int))
    points = trace.positions[ticks].flatten(1, 2)[:, _kept(trace)][:, :SERIES_PARTICLES]
    which = str(trace.settings["critic"])
    how, less = trace.settings["pick_aggregate"], float(trace.settings["pessimism"])
    q = critic_values(parts, state, points.flatten(0, 1), which, how, less)
    out[ticks] = q.view(len(ticks), -1).mean(1).numpy()
    return out


@torch.no_grad()
def critic_values(
    parts: Parts, state: Tensor, actions: Tensor, which: str, how: Any, deviations: float = 0.0
) -> Tensor:
    """Q (M,) in task units at one state (S,) and actions (M, D)."""
    rows = parts.normalize(state[None]).expand(len(actions), -1)
    return q_values(parts.pick_critic(which), rows, actions, how, deviations) / parts.reward_scale


def plane(extent: float = EXTENT, grid: int = GRID, action_dim: int = 2) -> Tensor:
    """Grid of actions at cell centres of [-extent, extent]², the first coordinate fastest: (G·G, 2), or (G, 1)."""
    centres = (torch.arange(grid) + 0.5) / grid * 2 * extent - extent
    if action_dim == 1:
        return centres[:, None]
    return torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1).reshape(-1, 2)


def as_grid(values: Tensor, action_dim: int = 2, grid: int = GRID) -> np.ndarray:
    """Values on `plane` as rows of a picture: (G, G), row i the i-th lowest second coordinate; (2, G) on a line."""
    return values.expand(2, grid).numpy() if action_dim == 1 else values.view(grid, grid).numpy()


def landscape(
    parts: Parts, state: tuple[float, ...], which: str = "target", how: Any = "min", grid: int = GRID
) -> np.ndarray:
    """Q over the plane of actions as `as_grid` lays it out, task units."""
    actions = plane(EXTENT, grid, parts.action_dim)
    values = critic_values(parts, torch.tensor(state, dtype=torch.float32), actions, which, how)
    return as_grid(values, parts.action_dim, grid)


def true_landscape(task: Task, action_dim: int = 2, grid: int = GRID) -> np.ndarray | None:
    """The true reward over the plane of actions, where the task knows it; the reward counts actions inside the box."""
    if not isinstance(task, HasTruth):
        return None
    return as_grid(torch.as_tensor(task.true_reward(plane(EXTENT, grid, action_dim))), action_dim, grid)
