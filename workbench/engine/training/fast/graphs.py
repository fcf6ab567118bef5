"""The whole update on a GPU as a recording: minibatch, noise, losses, gradients, target averages and Adam in one launch.

Several updates are one launch; what is left over at the end of a phase or before a checkpoint is launched one by one, by the
same kernels. So a run that was stopped and resumed at any update goes on bit for bit.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from workbench.engine.graphs import CannotRecord, Recorder, Recording, say_once
from workbench.engine.transfer import Aside, aside_for, at_once, sent

UNROLL = 10  # updates of one launch
Losses = dict[str, Tensor]


class Updates(Protocol):
    """What can be launched: a `Trainer`, or a group of them."""

    step_number: int

    @property
    def device(self) -> torch.device:
        """Where the updates are computed."""
        ...

    @property
    def generators(self) -> list[torch.Generator]:
        """Those that minibatches and noise are drawn from."""
        ...

    @property
    def draws_by_itself(self) -> bool:
        """Whether minibatch and noise of an update are made on the device of nothing but the generators."""
        ...

    def bound_to(self) -> Hashable:
        """What a recording holds for: the phase, and the tensors whose places it knows."""
        ...

    def left(self) -> int:
        """Updates until the phase ends."""
        ...

    def learning_rate(self, ahead: int = 0) -> float:
        """Adam's learning rate of the update after ``ahead`` more."""
        ...

    def draw(self, *, ahead: int = 0) -> Any:
        """Minibatch and noise of the update after ``ahead`` more, as a nest of tensors."""
        ...

    def apply(self, drawn: Any, rate: Tensor) -> Losses:
        """One update with what was drawn; tensors alone, so that it can be recorded."""
        ...


class Launches:
    """An `Updates` whose updates are recorded and launched.

    Parameters
    ----------
    updates : Updates
    recorder : Recorder
    """

    def __init__(self, updates: Updates, recorder: Recorder) -> None:
        self._updates, self._recorder = updates, recorder
        self._bound: Hashable = None
        self._inside = True
        self._aside: Aside = at_once
        self._recordings: dict[int, Recording] = {}
        # The CPU's Adam takes a rate of double precision, CUDA's one of single precision.
        self._dtype = torch.float32 if updates.device.type == "cuda" else torch.float64

    def step(self, most: int) -> Losses | None:
        """Do one launch of at most ``most`` updates; the losses of the last one, or None where nothing can be recorded."""
        updates = self._updates
        count = UNROLL if min(most, updates.left()) >= UNROLL else 1
        try:
            recording = self._recording(count)
        except CannotRecord as error:
            say_once("this training", error)
            return None
        losses: Losses = recording(self._feed(count))
        updates.step_number += count
        return losses

    def _recording(self, count: int) -> Recording:
        bound = self._updates.bound_to()
        if bound != self._bound:
            self._recordings.clear()
            self._bound, self._inside = bound, self._updates.draws_by_itself
            self._aside = aside_for(self._updates.device)  # anew: rows may just have joined the data
        if not self._recordings:
            try:
                self._recordings[1] = self._record(1)
            except CannotRecord:
                if not self._inside:
                    raise
                self._inside = False  # what it draws is then made kernel by kernel, and handed over
                self._recordings[1] = self._record(1)
        if count not in self._recordings:
            self._recordings[count] = self._record(count, rehearsed=True)
        return self._recordings[count]

    def _record(self, count: int, rehearsed: bool = False) -> Recording:
        states = [generator.get_state() for generator in self._updates.generators]
        example = self._feed(count)
        for generator, state in zip(self._updates.generators, states, strict=True):
            generator.set_state(state)
        return Recording(self._work, example, self._updates.generators, self._recorder, rehearsed)

    def _feed(self, count: int) -> tuple[Tensor, list[Any]]:
        """What the next ``count`` updates take from outside: their rates, and where it is not drawn inside, what they use."""
        updates = self._updates
        rates = torch.tensor([updates.learning_rate(ahead) for ahead in range(count)], dtype=self._dtype)
        if self._inside:
            return sent(rates, updates.device), [None] * count
        return self._aside(lambda: (sent(rates, updates.device), [updates.draw(ahead=ahead) for ahead in range(count)]))

    def _work(self, feed: tuple[Tensor, Sequence[Any]]) -> Losses:
        rates, given = feed
        losses: Losses = {}
        for number, drawn in enumerate(given):
            losses = self._updates.apply(self._updates.draw() if drawn is None else drawn, rates[number])
        return losses
