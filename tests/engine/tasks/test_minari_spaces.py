"""Minari's datasets of gymnasium-robotics, and with dict and tuple spaces, written by Minari's own collector and buffers."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout

ABOUT = {
    "algorithm_name": "random", "author": "a", "author_email": "a@b.c", "code_permalink": "https://example.org",
    "description": "test",
}  # fmt: skip
MAZE = [[1, 1, 1, 1], [1, "r", "g", 1], [1, 1, 1, 1]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


@pytest.mark.filterwarnings("ignore:.*eval_env.*:UserWarning", "ignore:.*observation space.*:UserWarning")
def test_a_maze_of_gymnasium_robotics_with_its_arguments(folder: Path) -> None:
    import minari
    from minari.data_collector import EpisodeBuffer

    robotics = pytest.importorskip("gymnasium_robotics")
    gymnasium.register_envs(robotics)
    env = gymnasium.make("PointMaze_UMaze-v3", maze_map=MAZE, continuing_task=False, max_episode_steps=12)
    rng, seen, rewards, buffers = np.random.default_rng(0), [], [], []
    for episode in range(3):
        first, _ = env.reset(seed=episode)
        rows, steps, over = [first], [], False
        while not over:
            action = rng.uniform(-1, 1, 2).astype(np.float32)
            following, reward, terminated, truncated, _ = env.step(action)
            rows.append(following)
            steps.append((action, float(reward), terminated, truncated))
            over = terminated or truncated
        actions, paid, ended, cut = (list(column) for column in zip(*steps, strict=True))
        seen.append(rows)
        rewards += paid
        buffers.append(EpisodeBuffer(episode, None, None, stacked(rows, np.float64), actions, paid, ended, cut))
    minari.create_dataset_from_buffers("probe/maze-v0", buffers, env=env, **ABOUT)
    env.close()
    task = make_task("minari/probe/maze-v0")
    assert (task.info.observation_dim, task.info.action_dim, task.info.horizon) == (8, 2, 12)
    assert "maze_map=" in task.info.summary
    data = task.generate(None, 0)
    names = ("achieved_goal", "desired_goal", "observation")  # the order of their sorted names
    want = [np.concatenate([row[name] for name in names]) for rows in seen for row in rows[:-1]]
    after = [np.concatenate([row[name] for name in names]) for rows in seen for row in rows[1:]]
    assert np.allclose(data.observations, want, atol=1e-6)
    assert np.allclose(data.next_observations, after, atol=1e-6)
    assert data.rewards.tolist() == pytest.approx(rewards)
    assert data.ends.sum() == 3
    batch = task.environments(1, 0)
    inner = batch._envs[0].unwrapped
    assert inner.maze.maze_map == MAZE
    assert inner.continuing_task is False
    assert np.allclose(batch.reset()[0, :2], inner.data.qpos, atol=1e-6)
    batch.close()
    assert rollout(make_rule("bc"), Parts(8, 2, lambda s, a, t: -a), task, 2, 0).lengths.max() <= 12


STEPS = 4
SPACES: dict[str, tuple[spaces.Space[Any], Any, list[int]]] = {
    # the space, one observation of the number n, and the row that it becomes, times n + 1
    "dict": (
        spaces.Dict({"b": spaces.Box(-99, 99, (2,)), "a": spaces.Box(-99, 99, (1,))}),
        lambda n: {"b": np.array([2.0, 3.0]) * (n + 1), "a": np.array([1.0]) * (n + 1)},
        [1, 2, 3],
    ),
    "tuple": (
        spaces.Tuple((spaces.Box(-99, 99, (2,)), spaces.Box(-99, 99, (2,)))),
        lambda n: (np.array([1.0, 2.0]) * (n + 1), np.array([3.0, 4.0]) * (n + 1)),
        [1, 2, 3, 4],
    ),
    "dicts in a dict": (
        spaces.Dict(
            {
                "goal": spaces.Dict({"y": spaces.Box(-99, 99, (1,)), "x": spaces.Box(-99, 99, (1,))}),
                "at": spaces.Tuple((spaces.Box(-99, 99, (1,)), spaces.Box(-99, 99, (2,)))),
            }
        ),
        lambda n: {
            "goal": {"y": np.array([5.0]) * (n + 1), "x": np.array([4.0]) * (n + 1)},
            "at": (np.array([1.0]) * (n + 1), np.array([2.0, 3.0]) * (n + 1)),
        },
        [1, 2, 3, 4, 5],
    ),
}


def stacked(items: list[Any], kind: Any = np.float32) -> Any:
    """One entry for all times, as an episode's buffer holds it."""
    if isinstance(items[0], dict):
        return {name: stacked([item[name] for item in items], kind) for name in items[0]}
    if isinstance(items[0], tuple):
        return tuple(stacked(list(entries), kind) for entries in zip(*items, strict=True))
    return [np.asarray(item, dtype=kind) for item in items]


@pytest.mark.parametrize("kind", SPACES)
@pytest.mark.filterwarnings("ignore:.*(eval_env|env_spec).*:UserWarning")
def test_entries_stay_in_their_place_and_time(folder: Path, kind: str) -> None:
    import minari
    from minari.data_collector import EpisodeBuffer

    space, observation, row = SPACES[kind]
    buffers = [
        EpisodeBuffer(
            id=number,
            observations=stacked([observation(n + 10 * number) for n in range(STEPS + 1)]),
            actions=[np.array([0.1 * number], dtype=np.float32)] * STEPS,
            rewards=[0.0] * STEPS,
            terminations=[False] * (STEPS - 1) + [number == 1],
            truncations=[False] * (STEPS - 1) + [number == 0],
        )
        for number in range(2)
    ]
    minari.create_dataset_from_buffers(
        "probe/spaces-v0", buffers, observation_space=space, action_space=spaces.Box(-1, 1, (1,)), **ABOUT
    )
    data = make_task("minari/probe/spaces-v0").generate(None, 0)
    times = np.array([n + 10 * number + 1 for number in range(2) for n in range(STEPS)])
    assert np.array_equal(data.observations, times[:, None] * np.array(row))
    assert np.array_equal(data.next_observations, (times + 1)[:, None] * np.array(row))
    assert data.ends.tolist() == ([False] * (STEPS - 1) + [True]) * 2
    assert data.masks.tolist() == [1.0] * (2 * STEPS - 1) + [0.0]
