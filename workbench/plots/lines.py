"""Arrays behind the pictures: particle positions of a trace, and many paths as one line."""

from __future__ import annotations

import numpy as np

from workbench.engine.steering.trace import Trace


def positions_of(trace: Trace, state: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Positions (ticks + 1, M, D) float32 and whether each particle was picked (M,).

    ``state`` chooses one row of the batch (M = N); None lays all rows side by side (M = B·N).
    """
    positions = trace.positions.detach().cpu().numpy().astype(np.float32, copy=False)  # (ticks + 1, B, N, D)
    picked = np.zeros(positions.shape[1:3], dtype=bool)
    picked[np.arange(len(picked)), trace.picked.cpu().numpy()] = True
    if state is not None:
        if not -len(picked) <= state < len(picked):
            raise ValueError(f"state must be a row of the trace, 0 to {len(picked) - 1}, got {state}")
        return positions[:, state], picked[state]
    return positions.reshape(len(positions), -1, positions.shape[-1]), picked.reshape(-1)


def joined(positions: np.ndarray) -> np.ndarray:
    """Paths (ticks + 1, M, 2) as one line (M·(ticks + 2), 2) float32, with a NaN row after each path."""
    if positions.ndim != 3 or positions.shape[-1] != 2:
        raise ValueError(f"a plane needs paths of shape (ticks + 1, M, 2), got {positions.shape}")
    line = np.full((positions.shape[1], len(positions) + 1, 2), np.nan, dtype=np.float32)
    line[:, :-1] = positions.transpose(1, 0, 2)
    return line.reshape(-1, 2)
