"""The dataset as the updates read it: one matrix on the device, which may have room for rows that are still to come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from workbench.engine.data.chunks import check_chunk, chunk_reach, chunk_rows
from workbench.engine.data.transitions import BLOCK, Batch, Transitions
from workbench.engine.words import UserError


class Beside(NamedTuple):
    """What minibatches hold beside the usual, because a critic asks for it.

    Attributes
    ----------
    next_actions : bool
        The action at the next observation; not with chunks.
    long_chunk : int
        Where it is more than the policy's own chunks have: chunks of so many actions, and returns that span them.
    """

    next_actions: bool = False
    long_chunk: int = 1


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
    beside : Beside
        What minibatches hold beside the usual.

    Attributes
    ----------
    fixed, room, appended : int
        R rows that stay; rows in the ring; rows appended so far, those that were replaced included.

    Raises
    ------
    UserError
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
        beside: Beside = Beside(),  # noqa: B008 -- it cannot change
    ) -> None:
        next_actions, long_chunk = beside
        if next_actions and chunk > 1:
            raise UserError("next actions are not kept with action chunks; use chunk=1, or critic_penalty=0")
        self._mean, self._std = mean.cpu(), std.cpu()
        self._steps, self._discount, self._reward_scale = max(steps, chunk, long_chunk), discount, reward_scale
        self._s, self._d, self._chunk, self._next = data.observation_dim, data.action_dim, chunk, next_actions
        self.fixed, self.room, self.appended = len(data), 0, 0
        self._lengths = [
            h for h in (chunk, long_chunk if long_chunk > chunk else 1) if h > 1
        ]  # of the chunks in a batch
        for length in self._lengths:
            check_chunk(data, length)
        self._first = 0  # number of the matrix' first row
        self._matrix = self._held(data).to(device)

    def __len__(self) -> int:
        return self.fixed + self.kept

    @property
    def is_held(self) -> bool:
        """Whether all rows lie on the device, so that drawing a minibatch reads nothing else."""
        return True

    @property
    def place(self) -> tuple[int, int, int]:
        """Changes when the rows move, or others join them: what a recorded update is bound to."""
        return self._matrix.data_ptr(), self.room, self.appended

    @property
    def kept(self) -> int:
        """Appended rows that are there."""
        return min(self.appended, self.room)

    def make_room(self, room: int) -> None:
        """Let ``room`` rows be appended before the oldest of them are replaced."""
        kept = self._matrix[: self.fixed - self._first]
        self._matrix = torch.cat((kept, kept.new_zeros(room, kept.shape[1])))
        self.room, self.appended = room, 0

    def append(self, data: Transitions) -> Tensor:
        """Add whole episodes, or the ends of some; returns the places (A,) of the rows that found room, oldest first."""
        rows = self._rows(data)[-self.room :]
        first = self.appended + len(data) - len(rows)
        places = self.fixed + (first + torch.arange(len(rows))) % self.room
        self._matrix[places.to(self._matrix.device) - self._first] = rows.to(self._matrix.device)
        self.appended += len(data)
        return places

    def draw(self, size: int, generator: torch.Generator, share: float | None = None) -> Tensor:
        """Row numbers (``size``,) of a minibatch.

        Parameters
        ----------
        size : int
        generator : torch.Generator
        share : float, optional
            How much of the minibatch comes from appended rows, as soon as there are any; without it all rows are alike.
        """
        device = generator.device
        recent = 0 if share is None or not self.kept else round(share * size)
        if not recent:
            until = len(self) if share is None else self.fixed
            return torch.randint(0, until, (size,), generator=generator, device=device)
        old = torch.randint(0, self.fixed, (size - recent,), generator=generator, device=device)
        new = torch.randint(self.fixed, len(self), (recent,), generator=generator, device=device)
        return torch.cat((old, new))

    def _held(self, data: Transitions) -> Tensor:
        """The rows of the data that the matrix begins with: all, made a block at a time, which takes no more than they do."""
        matrix = torch.empty(0)
        for first in range(0, len(data), BLOCK):
            rows = self._rows(data, np.arange(first, min(first + BLOCK, len(data))))
            if not first:
                matrix = rows.new_empty(len(data), rows.shape[1])
            matrix[first : first + len(rows)] = rows
        return matrix

    def _rows(self, data: Transitions, which: np.ndarray | None = None) -> Tensor:
        """(R, S + D + 2 + S): observation, action, return, discount, next observation; then reach and valid of each length of
        chunks, or next action.

        Of the rows ``which`` (R,), or of all.
        """
        rewards, discounts, last = data.returns(self._steps, self._discount, which)
        every = slice(None) if which is None else which
        observations = (torch.from_numpy(data.observations[every]) - self._mean) / self._std
        following = (torch.from_numpy(data.after(last, which)) - self._mean) / self._std
        scalars = torch.from_numpy(np.stack((rewards * self._reward_scale, discounts), 1))
        columns = [observations, torch.from_numpy(data.actions[every]), scalars, following]
        for length in self._lengths:
            columns.append(torch.from_numpy(np.stack(chunk_reach(data, length, which), 1)).float())
        if self._next:
            after = data.actions[np.minimum(last + 1, len(data) - 1)]
            columns.append(torch.from_numpy(np.where(data.ends[last][:, None], np.float32("nan"), after)))
        return torch.cat(columns, 1)

    def noise(self, size: int, generator: torch.Generator) -> Tensor | None:
        """What `batch` draws beside its rows: nothing here, and nothing is taken from ``generator``."""
        return None

    def _taken(self, index: Tensor, noise: Tensor | None = None) -> Tensor:
        """The rows ``index`` (M,) as `_rows` makes them."""
        return self._matrix.index_select(0, index)

    def _chunks(self, index: Tensor, reach: Tensor, length: int) -> Tensor:
        """Actions (M, h, D) of the chunks of ``length`` that begin at ``index`` (M,) and reach over so many rows."""
        which = chunk_rows(index, reach, length) - self._first
        most = self.fixed + self.room - self._first
        if self.room:  # an episode may go round the end of the ring
            which = torch.where(which >= most, which - self.room, which)
        return self._matrix[:, self._s : self._s + self._d][which]

    @property
    def next_observations(self) -> Tensor:
        """All next observations, (R, S), normalised."""
        begin = self._s + self._d + 2
        return self._matrix[: len(self), begin : begin + self._s]

    def following(self, size: int) -> Iterator[Tensor]:
        """All next observations, ``size`` rows (M, S) after the other."""
        yield from self.next_observations.split(size)

    def beside(self, blocks: Iterable[Tensor]) -> Tensor:
        """What belongs to the rows, (R, …), from ``blocks`` in their order; kept where the rows are."""
        return torch.cat(list(blocks))

    def batch(self, index: Tensor, noise: Tensor | None = None) -> Batch:
        """Gather the rows ``index`` (M,), with what is drawn of ``noise`` (`noise`)."""
        s, d = self._s, self._d
        rows = self._taken(index, noise)
        observations, actions, following = rows[:, :s], rows[:, s : s + d], rows[:, s + d + 2 : s + d + 2 + s]
        held: dict[int, tuple[Tensor, Tensor]] = {}
        for begin, length in enumerate(self._lengths):
            reach, valid = rows[:, s + d + 2 + s + 2 * begin], rows[:, s + d + 3 + s + 2 * begin]
            held[length] = self._chunks(index, reach.long(), length).flatten(1), valid
        one = held.pop(self._chunk, (actions, None))
        long = next(iter(held.values()), (None, None))
        after = rows[:, -d:] if self._next else None
        return Batch(observations, one[0], rows[:, s + d], rows[:, s + d + 1], following, index, one[1], after, *long)
