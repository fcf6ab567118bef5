"""The registry of commands: one line each; their flags come from their signatures."""

from __future__ import annotations

from collections.abc import Callable

from workbench.commands.about import doctor, losses, recipes, rules, tasks
from workbench.commands.checkpoints import convert, import_run
from workbench.commands.course import COURSE, handout
from workbench.commands.data import DATA, record
from workbench.commands.export import export
from workbench.commands.fit import fit
from workbench.commands.generate import generate
from workbench.commands.language import LANGUAGE
from workbench.commands.measure import MEASURE
from workbench.commands.movie import movie
from workbench.commands.online import online
from workbench.commands.recommend import recommend
from workbench.commands.report import report
from workbench.commands.runs import RUNS
from workbench.commands.serve import serve
from workbench.commands.steer import evaluate, steer
from workbench.commands.suite import suite
from workbench.commands.sweep import sweep
from workbench.commands.tune import tune

# In the order of --help. A group of commands is a dict of its own, under the group's name.
COMMANDS: dict[str, Callable[..., None] | dict[str, Callable[..., None]]] = {
    "doctor": doctor,
    "tasks": tasks,
    "rules": rules,
    "losses": losses,
    "recipes": recipes,
    "generate": generate,
    "data": DATA,
    "record": record,
    "fit": fit,
    "import": import_run,
    "convert": convert,
    "online": online,
    "evaluate": evaluate,
    "steer": steer,
    "export": export,
    "measure": MEASURE,
    "language": LANGUAGE,
    "sweep": sweep,
    "suite": suite,
    "tune": tune,
    "recommend": recommend,
    "runs": RUNS,
    "report": report,
    "movie": movie,
    "serve": serve,
    "course": COURSE,
    "handout": handout,
}

# What a group is for, in --help.
GROUPS = {
    "data": "Datasets of your own: what a file holds, and keeping it as a task.",
    "measure": "Single measurements: gradients, distance of distributions, what data alone say, what a precision costs.",
    "language": "The language room: train it anew, and draw its table.",
    "runs": "The runs of a store: list, show, compare, check, repair, remove.",
    "course": "The course: copies for participants, the scoreboard, what they did.",
}
