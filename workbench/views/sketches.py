"""Small pictures of one policy for other pages: where its particles end, and the ways of some episodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.engine.models.parts import Parts
from workbench.engine.tasks.floor import Floor, floor_of
from workbench.engine.tasks.protocol import Task
from workbench.views.episodes import play
from workbench.views.question import EXTENT, Question, Scene, landscape

SHOWN = 96  # particles
EPISODES = 24


@dataclass(frozen=True)
class Sketch:
    """What is drawn of one policy.

    Attributes
    ----------
    question : Question
    home, steered : ndarray
        (M, 2) actions of the behaviour policy and of the policy, from the same noise; empty where actions have more dimensions.
    ground : ndarray or None
        (G, G), what the critic promises over the square of half width ``extent``; None without one.
    extent : float
    floor : Floor or None
        The ground that the episodes move on; None for a task without.
    paths : ndarray
        (E, steps, 2); empty without a floor.
    returns : ndarray
        (E,)
    """

    question: Question
    home: np.ndarray
    steered: np.ndarray
    ground: np.ndarray | None
    extent: float
    floor: Floor | None
    paths: np.ndarray
    returns: np.ndarray


class Sketcher:
    """Draws sketches, in the process that draws pictures."""

    def __init__(self) -> None:
        self._scene = Scene()

    def draw(self, asked: Question, parts: Parts, task: Task) -> Sketch:
        """The sketch of the first policy of ``asked``."""
        rule, dims = asked.first.make(), task.info.action_dim
        home = steered = np.zeros((0, 2))
        ground = None
        if dims <= 2 and parts.chunk == 1:
            home, steered = (_flat(trace.actions.numpy()) for trace in self._scene.answer(asked, parts, task).traces)
            if dims == 2 and parts.critic is not None:
                ground = landscape(parts, asked.state)
        floor = floor_of(task)
        if floor is None:
            return Sketch(asked, home, steered, ground, EXTENT, None, np.zeros((0, 0, 2)), np.zeros(0))
        played = play(rule, parts, task, asked.state, asked.seed, EPISODES)
        return Sketch(asked, home, steered, ground, EXTENT, floor, played.paths, played.returns)


def _flat(actions: np.ndarray) -> np.ndarray:
    """Actions (M, D) as places of a plane; those of one dimension lie on a line, a little apart so that none hides another."""
    rows = actions.reshape(-1, actions.shape[-1])[:SHOWN]
    if rows.shape[1] == 2:
        return rows
    apart = (np.arange(len(rows)) * 0.618) % 1.0 - 0.5
    return np.column_stack((rows[:, 0], 0.6 * apart))
