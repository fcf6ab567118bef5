"""What a link to the page of budgets wants to see, and what a small sweep measures where nobody has measured that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.experiments.imported_runs import digest_of
from workbench.experiments.job import IMPORTED
from workbench.experiments.store import Store
from workbench.experiments.summary import Curve
from workbench.views.links import state_of
from workbench.views.policies import ALL_TASKS, UPLOAD, find
from workbench.views.question import Question

EPISODES = 200  # in each of the two sets, of a small sweep
FEW = 40  # of a task whose episodes are long: an imported run may be of any


@dataclass(frozen=True)
class Target:
    """What a small sweep measures.

    Attributes
    ----------
    task : str
        Of its jobs.
    title : str
        In words.
    axes : dict
        Of its grid: which imported run is steered; empty for a policy that the sweep trains.
    episodes : int
    command : str
        "" where a small sweep can measure it, else what measures it instead.
    """

    task: str
    title: str
    axes: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    episodes: int = EPISODES
    command: str = ""


def target_of(name: str, rule: str) -> Target:
    """What has to be measured for the source ``name``; ``rule`` is the one that its link steers by."""
    source = find(name)
    run = source.run
    if run is None:
        command = "" if name in ALL_TASKS else f"workbench sweep --task {name} --rule {rule} --data DIR"
        return Target(name, source.title, command=command)
    if run.task.startswith("data/"):  # no episodes can be played there
        return Target(run.task, source.title, command=f"workbench tune RUN --rule {rule} --offline")
    if run.imported is not None and not name.startswith(UPLOAD):
        return Target(run.task, source.title, {f"fit.{IMPORTED}": (digest_of(run.folder),)}, FEW)
    return Target(run.task, source.title, command=f"workbench tune RUN --rule {rule}")


def is_measured(target: Target, curves: Sequence[Curve], store: Store | None) -> bool:
    """Whether one of the ``curves`` is of it; of an imported run only what ``store`` has measured of that run counts."""
    if not target.axes:
        return any(curve.task == target.task for curve in curves)
    wanted = target.axes[f"fit.{IMPORTED}"]
    rows = [] if store is None else store.rows()
    return any(row.status == "done" and row.training.get(IMPORTED) in wanted for row in rows)


def wish(question: Question, curves: Sequence[Curve], store: Store | None) -> Target | None:
    """What a link asks for and none of the ``curves`` shows; None where one does."""
    target = target_of(question.task, question.first.rule)
    return None if is_measured(target, curves, store) else target


def words_of(target: Target, shown: str) -> str:
    """That the page shows something else, and how to get the curve that was asked for."""
    instead = f"; {shown} is shown in its place" if shown else ""
    how = (
        f"This measures it on the command line: {target.command}"
        if target.command
        else "Choose rules and press Run a small sweep: it measures this"
    )
    return f"No curve of {target.title} has been measured yet{instead}. {how}."


def question_on(question: Question, task: str) -> Question:
    """The policies of a link, on the task that is shown: what is drawn among its curves must be of it.

    A run keeps its own policy where it is for that task.
    """
    if task in ("", question.task) or task not in ALL_TASKS or find(question.task).task.info.name == task:
        return question
    return replace(question, task=task, state=state_of(task), peak=None)
