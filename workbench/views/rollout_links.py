"""The page of rollouts as a link, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.latency import MEANINGS
from workbench.engine.words import UserError
from workbench.views.fields import fields_of
from workbench.views.links import read_source
from workbench.views.policies import ALL_TASKS, find
from workbench.views.rollouts import Order

TASKS = tuple(name for name, task in ALL_TASKS.items() if task.info.horizon > 1)  # episodes of more than one action
MOST = 128  # action numbers
EPISODES = (100, 300, 1000, 3000)
SEEDS = 99
FURTHER = 20  # stops of the slider between the two policies of a fresh page: for a weight two decades


def read_link(arguments: Mapping[str, str]) -> tuple[Order, list[str]]:
    """Turn a link's arguments into an order; what cannot be read keeps its default and is named beside it."""
    problems: list[str] = []

    def one_of(name: str, known: Any, default: Any) -> Any:
        value = arguments.get(name, str(default))
        match = next((one for one in known if str(one) == value), None)
        if match is None:
            problems.append(f"{name} is one of {', '.join(map(str, known))}, got '{value[:40]}'")
        return default if match is None else match

    task, rule = read_source(arguments, TASKS[0], MOST, problems), one_of("rule", RULES, "qgf")
    source = find(task)
    if source.run is None and source.task.info.observation_dim < 2:  # links travel here from pages of other tasks
        problems.append(f"an episode of {source.title} is one action, nothing moves; {find(TASKS[0]).title} is shown")
        task = TASKS[0]
    settings: dict[str, Any] = {}
    other = None
    for field in fields_of(RULES[rule]):
        for key in (field.name, *(("other",) if field.name == RULES[rule].strength else ())):
            if key not in arguments:
                continue
            try:
                value = field.read(arguments[key])
            except UserError as error:
                problems.append(str(error))
                continue
            if key == "other":
                other = value
            else:
                settings[key] = value
    if other is None:
        strength = next(field for field in fields_of(RULES[rule]) if field.name == RULES[rule].strength)
        stops = strength.with_stop(settings.get(strength.name, strength.default))
        place = stops.index(settings.get(strength.name, strength.default))
        other = stops[min(place + FURTHER, len(stops) - 1)]
    episodes = one_of("episodes", EPISODES, 300)
    seed = one_of("seed", range(SEEDS + 1), 0)
    delay = one_of("delay", range(longest_delay(task) + 1), 0)
    return Order(task, rule, settings, other, episodes, seed, delay, one_of("way", MEANINGS, "rtc")), problems


def chunk_of(task: str) -> int:
    """Steps of the chunks that the policy ``task`` acts in."""
    return int(find(task).config().chunk)


def longest_delay(task: str) -> int:
    """Steps that a decision may take: a chunk is decided while the one before it plays."""
    return chunk_of(task) // 2


def write_link(order: Order) -> dict[str, Any]:
    """An order as a link's arguments; settings at their defaults are left out."""
    defaults = {field.name: field.default for field in fields_of(RULES[order.rule])}
    words: dict[str, Any] = {"task": order.task, "rule": order.rule, "episodes": order.episodes, "seed": order.seed}
    words |= {name: value for name, value in order.settings.items() if value != defaults[name]}
    words |= {"delay": order.delay, "way": order.way} if order.delay else {}
    return words | ({} if order.other is None else {"other": order.other})
