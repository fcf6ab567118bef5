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
from workbench.engine.data.mapped import MappedTransitions, Pages
from workbench.engine.data.replay import Replay
from workbench.engine.data.transitions import Transitions


def make_replay(data: Transitions, mean: Tensor, std: Tensor, **settings: Any) -> Replay:
    """The replay of ``data``: on the device, or reading from disk where the rows lie there; parameters as for `Replay`."""
    kind = MappedReplay if isinstance(data, MappedTransitions) else Replay
    return kind(data, mean, std, **settings)


class MappedReplay(Replay):
    """`Replay` over rows on disk: the same minibatches, bit for bit. Rows that are appended are held in memory as there.

    Attributes
    ----------
    rows_read : int
        Rows of the dataset that minibatches took so far, each with what its return and its chunk reach.
    """

    rows_read = 0

    def _held(self, data: Transitions) -> Tensor:
        assert isinstance(data, MappedTransitions)
        self._data, self._pages, self._first = data, Pages(data.maps), len(data)
        return self._rows(data, np.arange(1))[:0]

    def _taken(self, index: Tensor) -> Tensor:
        which = index.cpu().numpy()
        rows = self._rows(self._data, np.minimum(which, self.fixed - 1)).to(self._matrix.device)
        self.rows_read += len(which)
        self._pages.read(len(which))
        return self._over(rows, index, self._matrix) if self.room else rows

    def _actions(self, which: Tensor) -> Tensor:
        found = self._data.actions[np.minimum(which.cpu().numpy(), self.fixed - 1)]
        actions = torch.from_numpy(found).to(self._matrix.device)
        return self._over(actions, which, self._matrix[:, self._s : self._s + self._d]) if self.room else actions

    def _over(self, rows: Tensor, index: Tensor, appended: Tensor) -> Tensor:
        """``rows``, but those of ``appended`` where ``index`` is beyond the dataset."""
        places = (index - self.fixed).clamp_min(0)
        return torch.where((index >= self.fixed)[..., None], appended[places], rows)

    def next_observations(self, size: int) -> Iterator[Tensor]:
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
        self._pages.add(mapped)
        held, begin = np.frombuffer(mapped, first.dtype).reshape(shape), 0
        for block in chain((first,), (block.numpy() for block in blocks)):
            held[begin : begin + len(block)] = block
            begin += len(block)
            self._pages.read(len(block))
        return torch.from_numpy(held)
