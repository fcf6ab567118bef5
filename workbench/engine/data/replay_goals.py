"""The dataset as the updates read it when every row has a goal: a minibatch draws its goals anew."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from workbench.engine.data.goals import GoalTransitions, draw_goals
from workbench.engine.data.replay import Replay
from workbench.engine.data.transitions import Transitions
from workbench.engine.transfer import sent


class GoalReplay(Replay):
    """`Replay` whose minibatches have goals by OGBench's ratios, from noise that is passed in; without noise, the rows' own.

    Rows that were appended (online) keep the goal that was played for.
    """

    @property
    def is_held(self) -> bool:
        """No: fresh goals are put together in the processor's memory."""
        return False

    def _held(self, data: Transitions) -> Tensor:
        assert isinstance(data, GoalTransitions)
        self._data = data
        return super()._held(data)

    def noise(self, size: int, generator: torch.Generator) -> Tensor | None:
        """Uniform noise (``size``, 3), from which `batch` draws goals."""
        return torch.rand(size, 3, generator=generator, device=generator.device)

    def _taken(self, index: Tensor, noise: Tensor | None = None) -> Tensor:
        if noise is None:
            return super()._taken(index)
        rows = np.minimum(index.cpu().numpy(), self.fixed - 1)
        drawn = noise.cpu().double().numpy()
        goals = draw_goals(rows, self._data.final(rows), self.fixed, self._data.discount, drawn)
        fresh = sent(self._rows(*self._data.aimed(rows, goals, self._steps)), self._matrix.device)
        return torch.where((index < self.fixed)[:, None], fresh, super()._taken(index)) if self.room else fresh
