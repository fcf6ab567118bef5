"""What a task may know or be able to do beyond what every `Task` can: one protocol for each, and the list of all.

Code that needs an ability asks for it by ``isinstance(task, HasTruth)``, and the type checker then knows its methods. A task
has an ability by having the methods; it need not inherit from anything here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.parts import Parts
from workbench.engine.tasks.film import HasRenderer
from workbench.engine.tasks.floor import HasFloor
from workbench.engine.tasks.modes import KnowsModes
from workbench.engine.tasks.outcomes import HasOutcomes
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.storage import OwnDataTask, ScaledTask, StoredTask


@runtime_checkable
class HasParts(Protocol):
    """A task that brings its behaviour flow and its critic along, so that nothing has to be trained."""

    def parts(self, seed: int = 0) -> Parts:
        """The flow and the critic, ready to steer with; ``seed`` fixes a critic that is learned on the spot."""
        ...


@runtime_checkable
class HasTruth(Protocol):
    """A task of one state whose true reward is known for every action."""

    def true_reward(self, actions: Tensor) -> Tensor:
        """Expected reward (M,), task units, of ``actions`` (M, D)."""
        ...


@runtime_checkable
class HasPeak(Protocol):
    """A task whose reward has a main peak that can be put elsewhere without training anything again."""

    @property
    def peak(self) -> tuple[float, ...]:
        """Where the peak stands now, D numbers in action units."""
        ...

    def move_peak(self, peak: Sequence[float], parts: Parts, seed: int = 0) -> tuple[Task, Parts]:
        """The task with its peak at ``peak`` (D numbers), and ``parts`` with the critic that belongs to it."""
        ...


@runtime_checkable
class KnowsSupport(Protocol):
    """A task whose behaviour policy is known in closed form, so that "inside the data" has an exact answer."""

    @property
    def behaviour(self) -> MixtureFlow:
        """The behaviour policy; its components are the modes of the data."""
        ...

    def on_support(self, actions: Tensor) -> Tensor:
        """Say, (M,) bool, which ``actions`` (M, D) lie inside the data."""
        ...


@runtime_checkable
class HasScores(Protocol):
    """A task with published returns of a random and an expert policy, between which episodes are scored."""

    def normalised_scores(self, returns: np.ndarray, success: np.ndarray) -> np.ndarray | None:
        """Score (E,) of episodes, 0 a random and 100 an expert policy, from returns and success (E,); None without one."""
        ...


ABILITIES: dict[type, str] = {
    HasParts: "brings a flow and a critic along",
    HasTruth: "knows the true reward of every action",
    HasPeak: "its reward's peak can be moved",
    KnowsSupport: "knows which actions lie inside the data",
    KnowsModes: "knows which of several ways an episode took",
    HasOutcomes: "names the ways in which its episodes end",
    HasFloor: "has a ground that pictures show from above",
    HasScores: "published reference scores",
    HasRenderer: "its environment renders pictures",
    StoredTask: "its data have a file format of their own",
    OwnDataTask: "its recorded data come with it",
    ScaledTask: "scales the actions of data files to [−1, 1]",
}


def abilities_of(task: Task) -> tuple[str, ...]:
    """Names of the abilities that ``task`` has, in the order of `ABILITIES`."""
    return tuple(ability.__name__ for ability in ABILITIES if isinstance(task, ability))
