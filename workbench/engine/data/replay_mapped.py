"""The dataset as the updates read it when its rows lie on disk: a minibatch reads its own rows and nothing else."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.engine.data.atomic import explained
from workbench.engine.data.chunks import chunk_rows
from workbench.engine.data.goals import GoalTransitions
from workbench.engine.data.hindsight import MappedGoals
from workbench.engine.data.mapped import MappedTransitions
from workbench.engine.data.replay import Replay
from workbench.engine.data.replay_goals import GoalReplay
from workbench.engine.data.transitions import BLOCK, Transitions


def make_replay(data: Transitions, mean: Tensor, std: Tensor, **settings: Any) -> Replay:
    """The replay of ``data``: on the device, or reading from disk where the rows lie there, and with goals that are drawn anew.

    Parameters are those of `Replay`.
    """
    kinds: dict[type[Transitions], type[Replay]] = {
        MappedGoals: MappedGoalReplay,
        MappedTransitions: MappedReplay,
        GoalTransitions: GoalReplay,
    }
    kind = next((replay for held, replay in kinds.items() if isinstance(data, held)), Replay)
    return kind(data, mean, std, **settings)


class MappedReplay(Replay):
    """`Replay` over rows on disk: the same minibatches, bit for bit. Rows that are appended are held in memory as there.

    Attributes
    ----------
    rows_read : int
        Rows of the dataset that were read from disk so far.
    """

    rows_read = 0

    @property
    def is_held(self) -> bool:
        """No: they are on disk."""
        return False

    def _held(self, data: Transitions) -> Tensor:
        assert isinstance(data, MappedTransitions)
        self._data, self._first = data, len(data)
        return self._from_disk(np.zeros(1, dtype=np.int64))[:0]

    def _from_disk(self, which: np.ndarray) -> Tensor:
        """The rows ``which`` (M,) as `_rows` makes them, of windows that hold what a return and the action after it need."""
        windows, places = self._data.windows(which, self._steps + 1)
        self.rows_read += len(windows)
        return self._rows(windows, places)

    def _taken(self, index: Tensor, noise: Tensor | None = None) -> Tensor:
        rows = self._from_disk(np.minimum(index.cpu().numpy(), self.fixed - 1)).to(self._matrix.device)
        if not self.room:
            return rows
        places = (index - self._first).clamp_min(0)
        return torch.where((index >= self.fixed)[:, None], self._matrix[places], rows)

    def _chunks(self, index: Tensor, reach: Tensor, length: int) -> Tensor:
        old = index < self.fixed
        windows, places = self._data.windows(np.minimum(index.cpu().numpy(), self.fixed - 1), length)
        self.rows_read += len(windows)
        inside = torch.where(old, reach, 1).cpu()
        which = chunk_rows(torch.from_numpy(places), inside, length).numpy()
        actions = torch.from_numpy(windows.actions[which]).to(self._matrix.device)
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

    def beside(self, blocks: Iterable[Tensor]) -> Tensor:
        """As of `Replay`; on the CPU it is a file without a name, beside the rows, which ends with this process."""
        if self._matrix.device.type != "cpu":
            return super().beside(blocks)
        blocks = iter(blocks)
        first = next(blocks).numpy()
        shape, place = (len(self), *first.shape[1:]), self._data.folder.parent
        length = int(np.prod(shape)) * first.itemsize
        with tempfile.TemporaryFile(dir=place) as file, explained(place, length):
            os.posix_fallocate(file.fileno(), 0, length)  # a map of a file without its disk would end the process
            mapped = mmap.mmap(file.fileno(), length)
        held, begin = np.frombuffer(mapped, first.dtype).reshape(shape), 0
        for block in chain((first,), (block.numpy() for block in blocks)):
            held[begin : begin + len(block)] = block
            begin += len(block)
        return torch.from_numpy(held)


class MappedGoalReplay(GoalReplay, MappedReplay):
    """`GoalReplay` over rows on disk: the same goals and minibatches, bit for bit."""

    _data: MappedGoals
