"""How episodes ended, in words."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from workbench.engine.tasks.protocol import Playable
from workbench.engine.tasks.rollout import Episodes

USUAL = ("success", "ended early", "out of time")


@runtime_checkable
class HasOutcomes(Protocol):
    """A task that tells more kinds of ending apart than success, an early end, and time that ran out.

    Attributes
    ----------
    outcome_names : tuple of str
        Names of the kinds, the best first.
    """

    outcome_names: tuple[str, ...]

    def outcome_of(self, returns: np.ndarray, success: np.ndarray, terminated: np.ndarray) -> np.ndarray:
        """Which of ``outcome_names`` each episode ended in: (E,) int, from three arrays (E,)."""
        ...


def names_of_outcomes(task: Playable) -> tuple[str, ...]:
    """The kinds of ending that ``task`` tells apart, the best first."""
    return task.outcome_names if isinstance(task, HasOutcomes) else USUAL


def outcomes(task: Playable, played: Episodes) -> tuple[tuple[str, ...], np.ndarray]:
    """The kinds of ending that ``task`` tells apart, the best first, and the kind of each episode.

    Parameters
    ----------
    task : Task
        One with `HasOutcomes` names its own kinds.
    played : Episodes
        E of them.

    Returns
    -------
    (tuple of str, ndarray)
        Names, and (E,) indices into them.
    """
    if isinstance(task, HasOutcomes):
        return task.outcome_names, np.asarray(task.outcome_of(played.returns, played.success, played.terminated))
    return USUAL, np.where(played.success, 0, np.where(played.terminated, 1, 2))
