"""The page's state as a link, and back: a link reproduces its picture, and a broken one says what it could not read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.engine.steering.rules import RULES
from workbench.ui.fields import fields_of
from workbench.ui.room import START, stand
from workbench.ui.scene import Question

TASKS = {"bandit2d": "Bandit", "three_exits": "Three exits"}
SHOWN = (32, 64, 128, 256, 512, 1024)
SEEDS = 99
STATES: dict[str, tuple[float, ...]] = {"bandit2d": (0.0,), "three_exits": START}
AXES = ("x", "y", "vx", "vy")
FIRST = Question("bandit2d", "qgf", shown=256)


def read_link(arguments: Mapping[str, str]) -> tuple[Question, list[str]]:
    """Turn a link's arguments into a question; what cannot be read keeps its default and is named beside it."""
    problems: list[str] = []

    def one_of(name: str, known: Mapping[str, Any], default: str) -> str:
        value = arguments.get(name, default)
        if value not in known:
            problems.append(f"{name} is one of {', '.join(known)}, got '{value[:40]}'")
            return default
        return value

    def whole(name: str, low: int, high: int, default: int) -> int:
        try:
            value = int(arguments.get(name, default))
        except ValueError:
            value = low - 1
        if low <= value <= high:
            return value
        problems.append(f"{name} is a whole number from {low} to {high}, got '{arguments[name][:40]}'")
        return default

    task = one_of("task", TASKS, FIRST.task)
    rule = one_of("rule", RULES, FIRST.rule)
    settings: dict[str, Any] = {}
    for field in fields_of(RULES[rule]):
        if field.name in arguments:
            try:
                settings[field.name] = field.read(arguments[field.name])
            except ValueError as error:
                problems.append(str(error))
    state = STATES[task]
    if task == "three_exits":
        try:
            state = stand(tuple(float(arguments.get(axis, default)) for axis, default in zip(AXES, state, strict=True)))
            if any(value != value for value in state):
                raise ValueError
        except ValueError:
            state = STATES[task]
            problems.append("x, y, vx and vy are numbers")
    shown = min(SHOWN, key=lambda count: abs(count - whole("shown", 1, SHOWN[-1], FIRST.shown)))
    question = Question(task, rule, settings, whole("seed", 0, SEEDS, FIRST.seed), shown, state)
    return question, problems


def write_link(question: Question) -> dict[str, Any]:
    """A question as a link's arguments; settings at their defaults are left out."""
    defaults = {field.name: field.default for field in fields_of(RULES[question.rule])}
    words: dict[str, Any] = {
        "task": question.task,
        "rule": question.rule,
        "seed": question.seed,
        "shown": question.shown,
    }
    words |= {name: value for name, value in question.settings.items() if value != defaults[name]}
    if question.task == "three_exits":
        words |= {axis: f"{value:.3f}" for axis, value in zip(AXES, question.state, strict=True)}
    return words
