"""OGBench environments and names: seeded, cloned, masked; unknown names and a missing package are explained."""

import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from workbench.engine.tasks import pointmaze
from workbench.engine.tasks.ogbench import FEATURED, OGBenchTask, known_tasks, parse_name
from workbench.engine.tasks.ogbench_env import clone, make_env, numpy_seeded, reset_env
from workbench.engine.tasks.protocol import TaskInfo
from workbench.engine.words import MissingExtraError

MAZE = "pointmaze-medium-navigate-singletask-v0"
CUBE = "cube-single-play-singletask-v0"


def _play(name: str, count: int, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random actions, which for environment i do not depend on the count."""
    task = OGBenchTask(name)
    env = task.environments(count, seed)
    observations, rewards = [env.reset()], []
    for step in range(steps):
        actions = [np.random.default_rng((step, i)).uniform(-1, 1, task.info.action_dim) for i in range(count)]
        result = env.step(np.asarray(actions, dtype=np.float32), np.ones(count, dtype=bool))
        observations.append(result.observations)
        rewards.append(result.rewards)
    env.close()
    return np.stack(observations), np.stack(rewards)


SINGLE = (MAZE, CUBE, "pointmaze-teleport-navigate-singletask", "scene-play-singletask", "puzzle-3x3-play-singletask")


@pytest.mark.parametrize("name", SINGLE)
def test_environments_repeat_and_do_not_depend_on_their_neighbours(name: str) -> None:
    three, again, one = (_play(name, count, 15, seed=7) for count in (3, 3, 1))
    assert three[0].dtype == np.float32
    assert np.isfinite(three[0]).all()
    np.testing.assert_array_equal(three[0], again[0])
    np.testing.assert_array_equal(three[1], again[1])
    np.testing.assert_array_equal(three[0][:, :1], one[0])
    assert not np.array_equal(three[0][0, 0], three[0][0, 1])  # different starts
    assert not np.array_equal(three[0][0], _play(name, 3, 0 + 1, seed=8)[0][0])


@pytest.mark.parametrize("name", [MAZE, CUBE, "scene-play-singletask", "antmaze-medium-navigate-singletask"])
def test_clones_play_as_an_environment_of_their_own(name: str) -> None:
    """Sharing the compiled model changes nothing: the same bits as from an environment made alone."""
    observations, rewards = _play(name, 2, 15, seed=7)
    alone = make_env(parse_name(name).env)
    with numpy_seeded(7, 1) as sequence:
        first, _ = reset_env(alone, sequence)
    np.testing.assert_array_equal(first.astype(np.float32), observations[0, 1])
    for step in range(15):
        action = np.random.default_rng((step, 1)).uniform(-1, 1, alone.action_space.shape[0]).astype(np.float32)
        after, reward, *_ = alone.step(action)
        np.testing.assert_array_equal(after.astype(np.float32), observations[step + 1, 1])
        assert reward == rewards[step, 1]


def test_a_lock_of_the_scene_belongs_to_one_environment() -> None:
    env = OGBenchTask("scene-play-singletask").environments(2, 0)
    env.reset()
    first, second = env._envs
    locked = env._damping[1].copy()
    first._cur_button_states[:] = 1 - first._cur_button_states
    first._apply_button_states()
    env._damping[0] = first.model.dof_damping.copy()
    env.step(np.zeros((2, 5), dtype=np.float32), np.ones(2, dtype=bool))
    assert not np.array_equal(env._damping[0], env._damping[1])
    np.testing.assert_array_equal(env._damping[1], locked)
    assert first.model is second.model


@pytest.mark.parametrize("name", [MAZE, CUBE])
def test_inactive_environments_stay_as_they_are(name: str) -> None:
    task = OGBenchTask(name)
    env = task.environments(3, 0)
    before = env.reset()
    active = np.array([True, False, True])
    result = env.step(np.ones((3, task.info.action_dim), dtype=np.float32), active)
    np.testing.assert_array_equal(result.observations[1], before[1])
    assert (result.observations[active] != before[active]).any(1).all()
    np.testing.assert_array_equal(result.rewards, [-1.0, 0.0, -1.0])
    assert not result.terminated.any()
    # Its episode goes on as if the others had not moved meanwhile.
    later = env.step(np.ones((3, task.info.action_dim), dtype=np.float32), np.array([False, True, False]))
    np.testing.assert_array_equal(later.observations[1], _first_step(task, 1))


def _first_step(task: OGBenchTask, which: int) -> np.ndarray:
    env = task.environments(3, 0)
    env.reset()
    return env.step(np.ones((3, task.info.action_dim), dtype=np.float32), np.ones(3, dtype=bool)).observations[which]


def test_an_episode_ends_in_success_or_at_the_horizon() -> None:
    task = OGBenchTask(MAZE)
    env = task.environments(2, 0)
    observations = env.reset()
    maze = clone(make_env("pointmaze-medium-singletask-v0"))
    table = pointmaze.next_cells(maze.maze_map)
    active, success, lengths = np.ones(2, dtype=bool), np.zeros(2, dtype=bool), np.zeros(2, dtype=int)
    for _ in range(task.info.horizon):
        aim = maze.ij_to_xy(table[maze.xy_to_ij(observations[0]), (6, 6)])  # the default task's goal cell
        direction = np.asarray(aim) - observations[0]
        actions = np.stack((direction / np.abs(direction).max(), np.zeros(2))).astype(np.float32)  # the second waits
        result = env.step(actions, active)
        observations, success = result.observations, success | result.success
        lengths += active
        if result.success[0]:
            assert result.terminated[0]
            assert result.rewards[0] == 0.0
        active = active & ~(result.terminated | result.truncated)
    assert success.tolist() == [True, False]
    assert result.truncated.tolist() == [False, True]
    assert lengths[0] < lengths[1] == task.info.horizon == 1_000


def test_count_and_seed_of_environments_are_checked() -> None:
    for count, seed in ((0, 0), (1, -1)):
        with pytest.raises(ValueError, match="needs count >= 1 and seed >= 0"):
            OGBenchTask(MAZE).environments(count, seed)


def test_info_and_defaults() -> None:
    assert OGBenchTask(MAZE).info == TaskInfo(
        name=f"ogbench/{MAZE}",
        title="OGBench pointmaze-medium (navigate)",
        observation_dim=2,
        action_dim=2,
        horizon=1_000,
        summary="Reach the goal: reward −1 a step until then, and the episode ends there.",
        extra="ogbench",
    )
    assert (OGBenchTask(CUBE).info.observation_dim, OGBenchTask(CUBE).info.action_dim) == (28, 5)
    assert OGBenchTask(MAZE).training_defaults()["discount"] == 0.995
    assert OGBenchTask(CUBE).training_defaults()["hidden"] == (256, 256, 256)
    for name in FEATURED:
        assert OGBenchTask(name).training_defaults().keys() == OGBenchTask(FEATURED[0]).training_defaults().keys()


def test_names_are_understood_with_and_without_prefix_and_version() -> None:
    names = [parse_name(name) for name in (CUBE, f"ogbench/{CUBE}", "cube-single-play-singletask")]
    assert names[0] == names[1] == names[2]
    third = parse_name("ogbench/puzzle-4x4-noisy-singletask-task3-v0")
    assert (third.env, third.collecting) == ("puzzle-4x4-singletask-task3-v0", "puzzle-4x4-v0")
    assert third.dataset == "puzzle-4x4-noisy-v0"


def test_all_known_tasks_are_registered_environments() -> None:
    known = known_tasks()
    assert set(FEATURED) <= set(known)
    for name in known:
        assert parse_name(name).env in gymnasium.registry
        assert parse_name(name).collecting in gymnasium.registry


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pointmaze-medum-navigate-singletask", "nearest are ogbench/pointmaze-medium-navigate-singletask-v0"),
        ("cube-single-play-singletask-task9-v0", "nearest are .*cube-single-play-singletask"),
        ("cube-single-play-v0", "nearest are .*cube-single-play-singletask"),
        ("cube-single-navigate-singletask-v0", "not an OGBench single task"),
        ("", "not an OGBench single task"),
        ("???", "not an OGBench single task"),
        ("visual-cube-single-play-singletask-v0", "its observations are pictures.* try cube-single-play-singletask-v0"),
    ],
)
def test_unknown_names_bring_the_nearest(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OGBenchTask(name)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ogbench", None)
    with pytest.raises(MissingExtraError, match=r'pip install "workbench\[ogbench\]"'):
        OGBenchTask(MAZE)


def test_mazes_leave_no_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    make_env("pointmaze-medium-v0")
    assert list(tmp_path.iterdir()) == []
