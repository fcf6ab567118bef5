"""Grounds: an agent that is put down stands where it may, and episodes begin there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.floor import Floor, HasFloor, floor_of, into_cell, maze_floor
from workbench.engine.tasks.registry import TASKS, make_task
from workbench.engine.tasks.rollout import rollout

MAZE = np.array([[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 0, 1], [1, 1, 1, 1]])
UNIT, CORNER, BODY = 4.0, (-4.0, -4.0), 0.7
anywhere = st.floats(-30.0, 30.0)


def inside(x: float, y: float, floor: Floor) -> bool:
    return any(left < x < right and low < y < high for left, right, low, high in floor.blocks)


def test_tasks_with_a_ground_keep_its_promises() -> None:
    for name in TASKS:
        task = make_task(name)
        floor = floor_of(task)
        if floor is None:
            continue
        assert isinstance(task, HasFloor)
        assert len(floor.axes) == len(floor.limits) == len(floor.start) == task.info.observation_dim
        assert not inside(*floor.start[:2], floor)
        env = task.environments_at(floor.start, 3, 0)
        np.testing.assert_allclose(env.reset(), np.tile(np.float32(floor.start), (3, 1)), rtol=1e-6)


@given(st.tuples(anywhere, anywhere, anywhere, anywhere))
def test_nobody_stands_in_lava(state) -> None:
    task = make_task("three_exits")
    found = task.stand(state)
    assert not inside(*found[:2], task.floor)
    assert task.stand(found) == found


@given(anywhere, anywhere)
def test_nobody_stands_in_a_wall_of_a_maze(x: float, y: float) -> None:
    floor = maze_floor(MAZE, UNIT, CORNER, (4.0, 4.0, 1.0, 0.0), (0.0, 0.0))
    assert floor.view == (-6.0, 10.0, -6.0, 10.0)
    place = into_cell(x, y, MAZE, UNIT, CORNER, BODY)
    assert not inside(*place, floor)
    np.testing.assert_allclose(into_cell(*place, MAZE, UNIT, CORNER, BODY), place, atol=1e-9)


def test_pointmaze_begins_where_it_is_told() -> None:
    task = make_task("ogbench/pointmaze-medium-navigate-singletask-v0")
    floor = task.floor
    assert task.stand((13.0, 9.5)) == (13.0, 9.5)
    env = task.environments_at((13.0, 9.5), 2, 0)
    np.testing.assert_allclose(env.reset(), [[13.0, 9.5]] * 2, atol=1e-6)
    moved = env.step(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([True, True])).observations
    assert moved[0, 0] > 13.0
    assert moved[1, 1] > 9.5
    assert floor.goals[0][:2] == (20.0, 20.0)
    assert floor_of(make_task("ogbench/cube-single-play-singletask-v0")) is None


def test_episodes_can_be_cut_short() -> None:
    task, parts = make_task("three_exits"), Parts(4, 2, make_task("bandit2d").behaviour)
    played = rollout(make_rule("bc"), parts, task, 5, 0, most_steps=3)
    assert played.lengths.max() == 3
    assert not played.terminated.any()
