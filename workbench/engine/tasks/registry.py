"""The registry of tasks: one line each.

Tasks that need an optional package are found by their prefix, and imported only then.
"""

from __future__ import annotations

import importlib
from typing import Protocol, runtime_checkable

from workbench.engine.settings import nearest
from workbench.engine.tasks.bandits import Bandit1D, Bandit2D
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.words import UserError


@runtime_checkable
class Family(Protocol):
    """How the names of one family become tasks."""

    def open(self, identifier: str) -> Task:
        """The task ``identifier``, which is the name after the "/"."""
        ...

    def check_listed(self, identifier: str) -> None:
        """Refuse a name that would choose a module, a folder or the network (`make_listed`)."""
        ...


TASKS: dict[str, type[Task]] = {task.info.name: task for task in (Bandit1D, Bandit2D, ThreeExits)}
"""The built-in tasks by their names; tasks of optional packages are found by `make_task`."""
FAMILIES = {  # prefix before "/": module, and the `Family` in it
    "ogbench": ("workbench.engine.tasks.ogbench_family", "OGBench"),
    "minari": ("workbench.engine.tasks.gym", "MinariTask"),
    "d4rl": ("workbench.engine.tasks.d4rl", "D4RLTask"),
    "gym": ("workbench.engine.tasks.gym", "GymTask"),
    "data": ("workbench.engine.tasks.recorded", "RecordedTask"),
    "language": ("workbench.language.task", "Language"),
    "pictures": ("workbench.engine.tasks.picture_bandit", "Marks"),
}
# Families whose every name stands on a fixed list: the others read files of this machine that a name chooses.
LISTED_FAMILIES = ("ogbench", "language", "pictures")
USUAL_NAMES = {"language": "language/1000", "pictures": "pictures/marks"}  # what a family's name alone means
FAMILY_SUMMARIES = {  # title, what it is, the optional extra
    "ogbench": ("OGBench", "any OGBench single-task environment", "ogbench"),
    "minari": ("Minari", "a dataset of Minari's folder on this machine, and its environment", "minari"),
    "d4rl": ("D4RL", "D4RL's files, in environments of Gymnasium and gymnasium-robotics", "robotics"),
    "gym": ("Gymnasium", "any environment with continuous actions; data by --data FILE.hdf5", "minari"),
    "data": ("Your data", "a dataset that was added (workbench data add), without an environment", "data"),
    "language": ("Language", "sentences of Jane Austen's words; the number says how many a judge scored", ""),
    "pictures": ("Pictures", "a small bandit that is seen as pixels: pictures/marks", ""),
}


def make_task(name: str) -> Task:
    """Build a task by its name.

    Parameters
    ----------
    name : str
        One of `TASKS`, or a name of one of the `FAMILIES`, such as ``ogbench/<id>``.

    Returns
    -------
    Task

    Raises
    ------
    UserError
        No task has this name; the message says the nearest one.
    """
    if name in TASKS:
        return TASKS[name]()
    family, _, identifier = USUAL_NAMES.get(name, name).partition("/")
    if family in FAMILIES and identifier:
        return _family(family).open(identifier)
    raise _unknown(name)


def make_listed(name: str) -> Task:
    """`make_task` for a name that came from outside: a link, an upload, a record in a store.

    Such a name may only choose among what is here already. `make_task` takes more: Gymnasium imports any module by
    ``gym/MODULE:ID``, which is for names that the user types as they type their own programs.

    Raises
    ------
    UserError
        No task has this name, or it would choose a module, a folder or the network.
    """
    family, _, identifier = USUAL_NAMES.get(name, name).partition("/")
    if name not in TASKS:
        if family not in FAMILIES or not identifier:
            raise _unknown(name)
        _family(family).check_listed(identifier)
    return make_task(name)


def _family(prefix: str) -> Family:
    module, name = FAMILIES[prefix]
    family: Family = vars(importlib.import_module(module))[name]
    return family


def _unknown(name: str) -> UserError:
    known = [*TASKS, *(f"{prefix}/<id>" for prefix in FAMILIES)]
    return UserError(f"no task named '{name[:80]}'{nearest(name[:80], known)} Known tasks: {', '.join(known)}")
