"""Numbers in and out of Gymnasium's boxes: observations as one row, actions in [-1, 1]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def flat(observation: Any, steps: int | None = None) -> np.ndarray:
    """One row (S,) float32 of an observation, or ``steps`` rows (steps, S) of as many.

    The entries of a dict follow one another in the order of their sorted names.

    Raises
    ------
    ValueError
        Something in it is not an array of numbers.
    """
    lead = () if steps is None else (steps,)
    if isinstance(observation, Mapping):
        columns = [flat(observation[name], steps) for name in sorted(observation)]
        return np.concatenate(columns, -1) if columns else np.zeros((*lead, 0), dtype=np.float32)
    array = np.asarray(observation)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"observations must be numbers or dicts of numbers, got dtype {array.dtype}")
    return array.reshape(*lead, -1).astype(np.float32)


class ActionBox:
    """The actions of an environment between ``low`` and ``high`` (D,), and the same in [-1, 1].

    Parameters
    ----------
    low, high : array
        (D,), finite, low < high.
    source : str
        What to call it in messages.

    Raises
    ------
    ValueError
        No finite bounds.
    """

    def __init__(self, low: np.ndarray, high: np.ndarray, source: str) -> None:
        self.low, self.high = (np.asarray(bound, dtype=np.float64).ravel() for bound in (low, high))
        if not (np.isfinite(self.low).all() and np.isfinite(self.high).all() and (self.low < self.high).all()):
            raise ValueError(
                f"{source}: its actions lie between {self.low} and {self.high}, which cannot be scaled to [-1, 1]; "
                "wrap the environment so that each action has two finite bounds"
            )

    def to_unit(self, actions: np.ndarray) -> np.ndarray:
        """``actions`` (..., D) in the environment's units, scaled to [-1, 1]: 2 (a − low) / (high − low) − 1.

        Where the bounds are −1 and 1 the numbers stay exactly what they are.
        """
        if self._is_unit():
            return actions
        return 2.0 * (np.asarray(actions, dtype=np.float64) - self.low) / (self.high - self.low) - 1.0

    def from_unit(self, actions: np.ndarray) -> np.ndarray:
        """``actions`` (..., D), clipped to [-1, 1], in the environment's units."""
        clipped = np.clip(actions, -1.0, 1.0)
        return clipped if self._is_unit() else self.low + 0.5 * (clipped + 1.0) * (self.high - self.low)

    def _is_unit(self) -> bool:
        return bool((self.low == -1.0).all() and (self.high == 1.0).all())
