"""The dataset as the updates read it: one matrix on the device, which may have room for rows that are still to come."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from workbench.engine.data.chunks import chunk_reach, chunk_rows
from workbench.engine.data.transitions import Batch, Transitions, n_step


class Replay:
    """The dataset on a device, as one matrix, so that a minibatch is one gather.

    The data it begins with stay; rows that are appended go into a ring of fixed size, where the newest take the place of
    the oldest. Chunks of actions are put together from single actions when a minibatch is drawn, so that nothing is stored
    h times.

    Parameters
    ----------
    data : Transitions
    mean, std : Tensor
        (S,), the observation normalisation.
    steps : int
        n of the n-step returns, in environment steps; with chunks the return spans max(n, h) steps.
    discount, reward_scale : float
    device : torch.device
    chunk : int
        h, actions in a row that make one action.
    room : int
        Rows that can be appended before the oldest of them are replaced.

    Raises
    ------
    ValueError
        No chunk fits into an episode.
    """

    def __init__(
        self,
        data: Transitions,
        mean: Tensor,
        std: Tensor,
        *,
        steps: int,
        discount: float,
        reward_scale: float,
        device: torch.device,
        chunk: int = 1,
        room: int = 0,
    ) -> None:
        self._mean, self._std = mean.cpu(), std.cpu()
        self._steps, self._discount, self._reward_scale = max(steps, chunk), discount, reward_scale
        self._s, self._d, self._chunk = data.observation_dim, data.action_dim, chunk
        self.fixed, self.room, self.appended = len(data), room, 0
        rows = self._rows(data)
        if room:
            rows = torch.cat((rows, rows.new_zeros(room, rows.shape[1])))
        self._matrix = rows.to(device)

    def __len__(self) -> int:
        return self.fixed + min(self.appended, self.room)

    def _rows(self, data: Transitions) -> Tensor:
        """(R, S + D + 2 + S): observation, action, return, discount, next observation; with chunks also reach and valid."""
        rewards, discounts, last = n_step(data, self._steps, self._discount)
        observations = (torch.from_numpy(data.observations) - self._mean) / self._std
        following = (torch.from_numpy(data.next_observations[last]) - self._mean) / self._std
        scalars = torch.from_numpy(np.stack((rewards * self._reward_scale, discounts), 1))
        columns = [observations, torch.from_numpy(data.actions), scalars, following]
        if self._chunk > 1:
            columns.append(torch.from_numpy(np.stack(chunk_reach(data, self._chunk), 1)).float())
        return torch.cat(columns, 1)

    @property
    def next_observations(self) -> Tensor:
        """All next observations, (R, S), normalised."""
        begin = self._s + self._d + 2
        return self._matrix[: len(self), begin : begin + self._s]

    def batch(self, index: Tensor) -> Batch:
        """Gather the rows ``index`` (M,)."""
        s, d = self._s, self._d
        rows = self._matrix.index_select(0, index)
        observations, actions, following = rows[:, :s], rows[:, s : s + d], rows[:, s + d + 2 : s + d + 2 + s]
        valid = None
        if self._chunk > 1:
            which = chunk_rows(index, rows[:, -2].long(), self._chunk)
            actions, valid = self._matrix[:, s : s + d][which].flatten(1), rows[:, -1]
        return Batch(observations, actions, rows[:, s + d], rows[:, s + d + 1], following, index, valid)
