"""From a question to everything that the stages show: the answer, and the landscape behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.engine.glossary import TERM
from workbench.engine.models.parts import Parts
from workbench.engine.tasks.protocol import Task
from workbench.engine.words import UserError
from workbench.plots.lines import positions_of
from workbench.plots.still import Figure, lines
from workbench.views.csv_file import csv_of
from workbench.views.paper import side_by_side
from workbench.views.question import Answer, Question, Scene, landscape, true_landscape

GROUNDS = {"learned": "Learned Q", "true": "True reward", "difference": "Q − true reward"}
LOOKS = {"learned": ("Q", False), "true": ("reward", False), "difference": ("Q − truth", True)}
MOST_PAIRS = 2e8  # pairs of particles over all steps: some seconds of one core


@dataclass(frozen=True)
class Picture:
    """An answer with what stands behind and beside it.

    Attributes
    ----------
    answer : Answer
    ground : ndarray
        (G, G), behind the particles.
    ground_look : tuple of str and bool
        What the ground is called, and whether its colours part at zero.
    truth : ndarray or None
        (G, G), the true reward where it is known.
    """

    answer: Answer
    ground: np.ndarray
    ground_look: tuple[str, bool]
    truth: np.ndarray | None


def check_size(question: Question) -> None:
    """Raise UserError, with the cure, for a picture that would keep the server busy for many seconds."""
    for policy in question.policies:
        rule = policy.make()
        groups = max(1, round(question.shown / rule.particles))
        pairs = groups * rule.particles**2 * rule.ticks()
        if pairs > MOST_PAIRS:
            raise UserError(
                f"{rule.particles} particles in {groups} groups over {rule.ticks()} steps is more than this page computes "
                f"at once; take at most {int((MOST_PAIRS / groups / rule.ticks()) ** 0.5)} particles, or fewer steps"
            )


class Artist:
    """Draws one user's pictures, and keeps the grounds of the last one."""

    def __init__(self) -> None:
        self._scene = Scene()
        self._kept: dict[tuple[Any, ...], np.ndarray | None] = {}
        self._posed: tuple[tuple[Any, ...], Parts, tuple[Parts, Any]] | None = None

    def draw(self, asked: tuple[Question, str], parts: Parts, task: Task) -> Picture:
        """Answer the question, with the ground of that name behind."""
        question, ground = asked
        check_size(question)
        pose = (question.task, question.peak)
        if self._posed is None or self._posed[0] != pose or self._posed[1] is not parts:
            self._posed = (pose, parts, question.posed(parts, task))  # other parts once a further one is trained
        parts, task = self._posed[2]
        answered = self._scene.answer(question, parts, task)
        before, self._kept = self._kept, {}
        settings = answered.traces[1].settings
        place = (question.task, question.state, question.peak)
        q = self._keep(before, ("q", *place, settings["critic"], settings["pick_aggregate"]), parts)
        truth = None
        if ground != "learned" or len(question.policies) == 1:  # else nobody sees it
            truth = self._keep(before, ("truth", *place), parts, task)
        assert q is not None
        shown = q
        if truth is not None and ground != "learned":
            shown = truth if ground == "true" else self._difference(before, (*place, settings["critic"]), q, truth)
        return Picture(answered, shown, LOOKS[ground if truth is not None else "learned"], truth)

    def _keep(
        self,
        before: dict[tuple[Any, ...], np.ndarray | None],
        key: tuple[Any, ...],
        parts: Parts,
        task: Task | None = None,
    ) -> np.ndarray | None:
        if key in before:
            ground = before[key]
        elif task is not None:
            ground = true_landscape(task, parts.action_dim)
        else:
            ground = landscape(parts, key[2], *key[4:])
        self._kept[key] = ground
        return ground

    def _difference(
        self, before: dict[tuple[Any, ...], np.ndarray | None], key: tuple[Any, ...], q: np.ndarray, truth: np.ndarray
    ) -> np.ndarray:
        whole = ("difference", *key, id(q))
        difference = before.get(whole)
        self._kept[whole] = difference = q - truth if difference is None else difference
        return difference


def numbers_csv(picture: Picture) -> bytes:
    """One line for each stage: rule, settings that are not its defaults, and every number."""
    shown = picture.answer
    rows: list[dict[str, Any]] = []
    for index, (trace, numbers) in enumerate(zip(shown.traces, shown.numbers, strict=True)):
        settings = shown.question.policies[index - 1].settings if index else {}
        about = {"rule": trace.rule, "settings": ";".join(f"{name}={value}" for name, value in settings.items())}
        measured = {TERM[key].column: value for key, value in numbers.as_dict().items()}
        error = {"state_displacement_error": numbers.displacement_error}
        rows.append(about | measured | error | {"seed": shown.question.seed})
    return csv_of(list(rows[0]), [list(row.values()) for row in rows])


def particles_csv(picture: Picture) -> bytes:
    """One line for each stage, particle and tick: where it was."""
    rows: list[list[object]] = []
    for stage, trace in enumerate(picture.answer.traces):
        positions, picked = positions_of(trace)
        for tick, (time, places) in enumerate(zip(trace.times.tolist(), positions.tolist(), strict=True)):
            rows += [
                [stage, trace.rule, particle, tick, round(time, 6), *place, bool(picked[particle])]
                for particle, place in enumerate(places)
            ]
    axes = [f"a{axis + 1}" for axis in range(picture.answer.traces[0].positions.shape[-1])]
    return csv_of(["stage", "rule", "particle", "tick", "t", *axes, "picked"], rows)


def figure_of(picture: Picture) -> Figure:
    """The stages as a matplotlib figure."""
    traces = picture.answer.traces
    return lines(traces) if traces[0].positions.shape[-1] == 1 else side_by_side(traces, picture.ground)
