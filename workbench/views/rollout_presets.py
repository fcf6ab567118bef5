"""Presets of the page of rollouts: each is a pair of strengths, set by how far from the data they lead."""

from __future__ import annotations

from dataclasses import replace

from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.protocol import Task
from workbench.views.caller import Caller
from workbench.views.fields import fields_of
from workbench.views.presets import PRESETS, at_distance
from workbench.views.question import Policy, Question
from workbench.views.rollouts import Order

# Policy B is the story's own distance from the data, policy A the one it is compared with.
PAIRS = {"cautious": "balanced", "balanced": "cautious", "too_far": "balanced"}
STORIES = {
    "cautious": ("Cautious", "B: a small push that hardly leaves the data, beside A, the balanced one"),
    "balanced": ("Balanced", "B: half a spread of the data away, beside A, the small push"),
    "too_far": ("Too far", "B: the critic is exploited, beside A, the balanced push: see where the episodes end"),
}


def tell(asked: tuple[str, Order], parts: Parts, task: Task, caller: Caller) -> Order:
    """The order of a story, by its name: both strengths, found at the first start of the order's own seed."""
    name, order = asked
    environment = task.environments(1, order.seed)
    start = tuple(float(value) for value in environment.reset()[0])
    environment.close()
    question = Question(order.task, (), order.seed, state=start)
    strength = RULES[order.rule].strength
    there, beside = (
        at_distance(Policy(order.rule, dict(order.settings)), PRESETS[which].distance, question, parts, caller)
        for which in (name, PAIRS[name])
    )
    first, other = beside.settings[strength], there.settings[strength]
    if first == other:  # one step of the strength is already farther than both: the farther story takes it
        stops = next(field for field in fields_of(RULES[order.rule]) if field.name == strength).stops
        farther = stops[min(stops.index(first) + 1, len(stops) - 1)]
        near = PRESETS[name].distance < PRESETS[PAIRS[name]].distance
        first, other = (farther, other) if near else (first, farther)
    return replace(order, settings=dict(beside.settings) | {strength: first}, other=other)
