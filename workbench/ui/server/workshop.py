"""Work of seconds, episodes and trainings, is done in processes of its own, and here where no server runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from math import nan
from typing import Any, TypeVar

from workbench.engine.models.parts import Parts
from workbench.engine.tasks.abilities import HasParts
from workbench.engine.tasks.protocol import Task
from workbench.engine.training.loop.quick import quick_folder, stored_part, stored_parts
from workbench.ui.server.draw_processes import Studio
from workbench.ui.server.painter import Material
from workbench.views.caller import Caller, OvertakenError
from workbench.views.parts import Report, build_elsewhere, built_in_parts, train_elsewhere, train_part
from workbench.views.policies import SEED, Source

A = TypeVar("A")
B = TypeVar("B")
WORKSHOP = Studio(polite=True, name="work")  # whoever waits for a picture at the speed of the hand goes first


def elsewhere(work: Callable[[A, Any, Any, Caller], B], asked: A, material: Material, caller: Caller) -> B:
    """What ``work(asked, parts, task, caller)`` gives; raises as `workbench.ui.server.draw_processes.Studio.work`."""
    answer = WORKSHOP.work(work, asked, material, caller)
    if answer is None:
        return work(asked, material.parts, material.task, caller)
    done: B = answer
    return done


class _Heard:
    """A caller made of a report that raises `OvertakenError` when nothing more is wanted."""

    def __init__(self, report: Callable[..., None], *values: float) -> None:
        self._report, self._newest = report, values

    def progress(self, *values: float) -> None:
        """Keep it for the report."""
        self._newest = values

    def overtaken(self) -> bool:
        """Report, and see whether that raises."""
        try:
            self._report(*self._newest)
        except OvertakenError:
            return True
        return False


def _hired(work: Callable[[A, Any, Any, Caller], B], asked: A, material: Material, caller: Caller) -> B | None:
    """What the work gives, from a process that is started for it and ends with it; None when it has to be done here."""
    studio = Studio(1, polite=True, name="train")
    studio.start()
    with closing(studio):
        done: B | None = studio.work(work, asked, material, caller, patient=True)
        return done


def build(task: Task, report: Callable[[float], None]) -> Parts:
    """The parts of a built-in task: `workbench.views.parts.built_in_parts`, trained elsewhere where a server runs.

    ``report`` may raise `OvertakenError`, which ends the training.
    """
    if not WORKSHOP.started or isinstance(task, HasParts):
        return built_in_parts(task, report)
    stored = stored_parts(task, SEED)
    if stored is not None:
        return stored
    built = _hired(build_elsewhere, quick_folder(), Material(task.info.name, None, task, ()), _Heard(report, 0.0))
    return built_in_parts(task, report) if built is None else built


def add_part(source: Source, parts: Parts, part: str, report: Report) -> Parts:
    """`workbench.views.parts.train_part`, trained elsewhere where a server runs; ``report`` as for `build`."""
    if not WORKSHOP.started:
        return train_part(source, parts, part, report)
    stored = stored_part(parts, part, source.config())
    if stored is not None:
        return stored
    lean = replace(parts, data=None)  # the training reads its own
    trained = _hired(
        train_elsewhere,
        (source, part, quick_folder()),
        Material(source.name, lean, source.task, ()),
        _Heard(report, 0.0, nan),
    )
    return train_part(source, parts, part, report) if trained is None else trained
