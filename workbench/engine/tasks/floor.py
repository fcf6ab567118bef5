"""Tasks that move about on a ground: a map of it for pictures, and episodes from any place on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from workbench.engine.tasks.protocol import BatchEnv, Playable

State = tuple[float, ...]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Floor:
    """A ground seen from above. The first two numbers of an observation are the place (x, y) on it.

    Attributes
    ----------
    title : str
        "The room", "The maze".
    view : tuple of float
        x from, x to, y from, y to: what a picture shows; a square.
    blocks : tuple of tuple of float
        Where the agent cannot be, each as x from, x to, y from, y to.
    deadly : bool
        Touching a block ends the episode; else it only stops the agent.
    labels : tuple of (float, float, str)
        Words on the ground: x, y, text.
    goals : tuple of (float, float, float, float)
        x, y, radius, reward there.
    axes : tuple of str
        Names of the observation's S numbers: "x", "y", and velocities where they are observed.
    limits : tuple of (float, float)
        Bounds of each.
    start : tuple of float
        (S,), where a picture begins.
    velocity_unit : str
        Of the velocities, in words; "" without any.
    episodes, steps : int
        How many episodes a page plays from a place, and how long they may be.
    told : int
        The kind of ending (an index into the task's outcomes) whose share is worth a number.
    """

    title: str
    view: Box
    blocks: tuple[Box, ...]
    deadly: bool
    labels: tuple[tuple[float, float, str], ...]
    goals: tuple[tuple[float, float, float, float], ...]
    axes: tuple[str, ...]
    limits: tuple[tuple[float, float], ...]
    start: State
    velocity_unit: str = ""
    episodes: int = 48
    steps: int = 1000
    told: int = 0


@runtime_checkable
class HasFloor(Protocol):
    """A task with a ground, whose agent can be put anywhere on it."""

    @property
    def floor(self) -> Floor: ...

    def stand(self, state: State) -> State:
        """The nearest observation to ``state`` (S,) that the agent can be in."""
        ...

    def environments_at(self, state: State, count: int, seed: int) -> BatchEnv:
        """``count`` environments that all begin in ``state`` (S,)."""
        ...


def floor_of(task: Playable) -> Floor | None:
    """The ground of ``task``; None for one without."""
    return task.floor if isinstance(task, HasFloor) else None


def within_limits(state: State, floor: Floor) -> State:
    """``state`` (S,) inside the bounds of each number."""
    return tuple(float(min(max(x, low), high)) for x, (low, high) in zip(state, floor.limits, strict=True))


def out_of_blocks(x: float, y: float, blocks: tuple[Box, ...]) -> tuple[float, float]:
    """The place (x, y), moved straight out of the block that it is in, by the shortest way."""
    for left, right, low, high in blocks:
        if left < x < right and low < y < high:
            ways = {(left, y): x - left, (right, y): right - x, (x, low): y - low, (x, high): high - y}
            return min(ways, key=lambda place: ways[place])
    return x, y


def maze_floor(
    maze: np.ndarray, unit: float, corner: tuple[float, float], goal: Box, start: tuple[float, float]
) -> Floor:
    """The ground of a maze of square cells whose agent observes its place alone.

    Parameters
    ----------
    maze : ndarray
        (rows, columns), 0 where free; rows go along y.
    unit : float
        Width of a cell.
    corner : tuple of float
        Centre (x, y) of the first cell.
    goal : tuple of float
        x, y, radius, reward.
    start : tuple of float
        (x, y).
    """
    rows, columns = maze.shape

    def box(i: int, j: int) -> Box:
        x, y = corner[0] + j * unit, corner[1] + i * unit
        return (x - unit / 2, x + unit / 2, y - unit / 2, y + unit / 2)

    blocks = tuple(box(int(i), int(j)) for i, j in np.argwhere(maze != 0))
    (left, _, low, _), (_, right, _, high) = box(0, 0), box(rows - 1, columns - 1)
    half = max(right - left, high - low) / 2
    x, y = (left + right) / 2, (low + high) / 2
    return Floor(
        "The maze",
        (x - half, x + half, y - half, y + half),
        blocks,
        False,
        (),
        (goal,),
        ("x", "y"),
        ((left, right), (low, high)),
        start,
        episodes=12,
        steps=300,
    )


def into_cell(x: float, y: float, maze: np.ndarray, unit: float, corner: tuple[float, float], body: float) -> State:
    """The nearest place to (x, y) inside a free cell, with room for an agent of radius ``body``."""
    reach = unit / 2 - body
    best, least = (x, y), np.inf
    for i, j in np.argwhere(maze == 0):
        centre = corner[0] + j * unit, corner[1] + i * unit
        # towards a free neighbour nothing is in the way
        sides = [maze[i, j - 1] == 0, maze[i, j + 1] == 0, maze[i - 1, j] == 0, maze[i + 1, j] == 0]
        far = [unit / 2 if free else reach for free in sides]
        place = (
            min(max(x, centre[0] - far[0]), centre[0] + far[1]),
            min(max(y, centre[1] - far[2]), centre[1] + far[3]),
        )
        distance = np.hypot(place[0] - x, place[1] - y)
        if distance < least:
            best, least = place, distance
    return float(best[0]), float(best[1])
