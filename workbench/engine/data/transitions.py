"""Transitions: an offline dataset, validated once at the door, and the minibatch that the losses read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from workbench.engine.words import UserError, counted

OutOfBounds = Literal["refuse", "clip"]
Place = Callable[[int], str]  # what a message calls a row: rows may have been dropped since the file was read
SLACK = 1e-5  # float32 rounding of a bound is not an error
BLOCK = 8192  # rows that a pass over all of them holds at a time


class Batch(NamedTuple):
    """What one update reads. M rows.

    Attributes
    ----------
    observations, next_observations : Tensor
        (M, S), normalised.
    actions : Tensor
        (M, D), in [-1, 1]; with action chunks (M, h·D), the first step's action first.
    rewards : Tensor
        (M,), scaled n-step sums Σ_h γ^h r_h.
    discounts : Tensor
        (M,), γ^H · mask: what multiplies the bootstrap value.
    rows : Tensor
        (M,), row numbers in the dataset (for cached reference samples).
    valid : Tensor or None
        (M,), 0 for rows that must not count (action chunks that run past an episode's end); None: all count.
    next_actions : Tensor or None
        (M, D), the data's action at ``next_observations``, NaN where the episode ends; None where nobody asked for it.
    long_actions, long_valid : Tensor or None
        (M, h·D) and (M,), longer chunks that begin with ``actions``, whose returns are the rewards; None where nobody asked.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    discounts: Tensor
    next_observations: Tensor
    rows: Tensor
    valid: Tensor | None = None
    next_actions: Tensor | None = None
    long_actions: Tensor | None = None
    long_valid: Tensor | None = None


@dataclass(frozen=True)
class Transitions:
    """An offline dataset of R rows; build it with `make_transitions`, which checks everything.

    Attributes
    ----------
    observations, next_observations : ndarray
        (R, S) float32.
    actions : ndarray
        (R, D) float32 in [-1, 1].
    rewards : ndarray
        (R,) float32, the task's own units.
    masks : ndarray
        (R,) float32, 0 where the episode terminated (no bootstrap), else 1.
    ends : ndarray
        (R,) bool, the last row of each episode, terminated or cut off by time.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    masks: np.ndarray
    next_observations: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return int(self.actions.shape[0])

    @property
    def observation_dim(self) -> int:
        """S."""
        return int(self.observations.shape[1])

    @property
    def action_dim(self) -> int:
        """D."""
        return int(self.actions.shape[1])

    def fingerprint(self) -> str:
        """SHA-256 of all arrays: the same data always has the same fingerprint."""
        digest = hashlib.sha256()
        for item in fields(Transitions):
            array: np.ndarray = getattr(self, item.name)
            digest.update(f"{item.name}{array.dtype}{array.shape}".encode())
            for first in range(0, len(array), BLOCK):  # as bytes a whole column would be in memory once more
                digest.update(array[first : first + BLOCK].tobytes())
        return digest.hexdigest()

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (S,) float64 of the observations."""
        return moments(self.observations)

    def returns(
        self, steps: int, discount: float, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`n_step` of these data."""
        return n_step(self, steps, discount, rows)

    def after(self, last: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Next observations (M, S) of the rows ``last`` (M,), as a return that began at ``rows`` (all rows: None) sees them."""
        return np.asarray(self.next_observations[last])

    def settled(self, reach: np.ndarray, last: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Which chunks (M,) that begin at ``rows``, reach over so many rows and end in ``last`` had their episode terminate."""
        return np.asarray(self.masks[last] == 0.0)

    def sample_states(self, seed: int, count: int = 256) -> Tensor:
        """Observations (count, S) of rows drawn evenly from the whole dataset; the same rows for the same seed."""
        rows = np.random.default_rng(seed).integers(0, len(self), count)
        return torch.from_numpy(self.observations[rows])


def make_transitions(
    observations: np.ndarray,
    actions: np.ndarray,
    rewards: np.ndarray,
    masks: np.ndarray,
    next_observations: np.ndarray,
    ends: np.ndarray,
    *,
    out_of_bounds: OutOfBounds = "refuse",
    source: str = "dataset",
    place: Place = "row {}".format,
) -> Transitions:
    """Check and convert the arrays of a dataset.

    Parameters
    ----------
    observations, actions, rewards, masks, next_observations, ends : ndarray
        As in `Transitions`; any real dtype. They are copied, never changed.
    out_of_bounds : {"refuse", "clip"}
        What to do with actions outside [-1, 1].
    source : str
        What to call the data in messages.
    place : callable, optional
        What to call a row in them, where the arrays' rows are not the file's.

    Raises
    ------
    UserError
        Empty data, disagreeing lengths, wrong dimensions, NaN or infinity (names array and row), masks or ends that are
        not 0 or 1, or actions outside [-1, 1] (counted, with the cure).
    """
    given = {
        "observations": (observations, 2),
        "actions": (actions, 2),
        "rewards": (rewards, 1),
        "masks": (masks, 1),
        "next_observations": (next_observations, 2),
        "ends": (ends, 1),
    }
    checked = {name: _float32(array, dims, f"{source}: '{name}'", place) for name, (array, dims) in given.items()}
    rows = len(checked["actions"])
    if rows == 0:
        raise UserError(f"{source}: the dataset has no rows")
    for name, array in checked.items():
        if len(array) != rows:
            raise UserError(f"{source}: '{name}' has {len(array)} rows but 'actions' has {rows}")
        if 0 in array.shape:
            raise UserError(f"{source}: '{name}' has shape {array.shape}; it needs at least one column")
    if checked["observations"].shape != checked["next_observations"].shape:
        shapes = checked["observations"].shape, checked["next_observations"].shape
        raise UserError(f"{source}: 'observations' {shapes[0]} and 'next_observations' {shapes[1]} differ in shape")
    for name in ("masks", "ends"):
        odd = ~np.isin(checked[name], (0.0, 1.0))
        if odd.any():
            row = int(odd.argmax())
            raise UserError(f"{source}: '{name}' must be 0 or 1, got {checked[name][row]:g} in {place(row)}")
    outside = np.abs(checked["actions"]).max(1) > 1.0 + SLACK
    if outside.any() and out_of_bounds == "refuse":
        raise UserError(
            f"{source}: {int(outside.sum())} of {rows} rows have actions outside [-1, 1], "
            f"first {place(int(outside.argmax()))} "
            "(rescale them, or clip them: out_of_bounds='clip', on the command line --clip-actions)"
        )
    checked["actions"] = np.clip(checked["actions"], -1.0, 1.0)
    checked["ends"] = (checked["ends"] == 1.0) | (checked["masks"] == 0.0)  # what terminated has ended
    checked["ends"][-1] = True
    return Transitions(**checked)


def _float32(array: np.ndarray, dims: int, what: str, place: Place) -> np.ndarray:
    """Return a float32 copy of ``array``, finite and with ``dims`` dimensions; UserError calls it ``what``."""
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise UserError(f"{what} must hold real numbers, got dtype {array.dtype}")
    if array.ndim != dims:
        raise UserError(f"{what} must have {counted(dims, 'dimension')}, got shape {array.shape}")
    _refuse_infinite(array, f"{what} has NaN or infinity", "drop or repair such rows", place)
    with np.errstate(over="ignore"):
        copy = np.array(array, dtype=np.float32, order="C")
    _refuse_infinite(copy, f"{what} has numbers too large for float32", "rescale them", place)
    return copy


def _refuse_infinite(array: np.ndarray, complaint: str, cure: str, place: Place) -> None:
    finite = np.isfinite(array)
    if not finite.all():
        raise UserError(f"{complaint}, first in {place(int(np.argwhere(~finite)[0, 0]))}; {cure}")


def moments(observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (S,) of the rows, in double precision: a float32 sum over half a million rows is off in
    the fourth digit.

    A block is in memory at a time. Sums go on from block to block in the order of the rows, so that the result has the bits
    of NumPy's own ``mean`` and ``std`` (one column alone NumPy may sum in another order).
    """

    def mean_of(block_of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        total = np.empty((0, observations.shape[1]))
        for first in range(0, len(observations), BLOCK):
            block = block_of(observations[first : first + BLOCK].astype(np.float64))
            total = np.concatenate((total, block)).sum(0, keepdims=True)
        return np.asarray(total[0] / len(observations))

    mean = mean_of(lambda block: block)
    return mean, np.sqrt(mean_of(lambda block: np.square(block - mean)))


def n_step(
    data: Transitions, steps: int, discount: float, rows: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """n-step returns that stop at the episode's end.

    Parameters
    ----------
    data : Transitions
    steps : int
        n ≥ 1.
    discount : float
        γ per step.
    rows : ndarray, optional
        (R,) where returns begin, any rows in any order; all rows in theirs without it.

    Returns
    -------
    (rewards (R,), discounts (R,), last (R,))
        Σ_{h<H} γ^h r, γ^H · mask of the last row used, and that row's number; H = n, or less at the end of an episode.

    Raises
    ------
    UserError
        ``steps`` is less than 1.
    """
    if steps < 1:
        raise UserError(f"n-step returns need at least 1 step, got {steps}")
    last = np.arange(len(data)) if rows is None else np.array(rows, dtype=np.int64)
    rewards = data.rewards[last].astype(np.float64)
    power = np.full(len(last), discount)
    open_rows = ~data.ends[last]
    for _ in range(steps - 1):
        grow = np.flatnonzero(open_rows)
        if not len(grow):
            break
        last[grow] += 1
        rewards[grow] += power[grow] * data.rewards[last[grow]]
        power[grow] *= discount
        open_rows[grow] = ~data.ends[last[grow]]
    return rewards.astype(np.float32), (power * data.masks[last]).astype(np.float32), last
