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
FAMILIES = {  # prefix before "/": module and class
    "ogbench": ("workbench.engine.tasks.ogbench", "OGBenchTask"),
    "minari": ("workbench.engine.tasks.gym", "MinariTask"),
    "d4rl": ("workbench.engine.tasks.gym", "D4RLTask"),
    "gym": ("workbench.engine.tasks.gym", "GymTask"),
}
# Families whose names are checked against a fixed list: the others import modules or read files that a name may choose.
LISTED_FAMILIES = ("ogbench",)
FAMILY_SUMMARIES = {  # title, what it is, the optional extra
    "ogbench": ("OGBench", "any OGBench single-task environment", "ogbench"),
    "minari": ("Minari", "a dataset of Minari's folder on this machine, and its environment", "minari"),
    "d4rl": ("D4RL", "D4RL's locomotion files, in Gymnasium's environments", "minari"),
    "gym": ("Gymnasium", "any environment with continuous actions; data by --data FILE.hdf5", "minari"),
}


def make_task(name: str) -> Task:
    """Build a task by name: one of `TASKS`, or one of the `FAMILIES`, such as ``ogbench/<id>``.

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
