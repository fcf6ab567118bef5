"""The family ``ogbench/<id>``: its pointmazes have a ground to show, the other tasks do not."""

from __future__ import annotations

from functools import cached_property

from workbench.engine.tasks.floor import Floor, State, into_cell, maze_floor
from workbench.engine.tasks.ogbench import PREFIX, OGBenchTask, parse_name
from workbench.engine.tasks.ogbench_batch import EnvBatch, base_env
from workbench.engine.tasks.ogbench_env import horizon_of
from workbench.engine.tasks.ogbench_goals import GoalTask, known_goal_tasks

POINT = 0.7  # radius of the pointmaze's agent, metres


class PointmazeTask(OGBenchTask):
    """A pointmaze: the agent is a point that observes its place alone, so every place of the maze can be shown (`HasFloor`)."""

    @cached_property
    def floor(self) -> Floor:
        """The maze."""
        env = base_env(self.names.env)[0]
        x, y = (float(number) for number in env.cur_task_info["goal_xy"])
        goal = (x, y, float(env._goal_tol), 0.0)
        start = tuple(float(number) for number in env.cur_task_info["init_xy"])
        return maze_floor(env.maze_map, float(env._maze_unit), env.ij_to_xy((0, 0)), goal, (start[0], start[1]))

    def stand(self, state: State) -> State:
        """The nearest place to ``state`` (x, y) that is inside the maze and in no wall."""
        env = base_env(self.names.env)[0]
        return into_cell(state[0], state[1], env.maze_map, float(env._maze_unit), env.ij_to_xy((0, 0)), POINT)

    def environments_at(self, state: State, count: int, seed: int) -> EnvBatch:
        """``count`` environments whose agents begin at ``state`` (x, y)."""
        return EnvBatch(self.names.env, count, seed, horizon_of(self.names.env), place=state)


class OGBench:
    """How a name of the family becomes a task."""

    @staticmethod
    def open(identifier: str) -> OGBenchTask:
        """The task of this name: a single task, or the dataset of many goals; raises as `parse_name`."""
        if f"{PREFIX}{identifier}" in known_goal_tasks():
            return GoalTask(identifier)
        kind = PointmazeTask if parse_name(identifier).family == "pointmaze" else OGBenchTask
        return kind(identifier)

    @staticmethod
    def check_listed(identifier: str) -> None:
        """Refuse what is not one of the package's own tasks; raises as `parse_name`."""
        OGBench.open(identifier)
