"""Numbers in and out of Gymnasium's boxes: observations as one row, actions in [-1, 1]."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.engine.words import SaidError, shown

NO_BOUND = 1e6  # bounds so far out are written where there are none, and would make every action 0
LARGEST = tuple(float(np.finfo(kind).max) for kind in (np.float16, np.float32, np.float64))


def flat(observation: object, steps: int | None = None) -> np.ndarray:
    """One row (S,) float32 of an observation, or ``steps`` rows (steps, S) of as many.

    The entries of a dict follow one another in the order of their sorted names, those of a tuple in its own order, at every
    time alike. With ``steps`` each entry holds one row a step; a list of rows is one entry.

    Raises
    ------
    SaidError
        Something in it is not an array of numbers, or a picture, or has another number of rows.
    """
    lead = () if steps is None else (steps,)
    if isinstance(observation, Mapping):
        entries = [observation[name] for name in sorted(observation)]
    elif isinstance(observation, tuple):
        entries = list(observation)
    else:
        return _row_or_rows(observation, steps)
    columns = [flat(entry, steps) for entry in entries]
    return np.concatenate(columns, -1) if columns else np.zeros((*lead, 0), dtype=np.float32)


def _row_or_rows(entry: Any, steps: int | None) -> np.ndarray:
    try:
        array = np.asarray(entry)
    except ValueError:
        raise SaidError("observations must be numbers, found rows of several lengths") from None
    if array.dtype.kind not in "biuf":
        raise SaidError(f"observations must be numbers, or dicts and tuples of numbers, got dtype {array.dtype}")
    if steps is not None and array.shape[:1] != (steps,):
        raise SaidError(f"{len(array) if array.ndim else 1} rows where {steps} are needed")
    each = array.shape if steps is None else array.shape[1:]
    if array.dtype == np.uint8 and len(each) >= 2:
        raise SaidError(
            f"pictures of shape {each} cannot be read as rows of numbers; encode them with a network of your own first, and save "
            "what it returns"
        )
    lead = () if steps is None else (steps,)
    return array.reshape(*lead, math.prod(each)).astype(np.float32)


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
    SaidError
        No bounds that mean something: infinite ones, or numbers that stand for "no bound".
    """

    def __init__(self, low: np.ndarray, high: np.ndarray, source: str) -> None:
        self.low, self.high = (np.asarray(bound, dtype=np.float64).ravel() for bound in (low, high))
        bounds = np.concatenate((self.low, self.high))
        in_name_only = ~np.isfinite(bounds) | (np.abs(bounds) >= NO_BOUND) | np.isin(np.abs(bounds), LARGEST)
        if in_name_only.any() or not (self.low < self.high).all():
            raise SaidError(
                f"{source}: its actions lie between {shown(self.low.tolist())} and {shown(self.high.tolist())}, which cannot be "
                "scaled to [-1, 1]; give each action two finite bounds that it really uses: set them in the environment's "
                "action_space, or wrap it (gymnasium.wrappers.RescaleAction, ClipAction) and register the wrapped one"
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
        return clipped if self._is_unit() else np.asarray(self.low + 0.5 * (clipped + 1.0) * (self.high - self.low))

    def _is_unit(self) -> bool:
        return bool((self.low == -1.0).all() and (self.high == 1.0).all())
