"""Data from episodes that are played."""

from __future__ import annotations

import numpy as np

from workbench.engine.data.transitions import Transitions, make_transitions
from workbench.engine.tasks.protocol import StepResult


class Recorder:
    """Collects the steps of E environments; hand it to `rollout` as ``record``."""

    def __init__(self) -> None:
        self._columns: list[tuple[np.ndarray, ...]] = []
        self._before: list[tuple[np.ndarray, ...]] = []  # batches of episodes that are over

    def __call__(self, observations: np.ndarray, actions: np.ndarray, active: np.ndarray, result: StepResult) -> None:
        """Note one step: observations (E, S) before it, actions (E, D), which of them moved (E,) bool, and the result."""
        ended = result.terminated | result.truncated
        row = active, observations, actions, result.rewards, 1.0 - result.terminated, result.observations, ended
        self._columns.append(tuple(np.array(array) for array in row))

    def transitions(self, source: str = "episodes") -> Transitions:
        """All steps, one episode after the other.

        Raises
        ------
        ValueError
            Nothing was recorded, or the environments gave numbers that are not finite.
        """
        self.pause()
        if not self._before:
            raise ValueError(f"{source}: no step was recorded")
        return make_transitions(*(np.concatenate(column) for column in zip(*self._before, strict=True)), source=source)

    def pause(self) -> None:
        """End the present episodes. Others may follow, in another number of environments."""
        if self._columns:
            active, *arrays = (np.stack(column, 1) for column in zip(*self._columns, strict=True))  # (E, steps, ...)
            self._before.append(tuple(array[active] for array in arrays))
            self._columns = []
