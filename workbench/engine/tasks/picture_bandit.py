"""A bandit that is seen: two marks in a picture, and only their colours say which of them pays."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from workbench.engine.data.picture_rows import PictureTransitions, make_pictures
from workbench.engine.settings import nearest
from workbench.engine.tasks.protocol import StepResult, TaskInfo
from workbench.engine.words import UserError

PIXELS = 16
CHANNELS = 3
ROWS = 4096
INSIDE = 0.7  # marks stand within this of the middle, action units
APART = 0.8  # at least, from each other
DOT = 0.16  # radius of a mark, action units
SPREAD = 0.12  # standard deviation of the data's actions around a mark
WIDTH = 0.25  # of the hill of reward around the green mark
NOISE = 0.1  # standard deviation of the rewards in the data
SUCCESS = 0.8


class Marks:
    """``pictures/marks``: a picture of 16 by 16 pixels with a green mark and a red one; the action is a place in it.

    Half of the data's actions go to the green mark, half to the red one. The reward is a hill of 1 around the green mark. So the
    behaviour policy must see where the marks are, and the critic which of them is green.
    """

    info = TaskInfo(
        name="pictures/marks",
        title="Two marks in a picture",
        observation_dim=PIXELS * PIXELS * CHANNELS,
        action_dim=2,
        horizon=1,
        summary="a bandit seen as 16 by 16 pixels: the action is a place, and the colour of a mark says whether it pays",
    )

    @classmethod
    def open(cls, identifier: str) -> Self:
        """The task of this name in its family."""
        cls.check_listed(identifier)
        return cls()

    @classmethod
    def check_listed(cls, identifier: str) -> None:
        """Raise UserError unless ``identifier`` is the one that there is."""
        if identifier != "marks":
            raise UserError(
                f"no task named 'pictures/{identifier[:80]}'{nearest(identifier[:80], ['marks'])} Known: marks"
            )

    def training_defaults(self, critic: str = "iql") -> dict[str, Any]:
        """A small encoder, 64×2 networks, 600 steps, lr 1e-3 cosine."""
        return {
            "encoder": "impala_debug",
            "picture": (PIXELS, PIXELS, CHANNELS),
            "hidden": (64, 64),
            "steps": 600,
            "batch_size": 128,
            "learning_rate": 1e-3,
            "schedule": "cosine",
            "tau": 0.02,
        }

    def generate(self, rows: int | None, seed: int) -> PictureTransitions:
        """Draw one-step episodes, 4096 by default; raises UserError for less than 1 row."""
        count = ROWS if rows is None else rows
        if count < 1:
            raise UserError(f"{self.info.name}: rows must be at least 1, got {count}")
        rng = np.random.default_rng(seed)
        marks = draw_marks(count, rng)
        chosen = marks[np.arange(count), rng.integers(0, 2, count)]
        actions = np.clip(chosen + SPREAD * rng.normal(size=(count, 2)), -1.0, 1.0)
        rewards = reward(marks, actions) + NOISE * rng.normal(size=count)
        pictures = paint(marks)
        arrays = {
            "observations": pictures,
            "actions": actions,
            "rewards": rewards,
            "masks": np.zeros(count, dtype=np.float32),
            "next_observations": pictures,
            "ends": np.ones(count, dtype=bool),
        }
        return make_pictures(arrays, source=self.info.name)

    def environments(self, count: int, seed: int) -> OnePicture:
        """``count`` pictures, drawn from ``seed``."""
        return OnePicture(draw_marks(count, np.random.default_rng(seed)))


class OnePicture:
    """E pictures, one action each (the `BatchEnv` protocol).

    Parameters
    ----------
    marks : ndarray
        (E, 2, 2), where the green and the red mark stand.
    """

    def __init__(self, marks: np.ndarray) -> None:
        self._marks = marks

    def reset(self) -> np.ndarray:
        """The pictures, (E, S), 0 to 255."""
        return paint(self._marks).reshape(len(self._marks), -1).astype(np.float32)

    def step(self, actions: np.ndarray, active: np.ndarray) -> StepResult:
        """Pay for ``actions`` (E, 2), clipped to [-1, 1], where ``active`` (E,), and end those episodes."""
        paid = reward(self._marks, np.clip(actions, -1.0, 1.0))
        rewards = np.where(active, paid, 0.0).astype(np.float32)
        return StepResult(self.reset(), rewards, active.copy(), np.zeros_like(active), active & (paid >= SUCCESS))

    def close(self) -> None:
        """Nothing is held."""


def draw_marks(count: int, rng: np.random.Generator) -> np.ndarray:
    """Places (count, 2, 2) of the green and the red mark, at least 0.8 apart."""
    marks = rng.uniform(-INSIDE, INSIDE, (count, 2, 2))
    while (close := np.linalg.norm(marks[:, 0] - marks[:, 1], axis=1) < APART).any():
        marks[close] = rng.uniform(-INSIDE, INSIDE, (int(close.sum()), 2, 2))
    return marks


def paint(marks: np.ndarray) -> np.ndarray:
    """Pictures (R, 16, 16, 3) of bytes; the first number of an action goes to the right, the second down."""
    axis = (np.arange(PIXELS) + 0.5) / PIXELS * 2.0 - 1.0
    there = np.stack(np.meshgrid(axis, axis), -1)  # (row, column, (right, down))
    far = np.linalg.norm(there - marks[:, :, None, None], axis=-1)  # (R, mark, row, column)
    light = np.clip((DOT + 1.0 / PIXELS - far) * PIXELS / 2.0, 0.0, 1.0)
    pictures = np.full((len(marks), PIXELS, PIXELS, CHANNELS), 32, dtype=np.uint8)
    for mark, channel in ((0, 1), (1, 0)):
        pictures[..., channel] += (200.0 * light[:, mark]).astype(np.uint8)
    return pictures


def reward(marks: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Expected reward (R,) of ``actions`` (R, 2): a hill around the green mark."""
    far = np.square(actions - marks[:, 0]).sum(1)
    hill: np.ndarray = np.exp(-far / (2.0 * WIDTH**2))
    return hill
