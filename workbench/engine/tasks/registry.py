"""The registry of tasks: one line each.

Tasks that need an optional package are found by their prefix, and imported only then.
"""

from __future__ import annotations

import importlib

from workbench.engine.steering.protocol import nearest
from workbench.engine.tasks.bandits import Bandit1D, Bandit2D
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.three_exits import ThreeExits

TASKS: dict[str, type] = {task.info.name: task for task in (Bandit1D, Bandit2D, ThreeExits)}
FAMILIES = {"ogbench": ("workbench.engine.tasks.ogbench", "OGBenchTask")}  # prefix before "/": module and class


def make_task(name: str) -> Task:
    """Build a task by name: one of `TASKS`, or ``ogbench/<id>`` for any of OGBench's single-task environments.

    Raises
    ------
    ValueError
        No task has this name; the message says the nearest one.
    """
    if name in TASKS:
        task: Task = TASKS[name]()
        return task
    family, _, identifier = name.partition("/")
    if family in FAMILIES and identifier:
        module, class_name = FAMILIES[family]
        found: Task = getattr(importlib.import_module(module), class_name)(identifier)
        return found
    known = [*TASKS, *(f"{prefix}/<id>" for prefix in FAMILIES)]
    raise ValueError(f"no task named '{name}'{nearest(name, known)} Known tasks: {', '.join(known)}")
