"""A bandit of 32 numbers of which people used two: where asking a critic at noise goes wrong.

In `Bandit2D` a critic that has only seen clean actions still points the right way at noise: two dimensions leave it
little room to err. Here thirty further numbers were kept near 0 in the data. Noise moves them away from 0, where the
critic has seen nothing: what it says there depends on its random first weights.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.parts import Parts
from workbench.engine.tasks.bandits import LEARNED_FROM, REWARD_NOISE, Bandit2D, learn_reward
from workbench.engine.tasks.protocol import TaskInfo

DIMS = 32
USED = 2
STILL = 0.05  # standard deviation of a number that nobody used, action units


class WideFlow(nn.Module):
    """The closed-form flow of ``used`` (two numbers) beside still numbers around 0; a `Reference`.

    Parameters
    ----------
    used : MixtureFlow
        Of the numbers that people used.
    """

    takes_number = True  # see `velocity_at`

    def __init__(self, used: MixtureFlow) -> None:
        super().__init__()
        self.used = used
        self.still = MixtureFlow(torch.zeros(1, DIMS - USED), torch.tensor([STILL]), torch.ones(1))

    def forward(self, observations: Tensor, actions: Tensor, t: Tensor | float) -> Tensor:
        """Return velocities (M, 32) at ``actions`` (M, 32): the two groups are independent of each other."""
        used = self.used(observations, actions[:, :USED], t)
        return torch.cat((used, self.still(observations, actions[:, USED:], t)), 1)


class WideBandit(Bandit2D):
    """``wide_bandit``: the two lobes of ``bandit2d`` in the first two of 32 numbers; the others pay nothing.

    The true reward looks at the first two numbers alone. The critic is learned as that of ``bandit2d``: 1024 noisy rewards
    of the behaviour policy's own actions.

    Parameters
    ----------
    peak : sequence of float, optional
        Where the main mode of the true reward stands, in the first two numbers; by default where that of ``bandit2d`` does.
    """

    info = TaskInfo(
        name="wide_bandit",
        title="Bandit of 32 numbers",
        observation_dim=1,
        action_dim=DIMS,
        horizon=1,
        summary="bandit2d in the first two of 32 numbers; the data keep the other thirty near 0",
    )

    @cached_property
    def flow(self) -> WideFlow:
        """The behaviour policy in closed form."""
        return WideFlow(self.behaviour)

    def true_reward(self, actions: Tensor) -> Tensor:
        """Expected reward (M,) of ``actions`` (M, 32): that of ``bandit2d`` for the first two numbers."""
        return super().true_reward(actions[:, :USED])

    def on_support(self, actions: Tensor) -> Tensor:
        """Say, (M,) bool, for which ``actions`` (M, 32) the first two numbers lie within 2 standard deviations of a lobe."""
        return super().on_support(actions[:, :USED])

    @cached_property
    def best_on_support(self) -> float:
        """The best true reward within 2 standard deviations of a lobe: that of ``bandit2d``."""
        return Bandit2D(self.reward.peak.tolist()).best_on_support

    def modes(self, path: np.ndarray, first_actions: np.ndarray, returns: np.ndarray) -> np.ndarray:
        """Nearest lobe of the first two numbers of each action (E, 32); -1 farther than 2 standard deviations from both."""
        return super().modes(path, first_actions[:, :USED], returns)

    def parts(self, seed: int = 0) -> Parts:
        """The closed-form flow and a critic learned in half a second from data and weights drawn with ``seed``."""
        generator = torch.Generator().manual_seed(seed)
        actions, rewards = self._draw(LEARNED_FROM, generator)
        return Parts(1, DIMS, self.flow, learn_reward(actions, rewards, generator))

    def _draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        used = self.behaviour.draw(count, generator)
        still = self.flow.still.draw(count, generator)
        actions = torch.cat((used, still), 1).clamp(-1.0, 1.0)
        return actions, self.true_reward(actions) + REWARD_NOISE * torch.randn(count, generator=generator)
