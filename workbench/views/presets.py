"""Presets that tell a story, for any rule: each is a distance from the data, reached through the rule's own strength."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch

from workbench.engine.metrics.shift import shift_distance
from workbench.engine.models.parts import Parts
from workbench.engine.steering.finite import NonFiniteError
from workbench.engine.steering.rules import RULES
from workbench.engine.steering.run import steer
from workbench.engine.tasks.abilities import HasPeak
from workbench.engine.tasks.protocol import Task
from workbench.views.caller import NOBODY, Caller, OvertakenError
from workbench.views.fields import fields_of
from workbench.views.question import Policy, Question, behaviour_of, shared_noise

SAMPLES = 128
MOST_STEPS = 60


class Preset(NamedTuple):
    """A story in one press.

    Attributes
    ----------
    title, meaning : str
    distance : float
        How far from the behaviour policy, in units of its own spread.
    peak : tuple of float or None
        Where the reward's peak goes, as a share of the way along the diagonal of the actions; None puts it back.
    """

    title: str
    meaning: str
    distance: float
    peak: tuple[float, ...] | None = None


PRESETS: dict[str, Preset] = {
    "cautious": Preset("Cautious", "a small push: better than the data, and hardly to be told from them", 0.2),
    "balanced": Preset("Balanced", "as far as the critic can be trusted: most return for the displacement", 0.5),
    "too_far": Preset(
        "Too far",
        "the critic is exploited: its promise goes on rising (Q − truth), the true reward falls",
        1.5,
    ),
    "off_support": Preset(
        "Off support pays",
        "the reward's peak stands where there are few data, and the critic happens to be right about the way there",
        0.7,
        (0.8, 0.05),
    ),
}


@torch.no_grad()
def at_distance(policy: Policy, distance: float, question: Question, parts: Parts, caller: Caller = NOBODY) -> Policy:
    """Set the strength of ``policy`` so that its particles are about ``distance`` from the behaviour's; the rest stays.

    The distance is the displacement in units of the behaviour's own spread, or the shift for rules that choose among particles
    and move none. It is taken to grow with the strength, so a few trials find the stop.
    """
    rule = policy.make()
    field = next(field for field in fields_of(RULES[policy.rule]) if field.name == rule.strength)
    stops = [stop for stop in field.stops if field.kind != "whole" or stop <= MOST_STEPS]
    state = torch.tensor(question.state, dtype=torch.float32)
    flat = shared_noise(question.seed, SAMPLES, 1, parts.action_dim)
    home = steer(behaviour_of(rule), parts, state.expand(SAMPLES, -1), flat).actions
    target = distance * float((home - home.mean(0)).square().sum(1).mean().sqrt())

    def trial(place: int) -> tuple[float, float]:
        """Displacement and shift at a stop; infinite where the particles ran away."""
        if caller.overtaken():
            raise OvertakenError
        tried = Policy(policy.rule, policy.settings | {rule.strength: stops[place]}).make()
        groups = max(1, SAMPLES // tried.particles)
        noise = shared_noise(question.seed, groups, tried.particles, parts.action_dim, tried.extra_draws())
        try:
            trace = steer(tried, parts, state.expand(groups, -1), noise)
        except NonFiniteError:
            return float("inf"), float("inf")
        final = trace.positions[-1].flatten(0, 1)
        count = min(len(final), len(home))
        moved = float((final[:count] - home[:count]).norm(dim=1).mean())
        return moved, shift_distance(trace.actions[None], home[None, : len(trace.actions)], None)[0].mean

    kind = 0 if trial(len(stops) - 1)[0] > 0.0 else 1
    low, high = 0, len(stops) - 1
    far = {}
    while high - low > 1:
        middle = (low + high) // 2
        far[middle] = trial(middle)[kind]
        low, high = (middle, high) if far[middle] < target else (low, middle)
    best = min((low, high), key=lambda place: abs((far[place] if place in far else trial(place)[kind]) - target))
    return Policy(policy.rule, policy.settings | {rule.strength: stops[best]})


def tell(asked: tuple[str, Question], parts: Parts, task: Task, caller: Caller) -> Question:
    """The question of a preset, by its name: every policy at its distance, the peak where the story wants it."""
    name, question = asked
    preset = PRESETS[name]
    question = replace(question, peak=None)
    if preset.peak is not None and isinstance(task, HasPeak):
        peak = preset.peak[: parts.action_dim]
        question = replace(question, peak=peak)
        _, parts = task.move_peak(peak, parts)
    policies = tuple(at_distance(policy, preset.distance, question, parts, caller) for policy in question.policies)
    return replace(question, policies=policies)
