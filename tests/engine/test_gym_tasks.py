"""Gymnasium environments, Minari's and D4RL's data: bounds and back, episodes by seed, data made here."""

from collections import OrderedDict
from pathlib import Path

import gymnasium
import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.data.boxes import ActionBox, flat
from workbench.engine.data.npz import DataFileError
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.gym import D4RLTask, GymTask, MinariTask
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.storage import load_saved

PENDULUM = "Pendulum-v1"  # actions in [-2, 2], S = 3, 200 steps, needs no simulator


@given(st.floats(-5, 5), st.floats(0.1, 10), st.lists(st.floats(-1, 1), min_size=1, max_size=5))
def test_there_and_back(low: float, width: float, actions: list[float]) -> None:
    box = ActionBox(np.full(1, low), np.full(1, low + width), "x")
    unit = np.array(actions)[:, None]
    assert np.allclose(box.to_unit(box.from_unit(unit)), unit, atol=1e-12)
    assert box.to_unit(np.array([[low], [low + width]])).ravel().tolist() == pytest.approx([-1.0, 1.0])
    assert box.from_unit(np.array([[-7.0], [7.0]])).ravel().tolist() == pytest.approx([low, low + width])


def test_unit_bounds_change_no_bit() -> None:
    box, actions = ActionBox(-np.ones(2), np.ones(2), "x"), np.random.default_rng(0).uniform(-1, 1, (50, 2))
    assert np.array_equal(box.to_unit(actions), actions)
    assert np.array_equal(box.from_unit(actions), actions)
    for low, high in ((-np.inf, 1.0), (1.0, 1.0), (0.0, np.inf)):
        with pytest.raises(ValueError, match="cannot be scaled"):
            ActionBox(np.array([low]), np.array([high]), "x")


def test_observations_in_one_row() -> None:
    parts = OrderedDict(goal=np.array([3.0, 4.0]), at=np.array([[1.0], [2.0]]))
    assert flat(parts).tolist() == [1, 2, 3, 4]  # sorted by name
    rows = {"goal": np.zeros((5, 2)), "at": np.ones((5, 3))}
    assert flat(rows, 5).shape == (5, 5)
    assert flat(rows, 5)[0].tolist() == [1, 1, 1, 0, 0]
    with pytest.raises(ValueError, match="must be numbers"):
        flat(np.array(["a"]))


def push(observations, actions, t):
    """A policy whose action is 0.5 wherever it starts."""
    return (0.5 - actions) / (1.0 - t[:, None])


def test_actions_arrive_in_the_units_of_the_environment() -> None:
    batch = GymTask(PENDULUM).environments(1, 3)
    seen = batch.reset()
    result = batch.step(np.array([[0.5]], dtype=np.float32), np.array([True]))
    env = gymnasium.make(PENDULUM)
    first, _ = env.reset(seed=batch._seeds[0])
    second, reward, *_ = env.step(np.array([1.0], dtype=np.float32))  # 0.5 of 2
    assert np.array_equal(seen[0], first)
    assert np.array_equal(result.observations[0], second)
    assert result.rewards[0] == np.float32(reward)
    env.close()
    batch.close()


def test_episodes_depend_on_their_seed_alone() -> None:
    task, parts = make_task(f"gym/{PENDULUM}"), Parts(3, 1, push)
    assert (task.info.observation_dim, task.info.action_dim, task.info.horizon) == (3, 1, 200)
    two, three = (rollout(make_rule("bc"), parts, task, count, 5) for count in (2, 3))
    assert np.array_equal(two.starts, three.starts[:2])
    assert np.array_equal(two.returns, rollout(make_rule("bc"), parts, task, 2, 5).returns)
    assert (two.lengths == 200).all()
    assert not two.terminated.any()
    assert not np.array_equal(two.returns, rollout(make_rule("bc"), parts, task, 2, 6).returns)


def test_names_and_spaces_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"no environment 'Pendulun-v1'.*the nearest are Pendulum-v1"):
        _ = make_task("gym/Pendulun-v1").info
    with pytest.raises(ValueError, match="only continuous actions"):
        _ = make_task("gym/CartPole-v1").info
    with pytest.raises(ValueError, match=r"no data of its own; name a file: workbench fit gym/Pendulum-v1 --data"):
        make_task(f"gym/{PENDULUM}").generate(None, 0)


def episodes(rows: int) -> dict[str, np.ndarray]:
    """Rows of Pendulum under random torques, in its own units."""
    env, rng = gymnasium.make(PENDULUM), np.random.default_rng(0)
    columns: dict[str, list] = {"observations": [], "actions": [], "rewards": [], "terminals": [], "timeouts": []}
    seen, _ = env.reset(seed=0)
    for row in range(rows):
        action = rng.uniform(-2.0, 2.0, 1).astype(np.float32)
        following, reward, terminated, truncated, _ = env.step(action)
        for name, value in zip(columns, (seen, action, reward, terminated, truncated), strict=True):
            columns[name].append(value)
        seen = env.reset(seed=row)[0] if truncated else following
    env.close()
    return {name: np.array(column) for name, column in columns.items()}


def test_a_file_for_an_environment(tmp_path: Path) -> None:
    arrays = episodes(410)
    with h5py.File(tmp_path / "data.hdf5", "w") as file:
        for name, array in arrays.items():
            file[name] = array
    task = GymTask(PENDULUM)
    data = load_saved(task, tmp_path / "data.hdf5")
    assert len(data) == 410 - 3  # two time-outs and the last row
    assert np.allclose(data.actions[:199], arrays["actions"][:199] / 2.0)
    assert np.array_equal(data.next_observations[:199], arrays["observations"][1:200].astype(np.float32))
    following = np.concatenate((arrays["observations"][1:], arrays["observations"][-1:]))
    np.savez(
        tmp_path / "data.npz",
        observations=arrays["observations"], actions=arrays["actions"], rewards=arrays["rewards"],
        masks=np.ones(410), next_observations=following, ends=arrays["timeouts"],
    )  # fmt: skip
    assert np.allclose(load_saved(task, tmp_path / "data.npz").actions, arrays["actions"] / 2.0)
    with pytest.raises(DataFileError, match="'observations' has 3 column"):
        load_saved(make_task("three_exits"), tmp_path / "data.hdf5")


def test_d4rl_names_and_files(tmp_path: Path) -> None:
    task = D4RLTask("hopper-medium-replay-v2")
    assert task.env_id == "Hopper-v5"
    assert task.files(tmp_path)["train"].name == "hopper-medium-replay-v2.hdf5"
    (tmp_path / "hopper_medium_replay-v2.hdf5").touch()
    assert task.files(tmp_path)["train"].name == "hopper_medium_replay-v2.hdf5"
    with pytest.raises(DataFileError, match="not a readable HDF5 file"):
        load_saved(task, tmp_path)
    with pytest.raises(ValueError, match="environments are here for halfcheetah, hopper, walker2d"):
        make_task("d4rl/antmaze-umaze-v2")
    with pytest.raises(ValueError, match="not generated here"):
        task.write(tmp_path, None, 0)


@pytest.fixture
def minari_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


def test_a_minari_dataset_made_here(minari_folder: Path) -> None:
    import minari
    from minari.data_collector import EpisodeBuffer

    arrays = episodes(400)
    buffers = [
        EpisodeBuffer(
            id=number,
            observations=[*arrays["observations"][begin : begin + 200], arrays["observations"][begin]],
            actions=list(arrays["actions"][begin : begin + 200]),
            rewards=list(arrays["rewards"][begin : begin + 200]),
            terminations=[False] * 200,
            truncations=[False] * 199 + [True],
        )
        for number, begin in enumerate((0, 200))
    ]
    minari.create_dataset_from_buffers(
        "pendulum/random-v0", buffers, env=PENDULUM, eval_env=PENDULUM, algorithm_name="random", author="a", author_email="a@b.c",
        code_permalink="https://example.org", description="test",
    )  # fmt: skip
    task = make_task("minari/pendulum/random-v0")
    data = task.generate(None, 0)
    assert len(data) == 400
    assert np.flatnonzero(data.ends).tolist() == [199, 399]
    assert np.allclose(data.actions, arrays["actions"] / 2.0)
    assert np.allclose(data.rewards, arrays["rewards"])
    assert np.array_equal(data.next_observations[:199], data.observations[1:200])
    played = rollout(make_rule("bc"), Parts(3, 1, push), task, 2, 0)
    assert (played.lengths == 200).all()


def test_a_minari_dataset_that_is_not_there(minari_folder: Path) -> None:
    with pytest.raises(DataFileError, match="minari download mujoco/hopper/medium-v0"):
        MinariTask("mujoco/hopper/medium-v0")
