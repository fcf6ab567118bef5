"""How episodes ended, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.engine.tasks.rollout import Episodes

USUAL = ("success", "ended early", "out of time")


def outcomes(task: Any, played: Episodes) -> tuple[tuple[str, ...], np.ndarray]:
    """The kinds of ending that ``task`` knows, best first, and the kind of each episode.

    A task may say more than success: ``outcome_names`` and ``outcome_of(returns, success, terminated)``.

    Returns
    -------
    (tuple of str, ndarray)
        Names, and (E,) indices into them.
    """
    names = getattr(task, "outcome_names", USUAL)
    if hasattr(task, "outcome_of"):
        return names, np.asarray(task.outcome_of(played.returns, played.success, played.terminated))
    return names, np.where(played.success, 0, np.where(played.terminated, 1, 2))
