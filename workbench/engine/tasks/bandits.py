"""Bandits: one state, one action, one reward. Small enough that every quantity of the workbench is known exactly, or
can be drawn.

In both, the data pay more and more up to the edge of what was demonstrated, and past that edge there is a pit that no
row of the data shows. The critic is right on the support and promises gold over the pit. So the true reward of a
steered action first rises with the strength and then falls.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from workbench.engine.data.transitions import Transitions, make_transitions
from workbench.engine.models.critic import CriticEnsemble
from workbench.engine.models.landscapes import Bumps
from workbench.engine.models.last_layer import refit
from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.mlp import MlpShape
from workbench.engine.models.parts import Parts
from workbench.engine.tasks.protocol import StepResult, TaskInfo

ROWS = 4096
LEARNED_FROM = 1024  # rows from which the reward model of `Bandit2D` is learned
REWARD_NOISE = 0.1  # standard deviation of the rewards in the data
SUPPORT = 2.0  # an action is on the support within this many standard deviations of a mode
SUCCESS = 0.8  # of the best true reward on the support
GRID = {1: 801, 2: 201}  # points per axis for the search of that best, by D


class OneShot:
    """E bandits played once each (the `BatchEnv` protocol).

    Parameters
    ----------
    count : int
        E.
    reward : callable
        (E, D) -> (E,), both Tensors.
    bar : float
        Success is a reward of at least this.
    """

    def __init__(self, count: int, reward: Callable[[Tensor], Tensor], bar: float) -> None:
        self._count, self._reward, self._bar = count, reward, bar

    def reset(self) -> np.ndarray:
        """Return the one observation there is, (E, 1) zeros."""
        return np.zeros((self._count, 1), dtype=np.float32)

    def step(self, actions: np.ndarray, active: np.ndarray) -> StepResult:
        """Pay for ``actions`` (E, D), clipped to [-1, 1], where ``active`` (E,), and end those episodes."""
        clipped = torch.from_numpy(np.clip(actions, -1.0, 1.0).astype(np.float32))
        paid = self._reward(clipped).numpy()
        rewards = np.where(active, paid, 0.0).astype(np.float32)
        return StepResult(self.reset(), rewards, active.copy(), np.zeros_like(active), active & (paid >= self._bar))

    def close(self) -> None:
        """Nothing is held."""


class Bandit(ABC):
    """What the bandits share; a concrete one states its data, its true reward, and what its critic believes.

    Parameters
    ----------
    peak : sequence of float, optional
        Where the main mode of the true reward stands, D numbers in [-1, 1]; by default at the far edge of the data.

    Raises
    ------
    ValueError
        ``peak`` does not have D numbers.
    """

    info: ClassVar[TaskInfo]
    default_peak: ClassVar[tuple[float, ...]]

    def __init__(self, peak: Sequence[float] | None = None) -> None:
        self.behaviour = self.data_modes()
        self.reward = self.landscape().with_peak(torch.tensor(self.default_peak if peak is None else tuple(peak)))

    @abstractmethod
    def data_modes(self) -> MixtureFlow:
        """The behaviour policy in closed form; its samples are clipped to [-1, 1]."""

    @abstractmethod
    def landscape(self) -> Bumps:
        """The true reward with its main mode, a lesser mode and the pit, in this order."""

    @abstractmethod
    def parts(self, seed: int = 0) -> Parts:
        """The closed-form behaviour flow and the critic, ready to steer with. ``seed`` fixes a learned critic."""

    @abstractmethod
    def critic_after(self, critic: Any, seed: int) -> Any:
        """The critic of this task, quickly, from the ``critic`` of the same task with another peak."""

    def move_peak(self, peak: Sequence[float], parts: Parts, seed: int = 0) -> tuple[Bandit, Parts]:
        """Return the task with its peak elsewhere, and parts for it, in milliseconds.

        A critic that is a formula moves with the peak. A learned one keeps its features and has its last layer fitted
        to the new rewards of the same 1024 actions; on the support it errs as little as one trained from the start
        (`tests/engine/tasks/test_bandits.py`), off the support it extrapolates in its own way.

        Parameters
        ----------
        peak : sequence of float
            D numbers in [-1, 1].
        parts : Parts
            Of this task, made with ``seed``.
        seed : int
        """
        moved = type(self)(peak)
        return moved, replace(parts, critic=moved.critic_after(parts.critic, seed))

    @property
    def peak(self) -> tuple[float, ...]:
        """Where the main mode of the true reward stands, D numbers."""
        return tuple(self.reward.peak.tolist())

    @cached_property
    def best_on_support(self) -> float:
        """The best true reward within 2 standard deviations of a data mode, by a grid."""
        dim = self.info.action_dim
        axis = torch.linspace(-1.0, 1.0, GRID[dim])
        grid = torch.cartesian_prod(*[axis] * dim).reshape(-1, dim)
        return float(self.true_reward(grid)[self.on_support(grid)].max())

    def on_support(self, actions: Tensor) -> Tensor:
        """Say, (M,) bool, which ``actions`` (M, D) lie within 2 standard deviations of a data mode."""
        return self.behaviour.nearest_component(actions)[1] <= SUPPORT

    @property
    def mode_names(self) -> tuple[str, ...]:
        """The data's modes, by where they stand."""
        return tuple("mode at " + ", ".join(f"{x:g}" for x in mean) for mean in self.behaviour.means.tolist())

    def modes(self, path: np.ndarray, first_actions: np.ndarray, returns: np.ndarray) -> np.ndarray:
        """Nearest data mode of each action (E,); -1 farther than 2 standard deviations from all."""
        component, far = self.behaviour.nearest_component(torch.from_numpy(first_actions))
        return torch.where(far <= SUPPORT, component, -1).numpy()

    def true_reward(self, actions: Tensor) -> Tensor:
        """Expected reward (M,) of ``actions`` (M, D)."""
        values: Tensor = self.reward(actions, actions)  # (1, M)
        return values[0]

    def training_defaults(self, critic: str = "iql") -> dict[str, Any]:
        """64×2 networks, 2000 steps, lr 1e-3 cosine, τ 0.02."""
        return {
            "hidden": (64, 64),
            "steps": 2000,
            "batch_size": 256,
            "learning_rate": 1e-3,
            "schedule": "cosine",
            "tau": 0.02,
            "normalize_observations": False,  # the one observation has no spread
        }

    def generate(self, rows: int | None, seed: int) -> Transitions:
        """Draw one-step episodes, 4096 by default: actions of the behaviour policy, rewards with noise of 0.1.

        Raises
        ------
        ValueError
            ``rows`` is less than 1.
        """
        count = ROWS if rows is None else rows
        if count < 1:
            raise ValueError(f"{self.info.name}: rows must be at least 1, got {count}")
        actions, rewards = self._draw(count, torch.Generator().manual_seed(seed))
        nothing = np.zeros((count, 1), dtype=np.float32)
        return make_transitions(
            nothing,
            actions.numpy(),
            rewards.numpy(),
            np.zeros(count, dtype=np.float32),
            nothing,
            np.ones(count, dtype=bool),
            source=self.info.name,
        )

    def environments(self, count: int, seed: int) -> OneShot:
        """``count`` bandits; all start in the same state and pay without noise, so ``seed`` changes nothing."""
        return OneShot(count, self.true_reward, SUCCESS * self.best_on_support)

    def _draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        actions = self.behaviour.draw(count, generator).clamp(-1.0, 1.0)
        return actions, self.true_reward(actions) + REWARD_NOISE * torch.randn(count, generator=generator)


class Bandit1D(Bandit):
    """``bandit1d``: actions on a line, three modes of data, and an analytic critic with a bump where the pit is.

    The data modes stand at -2, 0 and 1, divided by 2.5. The critic equals the true reward except at the right end, past
    the last mode, where it sees a bump of 2 instead of a pit of -1. It is a formula: moving the peak costs nothing.
    """

    info = TaskInfo(
        name="bandit1d",
        title="Bandit on a line",
        observation_dim=1,
        action_dim=1,
        horizon=1,
        summary="three modes of data; the critic has a bump where there is none",
    )
    default_peak = (0.55,)
    spurious = 2.0  # height of the bump that the critic sees in place of the pit

    def data_modes(self) -> MixtureFlow:
        """Modes at -0.8, 0 and 0.4; the last, the best, holds a tenth of the data."""
        return MixtureFlow(
            torch.tensor([[-2.0], [0.0], [1.0]]) / 2.5, torch.tensor([0.06, 0.12, 0.12]), torch.tensor([0.3, 0.6, 0.1])
        )

    def landscape(self) -> Bumps:
        """A hill of 1 at the edge of the last mode, one of 0.35 on the first, a pit at the right end."""
        return Bumps(
            torch.tensor([list(self.default_peak), [-0.8], [1.0]]),
            torch.tensor([0.25, 0.15, 0.15]),
            torch.tensor([1.0, 0.35, -1.0]),
        )

    def parts(self, seed: int = 0) -> Parts:
        """The closed-form flow and the analytic critic; nothing is random, so ``seed`` changes nothing."""
        return Parts(1, 1, self.behaviour, self.critic_after(None, seed))

    def critic_after(self, critic: Any, seed: int) -> Bumps:
        """The true reward with a bump instead of the pit: a formula of the peak."""
        heights = self.reward.heights.clone()
        heights[:, -1] = self.spurious
        return Bumps(self.reward.centers, self.reward.widths, heights)


class Bandit2D(Bandit):
    """``bandit2d``: actions in a square, two lobes of data, and a reward model that was really learned from them.

    After the figure of VGF (arXiv 2604.14265). Two small ReLU networks regress on noisy rewards of 1024 draws.
    They are right to a few hundredths on the lobes; past the edge they go on climbing, over the pit.
    """

    info = TaskInfo(
        name="bandit2d",
        title="Bandit in the plane",
        observation_dim=1,
        action_dim=2,
        horizon=1,
        summary="two lobes of data and a learned reward that errs off the support",
    )
    default_peak = (0.55, 0.36)

    def data_modes(self) -> MixtureFlow:
        """A tight lobe at the lower left, a wide one right of the centre."""
        return MixtureFlow(
            torch.tensor([[-0.5, -0.3], [0.2, 0.1]]), torch.tensor([0.14, 0.22]), torch.tensor([0.4, 0.6])
        )

    def landscape(self) -> Bumps:
        """A hill of 1 at the far edge of the wide lobe, one of 0.3 on the tight lobe, a pit in the upper right."""
        return Bumps(
            torch.tensor([list(self.default_peak), [-0.55, -0.25], [1.0, 0.75]]),
            torch.tensor([0.35, 0.25, 0.2]),
            torch.tensor([1.0, 0.3, -1.0]),
        )

    def parts(self, seed: int = 0) -> Parts:
        """The closed-form flow and a critic learned in half a second from data and weights drawn with ``seed``."""
        generator = torch.Generator().manual_seed(seed)
        actions, rewards = self._draw(LEARNED_FROM, generator)
        return Parts(1, 2, self.behaviour, learn_reward(actions, rewards, generator))

    def critic_after(self, critic: CriticEnsemble, seed: int) -> CriticEnsemble:
        """The last layer of ``critic`` fitted to this task's rewards of the actions it learned from."""
        actions, rewards = self._draw(LEARNED_FROM, torch.Generator().manual_seed(seed))
        return refit(critic, torch.zeros(len(actions), 1), actions, rewards).requires_grad_(False)


def learn_reward(actions: Tensor, rewards: Tensor, generator: torch.Generator) -> CriticEnsemble:
    """Regress an ensemble of two 64×2 ReLU networks on ``rewards`` (R,) of ``actions`` (R, D): 300 Adam steps.

    No LayerNorm: outside the data such networks continue their slope in a straight line, the plainest way to be wrong.
    The learning rate falls from 3e-3 to 0 as a half cosine; minibatches and weights come from ``generator``.
    """
    steps, rate, rows, dim = 300, 3e-3, *actions.shape
    critic = CriticEnsemble(1, dim, MlpShape(1 + dim, 1, (64, 64), "relu", "none", members=2), generator)
    optimizer = torch.optim.Adam(critic.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 * (1.0 + math.cos(math.pi * step / steps)))
    nothing = torch.zeros(256, 1)
    with torch.enable_grad():
        for _ in range(steps):
            index = torch.randint(rows, (256,), generator=generator)
            loss = (critic(nothing, actions[index]) - rewards[index]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return critic.requires_grad_(False)
