"""Action chunks: h actions in a row, decided at once and played open loop, as one action of h·D numbers.

Source: methods.md, section 1 (QGF's runs use h = 5): the reward of a chunk is the discounted sum inside it, its bootstrap
is discounted by γ^h, and both stop at the episode's end.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from workbench.engine.data.transitions import Transitions
from workbench.engine.words import UserError


def chunk_reach(data: Transitions, chunk: int) -> tuple[np.ndarray, np.ndarray]:
    """How much of each row's chunk lies inside its episode, and whether its value is known.

    Parameters
    ----------
    data : Transitions
    chunk : int
        h.

    Returns
    -------
    (reach (R,) int64, valid (R,) float32)
        Rows of the episode that the chunk covers, 1 to h; and 1 where the chunk's return is known: all h actions were
        played, or the episode terminated within them, after which no action matters. 0 where time ran out within them:
        what the missing actions would have brought is unknown.

    Raises
    ------
    UserError
        ``chunk`` is less than 1, or no chunk of the data is valid.

    Notes
    -----
    The published code looks at the end of the stored trajectory alone: there a chunk that runs past it is invalid even when
    the episode terminated. On OGBench's data, which the papers use, a success inside a trajectory sets the mask and not
    the end, so that such chunks are valid with discount 0, as here.
    """
    if chunk < 1:
        raise UserError(f"a chunk needs at least 1 action, got {chunk}")
    ends, rows = np.flatnonzero(data.ends), np.arange(len(data))
    end = ends[np.searchsorted(ends, rows)]
    reach = np.minimum(chunk, end - rows + 1)
    valid = ((reach == chunk) | (data.masks[end] == 0.0)).astype(np.float32)
    if not valid.any():
        longest = int(np.diff(ends, prepend=-1).max())
        raise UserError(
            f"chunk = {chunk} is longer than every episode of the data ({longest} steps); use a shorter one"
        )
    return reach, valid


def chunk_rows(index: Tensor, reach: Tensor, chunk: int) -> Tensor:
    """Rows (M, h) whose actions make the chunks that begin at the rows ``index`` (M,).

    Past the episode's end the last action is repeated, so that no chunk holds actions of another episode (the published code
    takes the next trajectory's). They are never played; the flow learns them as it learns any other action.
    """
    step = torch.arange(chunk, device=index.device)
    return index[:, None] + torch.minimum(step, reach[:, None] - 1)
