"""A picture's question as a link, and back: a link reproduces its picture, and a broken one says what it could not read.

The first rule's settings stand under their own names, the second's with a 2 behind: ``rule=qgf&weight=1&rule2=vgf&steps2=5``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.abilities import HasPeak
from workbench.engine.tasks.floor import HasFloor, floor_of
from workbench.engine.tasks.protocol import Task
from workbench.engine.words import UserError, counted
from workbench.views.fields import fields_of
from workbench.views.policies import ALL_TASKS, check_kept, find
from workbench.views.question import Policy, Question

# Tasks whose actions can be drawn: on a line or in a plane.
TASKS: dict[str, str] = {
    name: task.info.title for name, task in reversed(ALL_TASKS.items()) if task.info.action_dim <= 2
}
TASKS = {name: TASKS[name] for name in sorted(TASKS, key=lambda name: name != "bandit2d")}
SHOWN = (32, 64, 128, 256, 512, 1024)
SEEDS = 99
SECOND = "2"
FIRST = Question("bandit2d", (Policy("qgf"), Policy("vgf")), shown=256)


def state_of(task: str) -> tuple[float, ...]:
    """The observation at which a source's picture starts."""
    return find(task).start


def has_peak(task: str) -> bool:
    """Whether the peak of the task's reward can be moved."""
    return isinstance(find(task).task, HasPeak)


def read_source(arguments: Mapping[str, str], default: str, most_dims: int, problems: list[str]) -> str:
    """The source that a link names, where it is here and acts with at most ``most_dims`` numbers; else ``default``."""
    name = arguments.get("task", default)
    try:
        source = find(name)
        check_kept(source)
    except (UserError, OSError) as error:
        known = f"task is one of {', '.join(ALL_TASKS)}, got '{name[:40]}'"
        problems.append(f"task: {error}" if ":" in name or "/" in name else known)
        return default
    dims = source.task.info.action_dim * (1 if source.run is None else source.run.config.chunk)
    if dims > most_dims:
        problems.append(f"{source.title} acts with {counted(dims, 'number')}, this page draws {most_dims}")
        return default
    return name


def read_axes(
    arguments: Mapping[str, str], task: Task, start: tuple[float, ...], problems: list[str]
) -> tuple[float, ...]:
    """Where the agent stands, moved to where it can stand; ``start`` for a task without a ground."""
    if not isinstance(task, HasFloor):
        return start
    floor = task.floor
    try:
        state = tuple(float(arguments.get(name, value)) for name, value in zip(floor.axes, start, strict=True))
        if any(value != value or abs(value) > 1e6 for value in state):
            raise ValueError
    except ValueError:
        problems.append(f"{', '.join(floor.axes)} are numbers")
        state = start
    return task.stand(state)


def read_link(arguments: Mapping[str, str], most_dims: int = 2) -> tuple[Question, list[str]]:
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

    task = read_source(arguments, FIRST.task, most_dims, problems)
    policies = [read_policy(arguments, "", one_of("rule", RULES, FIRST.policies[0].rule), problems)]
    if "rule2" in arguments or "rule" not in arguments:
        second = one_of("rule2", {**RULES, "none": None}, FIRST.policies[1].rule)
        if second != "none":
            policies.append(read_policy(arguments, SECOND, second, problems))
    source = find(task)
    state = read_axes(arguments, source.task, source.start, problems)
    peak = None
    if "peak" in arguments and has_peak(task):
        peak = _read_peak(arguments["peak"], source.task.info.action_dim)
        if peak is None:
            problems.append(f"peak is {source.task.info.action_dim} numbers from -1 to 1 with commas between them")
    shown = min(SHOWN, key=lambda count: abs(count - whole("shown", 1, SHOWN[-1], FIRST.shown)))
    seed = whole("seed", 0, SEEDS, FIRST.seed)
    return Question(task, tuple(policies), seed, shown, state, peak), problems


def read_policy(arguments: Mapping[str, str], suffix: str, rule: str, problems: list[str]) -> Policy:
    """The settings of ``rule`` that stand in ``arguments`` with ``suffix`` behind their names."""
    settings: dict[str, Any] = {}
    for field in fields_of(RULES[rule]):
        if (name := field.name + suffix) in arguments:
            try:
                settings[field.name] = field.read(arguments[name])
            except UserError as error:
                problems.append(str(error))
    return Policy(rule, settings)


def _read_peak(text: str, size: int) -> tuple[float, ...] | None:
    try:
        peak = tuple(float(part) for part in text.split(","))
    except ValueError:
        return None
    return peak if len(peak) == size and all(-1.0 <= value <= 1.0 for value in peak) else None


def changed_settings(policy: Policy) -> dict[str, Any]:
    """The settings of a policy that are not at their defaults."""
    defaults = {field.name: field.default for field in fields_of(RULES[policy.rule])}
    return {name: value for name, value in policy.settings.items() if value != defaults[name]}


def write_link(question: Question) -> dict[str, Any]:
    """A question as a link's arguments; settings at their defaults are left out."""
    words: dict[str, Any] = {"task": question.task, "seed": question.seed, "shown": question.shown}
    for suffix, policy in zip(("", SECOND), question.policies, strict=False):
        words[f"rule{suffix}"] = policy.rule
        words |= {name + suffix: value for name, value in changed_settings(policy).items()}
    floor = floor_of(find(question.task).task)
    if floor is not None:
        words |= {axis: f"{value:.3f}" for axis, value in zip(floor.axes, question.state, strict=True)}
    if question.peak is not None:
        words["peak"] = ",".join(f"{value:.3f}" for value in question.peak)
    return words
