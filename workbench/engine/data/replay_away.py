"""The dataset as the updates read it when its rows are not on the device: a minibatch's own rows are sent to it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from workbench.engine.data.chunks import chunk_rows
from workbench.engine.data.replay import Replay
from workbench.engine.data.transitions import BLOCK, Transitions
from workbench.engine.transfer import sent

SHARE = 0.5  # of a GPU's free memory that the rows may take


class AwayReplay(Replay):
    """`Replay` of rows that lie elsewhere: the same minibatches, bit for bit. Rows that are appended are held on the device."""

    @property
    def is_held(self) -> bool:
        """No: they are elsewhere."""
        return False

    @abstractmethod
    def _fetched(self, which: np.ndarray) -> Tensor:
        """The rows ``which`` (M,) as `_rows` makes them, in the processor's memory."""

    @abstractmethod
    def _fetched_chunks(self, which: np.ndarray, reach: Tensor, length: int) -> Tensor:
        """Actions (M, h, D) of the chunks of ``length`` that begin at ``which`` (M,) and reach over so many rows."""

    def _taken(self, index: Tensor, noise: Tensor | None = None) -> Tensor:
        rows = sent(self._fetched(np.minimum(index.cpu().numpy(), self.fixed - 1)), self._matrix.device)
        if not self.room:
            return rows
        places = (index - self._first).clamp_min(0)
        return torch.where((index >= self.fixed)[:, None], self._matrix[places], rows)

    def _chunks(self, index: Tensor, reach: Tensor, length: int) -> Tensor:
        old = index < self.fixed
        inside = torch.where(old, reach, 1).cpu()
        found = self._fetched_chunks(np.minimum(index.cpu().numpy(), self.fixed - 1), inside, length)
        actions = sent(found, self._matrix.device)
        if not self.room:
            return actions
        begin = torch.where(old, self.fixed, index)
        return torch.where(old[:, None, None], actions, super()._chunks(begin, torch.where(old, 1, reach), length))

    @property
    def next_observations(self) -> Tensor:
        """As of `Replay`; all are read."""
        return torch.cat(list(self.following(BLOCK)))

    def following(self, size: int) -> Iterator[Tensor]:
        """As of `Replay`; a block of ``size`` rows is read at a time."""
        begin = self._s + self._d + 2
        for first in range(0, len(self), size):
            index = torch.arange(first, min(first + size, len(self)), device=self._matrix.device)
            yield self._taken(index)[:, begin : begin + self._s]


class HostReplay(AwayReplay):
    """`Replay` over rows in the processor's memory, which the GPU has no room for."""

    def _held(self, data: Transitions) -> Tensor:
        self._far, self._first = super()._held(data), len(data)
        return self._far[:0]

    def _fetched(self, which: np.ndarray) -> Tensor:
        return self._far.index_select(0, torch.from_numpy(which))

    def _fetched_chunks(self, which: np.ndarray, reach: Tensor, length: int) -> Tensor:
        rows = chunk_rows(torch.from_numpy(which), reach, length)
        return self._far[:, self._s : self._s + self._d][rows]


def fits(data: Transitions, free: int | None) -> bool:
    """Whether the rows of ``data`` may lie on a device with so many bytes ``free``; None: in the processor's memory."""
    width = 2 * data.observation_dim + data.action_dim + 4
    return free is None or 4 * width * len(data) <= SHARE * free
