"""The rows from episodes that were played online, unchanged, so that they can be stored."""

from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from workbench.engine.data.transitions import Transitions


class Kept(NamedTuple):
    """The newest rows.

    Attributes
    ----------
    data : Transitions
        A rows; the first episode may lack its beginning.
    samples : Tensor or None
        (A, N, D), their cached reference samples.
    before : int
        How many older rows were dropped.
    """

    data: Transitions
    samples: Tensor | None
    before: int


class Recent:
    """The newest ``room`` rows of those that were added.

    Parameters
    ----------
    room : int
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self._pieces: list[Kept] = []

    @property
    def added(self) -> int:
        """How many rows were added so far, the dropped ones included."""
        return self._pieces[-1].before + len(self._pieces[-1].data) if self._pieces else 0

    def add(self, data: Transitions, samples: Tensor | None, before: int | None = None) -> None:
        """Add rows; ``samples`` belong to the last of them. ``before`` says how many older rows were dropped already."""
        self._pieces.append(Kept(data, samples, self.added if before is None else before))
        while self.added - self._pieces[0].before - len(self._pieces[0].data) >= self.room:
            self._pieces.pop(0)  # the others fill the room

    def latest(self, room: int | None = None) -> Kept:
        """The newest ``room`` rows (all that are kept, without it) as one piece.

        Raises
        ------
        ValueError
            Nothing was added.
        """
        if not self._pieces:
            raise ValueError("no rows were added yet")
        room = self.room if room is None else room
        count = min(room, self.added - self._pieces[0].before)
        columns = {
            item.name: np.concatenate([getattr(piece.data, item.name) for piece in self._pieces])[-count:]
            for item in fields(Transitions)
        }
        samples = [piece.samples for piece in self._pieces if piece.samples is not None]
        joined = torch.cat(samples)[-count:] if samples else None
        return Kept(Transitions(**columns), joined, self.added - count)
