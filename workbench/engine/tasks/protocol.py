"""What a task is: a dataset to learn from, environments to act in, and defaults that are known to work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from workbench.engine.data.transitions import Transitions


class StepResult(NamedTuple):
    """One step of E environments.

    Attributes
    ----------
    observations : ndarray
        (E, S) float32.
    rewards : ndarray
        (E,) float32, 0 for environments that were not active.
    terminated, truncated : ndarray
        (E,) bool: the episode ended by itself; or by the time limit.
    success : ndarray
        (E,) bool: the goal was reached at this step.
    """

    observations: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    success: np.ndarray


class BatchEnv(Protocol):
    """E environments stepped together; each plays one episode, the seed fixes all of them."""

    def reset(self) -> np.ndarray:
        """Start all episodes; returns observations (E, S) float32."""
        ...

    def step(self, actions: np.ndarray, active: np.ndarray) -> StepResult:
        """Apply ``actions`` (E, D) where ``active`` (E,) bool; the others stay as they are."""
        ...

    def close(self) -> None:
        """Release what the environments hold."""
        ...


@dataclass(frozen=True)
class TaskInfo:
    """What a list of tasks shows.

    Attributes
    ----------
    name, title : str
    observation_dim, action_dim : int
        S and D.
    horizon : int
        Steps until an episode is cut off.
    summary : str
        One line.
    extra : str
        The optional extra that must be installed ("" when none).
    """

    name: str
    title: str
    observation_dim: int
    action_dim: int
    horizon: int
    summary: str
    extra: str = ""


class Playable(Protocol):
    """What playing episodes needs of a task."""

    @property
    def info(self) -> TaskInfo:
        """Its name and sizes."""
        ...

    def environments(self, count: int, seed: int) -> BatchEnv:
        """``count`` environments, each with its own start drawn from ``seed``."""
        ...


class Task(Playable, Protocol):
    """A task: episodes to play, data to learn from, and settings that are known to work.

    What only some tasks know or can do stands in `workbench.engine.tasks.abilities`.
    """

    def training_defaults(self, critic: str = "iql") -> dict[str, Any]:
        """Settings of `FitConfig` that are known to work here with this critic."""
        ...

    def generate(self, rows: int | None, seed: int) -> Transitions:
        """Make a dataset of about ``rows`` rows (None: the task's usual size), bit for bit the same for a seed."""
        ...
