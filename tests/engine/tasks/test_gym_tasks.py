"""Gymnasium environments, Minari's and D4RL's data: bounds and back, episodes by seed, data made here."""

import json
from collections import OrderedDict
from pathlib import Path

import gymnasium
import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.data import minari_data
from workbench.engine.data.boxes import ActionBox, flat
from workbench.engine.data.npz import DataFileError
from workbench.engine.data.recorded_env import recorded_env
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.gym import GymTask, MinariTask
from workbench.engine.tasks.gym_arguments import parse_arguments, spelled
from workbench.engine.tasks.gym_batch import box_of, make_gym
from workbench.engine.tasks.registry import make_listed, make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.storage import load_saved
from workbench.runs.training import Source

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


def test_arguments_in_a_name() -> None:
    task = make_task(f"gym/{PENDULUM},g=2.5,max_episode_steps=30")
    assert task.info.name == f"gym/{PENDULUM},g=2.5,max_episode_steps=30"
    assert task.info.horizon == 30
    batch = make_listed(task.name).environments(1, 0)
    assert batch._envs[0].unwrapped.g == 2.5
    batch.close()
    given = {"maze_map": [[1, "r"], [0, 1]], "mode": "hard", "word": "3", "flag": True, "none": None, "a": "x,y=1"}
    assert parse_arguments(f"mine:Env-v0{spelled(given)}") == ("mine:Env-v0", given)
    for wrong, words in (
        (f"{PENDULUM},g", "written gym/ID,name=value"),
        (f"{PENDULUM},g=1,g=2", "given twice"),
        (f"{PENDULUM},g=[1", "neither JSON nor a word"),
    ):
        with pytest.raises(ValueError, match=words):
            make_task(f"gym/{wrong}")
    with pytest.raises(ValueError, match="cannot be made with the arguments friction"):
        _ = make_task(f"gym/{PENDULUM},friction=1").info


@pytest.mark.parametrize("given", ["xml_file=/etc/passwd", "x=a.b", 'x={"a":1}', "x=../up"])
def test_a_name_from_outside_brings_plain_arguments_alone(given: str) -> None:
    with pytest.raises(ValueError, match="no plain number or name"):
        make_listed(f"gym/{PENDULUM},{given}")


class Turning(gymnasium.ObservationWrapper):
    """Pendulum, observed as a dict."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(gymnasium.make(PENDULUM, render_mode=render_mode))
        self.observation_space = gymnasium.spaces.Dict(
            {"turn": gymnasium.spaces.Box(-9, 9, (1,)), "at": gymnasium.spaces.Box(-1, 1, (2,))}
        )

    def observation(self, observation: np.ndarray) -> dict[str, np.ndarray]:
        return {"turn": observation[2:], "at": observation[:2]}


def test_dicts_of_observations_are_flattened_and_that_is_said() -> None:
    gymnasium.register("Turning-v0", entry_point=Turning, disable_env_checker=True)
    try:
        task = make_task("gym/Turning-v0")
        assert task.info.observation_dim == 3
        assert "one row of at (2), turn (1), in this order" in task.info.summary
    finally:
        gymnasium.registry.pop("Turning-v0")


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (gymnasium.spaces.Discrete(3), r"scores\.argmax\(\)"),
        (gymnasium.spaces.MultiDiscrete([2, 3]), "a score for each choice"),
        (gymnasium.spaces.MultiBinary(4), r"\(a > 0\)"),
        (gymnasium.spaces.Dict({"arm": gymnasium.spaces.Box(-1, 1, (2,))}), "cuts it into the dict's entries"),
        (gymnasium.spaces.Tuple((gymnasium.spaces.Discrete(2),)), "cuts it into the tuple's entries"),
        (gymnasium.spaces.Box(0, 255, (2,), np.uint8), "a wrapper with a Box of floats"),
    ],
)
def test_actions_that_cannot_be_steered_name_the_way_out(space: gymnasium.Space, words: str) -> None:
    with pytest.raises(ValueError, match=rf"gym/X-v0: its actions are .* {words}.*ActionWrapper"):
        box_of(space, "gym/X-v0")


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


def record(name: str, steps: int = 20, **changes: object) -> None:
    """Store a Minari dataset of three random episodes; ``changes`` are of the middle one, or of the whole dataset."""
    import minari
    from gymnasium import spaces
    from minari.data_collector import EpisodeBuffer

    rng = np.random.default_rng(0)
    of_set = {key: changes.pop(key) for key in ("env", "observation_space") if key in changes}
    buffers = []
    for number in range(3):
        whole: dict[str, object] = {
            "observations": rng.normal(size=(steps + 1, 3)).astype(np.float32),
            "actions": rng.uniform(-1, 1, (steps, 1)).astype(np.float32),
            "rewards": [0.0] * steps,
            "terminations": [False] * steps,
            "truncations": [False] * (steps - 1) + [True],
        }
        buffers.append(EpisodeBuffer(id=number, **(whole | (changes if number == 1 else {}))))
    space = {
        "observation_space": spaces.Box(-9, 9, (3,), np.float32),
        "action_space": spaces.Box(-1, 1, (1,), np.float32),
    }
    with pytest.warns(UserWarning, match="eval_env|env_spec"):  # Minari's own, about what is left out here
        minari.create_dataset_from_buffers(
            name, buffers, algorithm_name="a", author="a", author_email="a@b.c", code_permalink="https://example.org",
            description="test", **({} if "env" in of_set else space) | of_set,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"observations": np.zeros((20, 3), np.float32)}, "20 rows where 21 are needed"),
        ({"actions": np.zeros((19, 1), np.float32)}, "19 rows where 20 are needed"),
        ({"terminations": [False] * 18}, r"terminations \(18,\)"),
    ],
)
def test_a_minari_episode_that_does_not_fit(minari_folder: Path, changes: dict[str, object], words: str) -> None:
    record("probe/cut-v0", **changes)
    with pytest.raises(DataFileError, match=f"minari/probe/cut-v0: episode 1 .*{words}"):
        make_task("minari/probe/cut-v0")


def test_minari_s_actions_are_clipped_when_asked(minari_folder: Path) -> None:
    actions = np.zeros((20, 1), np.float32)
    actions[7] = 1.5
    record("probe/over-v0", actions=actions)
    task = make_task("minari/probe/over-v0")
    with pytest.raises(
        ValueError, match=r"1 of 60 rows have actions outside .* first episode 1, step 7 .*--clip-actions"
    ):
        Source(None, 0, False).load(task)
    data = Source(None, 0, True).load(task)
    assert data.actions[27] == 1.0
    assert len(data) == 60


def test_minari_s_arguments_are_played(minari_folder: Path) -> None:
    env = gymnasium.make(PENDULUM, g=2.0, max_episode_steps=20)
    record("probe/kw-v0", env=env)
    env.close()
    task = make_task("minari/probe/kw-v0")
    assert task.info.horizon == 20
    assert "arguments g=2.0" in task.info.summary
    batch = task.environments(1, 0)
    assert batch._envs[0].unwrapped.g == 2.0
    batch.close()
    assert (rollout(make_rule("bc"), Parts(3, 1, push), task, 1, 0).lengths == 20).all()


def specification(**changes: object) -> str:
    return json.dumps({"id": PENDULUM, "kwargs": {}, "max_episode_steps": None, "additional_wrappers": []} | changes)


def test_a_description_brings_no_code_and_no_path() -> None:
    plain = {
        "maze_map": [[1, "r", 0]],
        "reward_type": "sparse",
        "tasks": ["light switch"],
        "continuing": True,
        "x": None,
    }
    taken = recorded_env(specification(kwargs=plain | {"render_mode": "human"}, max_episode_steps=-1), "d")
    assert taken.options() == plain
    odd = {"xml_file": "/etc/passwd", "up": "../x", "code": {"a": 1}, "module": "os:system", "deep": [["a.b"]]}
    refused = recorded_env(specification(kwargs=odd), "d")
    assert refused.options() == {}
    assert len(refused.refused) == len(odd)
    assert recorded_env(specification(id="os:system"), "d").id == ""
    assert recorded_env(None, "d").id == ""
    assert recorded_env(specification(additional_wrappers=[{"name": "Rescale"}, 3]), "d").wrappers == (
        "Rescale",
        "a wrapper without a name",
    )
    for broken in ("{", "[]", specification(kwargs=[1]), specification(id=3), '{"max_episode_steps": 1e9}'):
        with pytest.raises(ValueError, match="its description of the environment cannot be read"):
            recorded_env(broken, "d")
    with pytest.raises(ValueError, match="cannot be made with the arguments friction"):
        make_gym(PENDULUM, friction=1)


def test_arguments_that_are_not_taken_are_said(minari_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record("probe/file-v0", env=PENDULUM)
    told = specification(kwargs={"xml_file": "a.xml"}, additional_wrappers=[{"name": "RescaleAction"}])
    monkeypatch.setattr(minari_data, "recorded_env", lambda _, source: recorded_env(told, source))
    with pytest.warns(UserWarning, match="recorded through RescaleAction"):
        task = make_task("minari/probe/file-v0")
    assert "xml_file='a.xml' are not taken" in task.info.summary
    assert len(task.generate(None, 0)) == 60
    with pytest.raises(ValueError, match=r"not plain numbers or names \(xml_file='a.xml'\)"):
        task.environments(1, 0)
