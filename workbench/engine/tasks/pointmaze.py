"""Data for OGBench's pointmazes: a noisy point on shortest paths. No torch here.

"navigate": to one random goal after the other. "stitch": short trajectories, each to a goal four cells from where it begins, so
that longer ways must be put together from several.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import Any, Literal

import numpy as np

from workbench.engine.tasks.collect import Arrays, Generator, trajectory
from workbench.engine.tasks.ogbench_env import make_env, numpy_seeded, reset_env

ACTION_NOISE = 0.5  # standard deviation, action units
GOAL_SPREAD = 1.0  # goals lie within ± this of a cell's centre, as the environment's own starts do
MOVES = ((-1, 0), (0, -1), (1, 0), (0, 1))

Cell = tuple[int, int]
Kind = Literal["navigate", "stitch"]
STITCHED = 4  # cells between the two ends of a trajectory to stitch


def next_cells(maze: np.ndarray) -> dict[tuple[Cell, Cell], Cell]:
    """The first step of a shortest path, for all pairs of free cells.

    Parameters
    ----------
    maze : ndarray
        (rows, columns), 0 where free.

    Returns
    -------
    dict
        (from, to) -> the neighbour of ``from`` that is nearest to ``to``; ``from`` itself when they are the same cell,
        or when no path joins them. Among equals the first of up, left, down, right.
    """
    free = [(int(i), int(j)) for i, j in np.argwhere(maze == 0)]
    around = {(i, j): [(i + di, j + dj) for di, dj in MOVES if (i + di, j + dj) in set(free)] for i, j in free}
    table: dict[tuple[Cell, Cell], Cell] = {}
    for goal in free:
        distance = {goal: 0}
        frontier = [goal]
        while frontier:
            reached = [cell for known in frontier for cell in around[known] if cell not in distance]
            steps = distance[frontier[0]] + 1
            frontier = list(dict.fromkeys(reached))
            distance.update(dict.fromkeys(frontier, steps))
        for start in free:
            choices = [cell for cell in around[start] if start in distance and start != goal]
            table[start, goal] = min(choices, key=distance.__getitem__, default=start)
    return table


@lru_cache(maxsize=1)
def _collector(env_id: str) -> tuple[Any, dict[tuple[Cell, Cell], Cell], list[Cell]]:
    env = make_env(env_id, terminate_at_goal=False)
    table = next_cells(env.maze_map)
    return env, table, sorted({start for start, _ in table})


def episode(kind: Kind, env_id: str, steps: int, entropy: tuple[int, ...]) -> Arrays:
    """One trajectory through the environment ``env_id``.

    The action is the unit vector towards the next cell's centre (towards the goal itself in its cell) plus normal
    noise, clipped to [-1, 1]; a goal of "navigate" that is reached is replaced by a new one in a random cell.

    Parameters
    ----------
    kind : {"navigate", "stitch"}
    env_id : str
        A goal-conditioned environment, such as "pointmaze-medium-v0".
    steps : int
        Transitions; one row more is returned.
    entropy : tuple of int
        Names the random stream.

    Returns
    -------
    dict
        ``observations``, ``actions``, ``qpos``, ``qvel`` (steps + 1, 2) float32, ``terminals`` (steps + 1,) bool.
    """
    env, table, cells = _collector(env_id)
    rows = steps + 1
    qpos, qvel, actions = np.empty((rows, 2)), np.empty((rows, 2)), np.empty((rows, 2), dtype=np.float32)
    with numpy_seeded(*entropy) as sequence:
        rng = np.random.default_rng(sequence.spawn(1)[0])
        noise = rng.normal(0.0, ACTION_NOISE, (rows, 2)).tolist()
        cell = cells[rng.integers(len(cells))]
        near = cells if kind == "navigate" else _at_distance(table, cell, STITCHED)
        goal_cell, goal = _new_goal(env, rng, table, near, cell)
        reset_env(env, sequence, options={"task_info": {"init_ij": cell, "goal_ij": goal_cell}})
        for row in range(rows):
            qpos[row], qvel[row] = env.data.qpos, env.data.qvel
            x, y = qpos[row].tolist()  # plain floats: numpy is slow for two numbers
            cell = env.xy_to_ij((x, y))
            if kind == "navigate" and math.hypot(goal[0] - x, goal[1] - y) <= env._goal_tol:
                goal_cell, goal = _new_goal(env, rng, table, cells, cell)
            aim = goal if cell == goal_cell else env.ij_to_xy(table[cell, goal_cell])
            dx, dy = aim[0] - x, aim[1] - y
            distance = math.hypot(dx, dy) + 1e-6
            dx, dy = dx / distance + noise[row][0], dy / distance + noise[row][1]
            actions[row] = max(-1.0, min(1.0, dx)), max(-1.0, min(1.0, dy))
            env.step(actions[row])
    return trajectory(qpos, actions, qpos, qvel)


def _new_goal(
    env: Any, rng: np.random.Generator, table: dict[tuple[Cell, Cell], Cell], cells: list[Cell], cell: Cell
) -> tuple[Cell, tuple[float, float]]:
    """A random goal in another one of ``cells`` that a path joins to ``cell``, or where there is none in ``cell`` itself: the
    cell and the point (x, y).
    """
    reachable = [other for other in cells if table[cell, other] != cell] or [cell]
    goal_cell = reachable[rng.integers(len(reachable))]
    x, y = env.ij_to_xy(goal_cell)
    return goal_cell, (x + rng.uniform(-GOAL_SPREAD, GOAL_SPREAD), y + rng.uniform(-GOAL_SPREAD, GOAL_SPREAD))


def _at_distance(table: dict[tuple[Cell, Cell], Cell], start: Cell, steps: int) -> list[Cell]:
    """The cells that are so many steps from ``start`` on a shortest path."""
    reached = {start}
    found = {start}
    for _ in range(steps):
        found = {
            goal for cell in found for (here, goal), step in table.items() if here == cell and step == goal
        } - reached
        reached |= found
    return sorted(found)


NAVIGATE = Generator(partial(episode, "navigate"), rows=500_000, rows_per_process=50_000)
STITCH = Generator(partial(episode, "stitch"), rows=500_000, rows_per_process=50_000, episode_steps=200)
