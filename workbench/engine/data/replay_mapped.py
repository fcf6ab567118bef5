"""The dataset as the updates read it when its rows lie on disk: a minibatch reads its own rows and nothing else."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable
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
from workbench.engine.data.picture_rows import PictureReplay, PictureTransitions
from workbench.engine.data.replay import Replay
from workbench.engine.data.replay_away import AwayReplay, HostReplay, fits
from workbench.engine.data.replay_goals import GoalReplay
from workbench.engine.data.transitions import Transitions
from workbench.engine.transfer import free_memory


def make_replay(data: Transitions, mean: Tensor, std: Tensor, **settings: Any) -> Replay:
    """The replay of ``data``: on the device, or in the processor's memory where a GPU has no room, or reading from disk where the
    rows lie there, and with goals that are drawn anew.

    Parameters are those of `Replay`.
    """
    kinds: dict[type[Transitions], type[Replay]] = {
        MappedGoals: MappedGoalReplay,
        MappedTransitions: MappedReplay,
        GoalTransitions: GoalReplay,
        PictureTransitions: PictureReplay,
    }
    plain = Replay if fits(data, free_memory(settings["device"])) else HostReplay
    kind = next((replay for held, replay in kinds.items() if isinstance(data, held)), plain)
    return kind(data, mean, std, **settings)


class MappedReplay(AwayReplay):
    """`Replay` over rows on disk.

    Attributes
    ----------
    rows_read : int
        Rows of the dataset that were read from disk so far.
    """

    rows_read = 0

    def _held(self, data: Transitions) -> Tensor:
        assert isinstance(data, MappedTransitions)
        self._data, self._first = data, len(data)
        return self._fetched(np.zeros(1, dtype=np.int64))[:0]

    def _fetched(self, which: np.ndarray) -> Tensor:
        """Of windows that hold what a return and the action after it need."""
        windows, places = self._data.windows(which, self._steps + 1)
        self.rows_read += len(windows)
        return self._rows(windows, places)

    def _fetched_chunks(self, which: np.ndarray, reach: Tensor, length: int) -> Tensor:
        windows, places = self._data.windows(which, length)
        self.rows_read += len(windows)
        rows = chunk_rows(torch.from_numpy(places), reach, length).numpy()
        return torch.from_numpy(windows.actions[rows])

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
