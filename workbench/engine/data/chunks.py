"""Action chunks: h actions in a row, decided at once and played open loop, as one action of h·D numbers.

Source: methods.md, section 1 (QGF's runs use h = 5): the reward of a chunk is the discounted sum inside it, its bootstrap
is discounted by γ^h, and both stop at the episode's end.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from workbench.engine.data.transitions import BLOCK, Transitions
from workbench.engine.words import UserError


def chunk_reach(data: Transitions, chunk: int, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """How much of each row's chunk lies inside its episode, and whether its value is known.

    Parameters
    ----------
    data : Transitions
    chunk : int
        h.
    rows : ndarray, optional
        (R,) where chunks begin; all rows without it.

    Returns
    -------
    (reach (R,) int64, valid (R,) float32)
        Rows of the episode that the chunk covers, 1 to h; and 1 where the chunk's return is known: all h actions were
        played, or the episode terminated within them, after which no action matters. 0 where time ran out within them:
        what the missing actions would have brought is unknown.

    Raises
    ------
    UserError
        ``chunk`` is less than 1.

    Notes
    -----
    The published code looks at the end of the stored trajectory alone: there a chunk that runs past it is invalid even when
    the episode terminated. On OGBench's data, which the papers use, a success inside a trajectory sets the mask and not
    the end, so that such chunks are valid with discount 0, as here.
    """
    if chunk < 1:
        raise UserError(f"a chunk needs at least 1 action, got {chunk}")
    rows = np.arange(len(data)) if rows is None else rows
    last = np.array(rows, dtype=np.int64)
    reach = np.ones(len(last), dtype=np.int64)
    for _ in range(chunk - 1):
        goes_on = ~data.ends[last]
        reach += goes_on
        last += goes_on
    return reach, ((reach == chunk) | data.settled(reach, last, rows)).astype(np.float32)


def check_chunk(data: Transitions, chunk: int, setting: str = "chunk") -> None:
    """Raise UserError, which names the ``setting``, unless a chunk of the data is valid, as `chunk_reach` says."""
    for first in range(0, len(data), BLOCK):
        rows = np.arange(first, min(first + BLOCK, len(data)))
        if chunk_reach(data, chunk, rows)[1].any():
            return
    longest = int(np.diff(np.flatnonzero(data.ends), prepend=-1).max())
    raise UserError(
        f"{setting} = {chunk} is longer than every episode of the data ({longest} steps); use a shorter one"
    )


def chunk_rows(index: Tensor, reach: Tensor, chunk: int) -> Tensor:
    """Rows (M, h) whose actions make the chunks that begin at the rows ``index`` (M,).

    Past the episode's end the last action is repeated, so that no chunk holds actions of another episode (the published code
    takes the next trajectory's). They are never played; the flow learns them as it learns any other action.
    """
    step = torch.arange(chunk, device=index.device)
    return index[:, None] + torch.minimum(step, reach[:, None] - 1)
