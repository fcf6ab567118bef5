"""Arrays behind the pictures: particle positions of a trace, the plane in which they are drawn, and many paths as one line."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.engine.steering.trace import Trace
from workbench.engine.words import UserError

Dims = tuple[int, ...]  # two coordinates of the action, or one, which is drawn along the ticks


def positions_of(trace: Trace, state: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Positions (ticks + 1, M, D) float32 and whether each particle was picked (M,).

    ``state`` chooses one row of the batch (M = N); None lays all rows side by side (M = B·N).
    """
    positions = trace.positions.detach().cpu().numpy().astype(np.float32, copy=False)  # (ticks + 1, B, N, D)
    picked = np.zeros(positions.shape[1:3], dtype=bool)
    picked[np.arange(len(picked)), trace.picked.cpu().numpy()] = True
    if state is not None:
        if not -len(picked) <= state < len(picked):
            raise UserError(f"state must be a row of the trace, 0 to {len(picked) - 1}, got {state}")
        return positions[:, state], picked[state]
    return positions.reshape(len(positions), -1, positions.shape[-1]), picked.reshape(-1)


def joined(positions: np.ndarray) -> np.ndarray:
    """Paths (ticks + 1, M, 2) as one line (M·(ticks + 2), 2) float32, with a NaN row after each path."""
    if positions.ndim != 3 or positions.shape[-1] != 2:
        raise ValueError(f"a plane needs paths of shape (ticks + 1, M, 2), got {positions.shape}")
    line = np.full((positions.shape[1], len(positions) + 1, 2), np.nan, dtype=np.float32)
    line[:, :-1] = positions.transpose(1, 0, 2)
    return line.reshape(-1, 2)


def shown_dims(size: int, dims: Dims | None) -> Dims:
    """The coordinates that a picture of actions of ``size`` numbers shows: all of one or two, else those that were chosen.

    Raises
    ------
    UserError
        More than two numbers and no choice, or coordinates that the action does not have.
    """
    if dims is None:
        if size <= 2:
            return tuple(range(size))
        raise UserError(
            f"these actions have {size} dimensions and a picture shows two of them: choose with dims=(0, 1), any two of 0 to "
            f"{size - 1}, or dims=(0,) for one along the ticks"
        )
    asked: Any = dims  # whatever a notebook gave
    chosen = tuple(asked) if isinstance(asked, (tuple, list)) else (asked,)
    whole = all(isinstance(one, (int, np.integer)) and not isinstance(one, bool) for one in chosen)
    if not whole or len(chosen) not in (1, 2) or len(set(chosen)) < len(chosen) or not set(chosen) <= set(range(size)):
        raise UserError(
            f"dims names one or two different coordinates of the action, 0 to {size - 1}: dims=(0, 1) or dims=(0,); got {dims!r}"
        )
    return tuple(int(one) for one in chosen)


def on_plane(positions: np.ndarray, dims: Dims, first: float = 0.0, last: float = 1.0) -> np.ndarray:
    """``positions`` (ticks + 1, M, D) in the plane of ``dims``: (ticks + 1, M, 2).

    Of one coordinate the plane is (share of the ticks, coordinate): from ``first`` to ``last``.
    """
    if len(dims) == 2:
        return positions[..., list(dims)]
    share = np.linspace(first, last, len(positions), dtype=np.float32)[:, None]
    return np.stack((np.broadcast_to(share, positions.shape[:2]), positions[..., dims[0]]), -1)


def name_of(dim: int, size: int) -> str:
    """What a coordinate of an action of ``size`` numbers is called."""
    return "action" if size == 1 else f"action {dim + 1}"
