"""D4RL's tasks: names, files, scores, and environments whose observations are built as the data's."""

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from engine.data import d4rl_files

from workbench.engine.data.npz import DataFileError
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks import d4rl_envs
from workbench.engine.tasks.d4rl import D4RLTask
from workbench.engine.tasks.gym_batch import is_listed, make_gym
from workbench.engine.tasks.registry import make_listed, make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.storage import load_saved


@pytest.mark.parametrize(
    ("dataset", "env_id", "file"),
    [
        ("hopper-medium-replay-v2", "Hopper-v5", "hopper_medium_replay-v2"),
        ("antmaze-umaze-v2", "AntMaze_UMaze-v5", "Ant_maze_u-maze_noisy_multistart_False_multigoal_False_sparse_fixed"),
        ("antmaze-umaze-diverse-v0", "AntMaze_UMaze-v5", "Ant_maze_u-maze_noisy_multistart_True_multigoal_True_sparse"),
        (
            "antmaze-large-play-v2",
            "AntMaze_Large-v5",
            "Ant_maze_hardest-maze_noisy_multistart_True_multigoal_False_sparse_fixed",
        ),
        ("maze2d-open-v0", "PointMaze_Open-v3", "maze2d-open-sparse"),
        ("maze2d-large-dense-v1", "PointMaze_LargeDense-v3", "maze2d-large-dense-v1"),
        ("kitchen-complete-v0", "FrankaKitchen-v1", "mini_kitchen_microwave_kettle_light_slider-v0"),
        ("kitchen-mixed-v0", "FrankaKitchen-v1", "kitchen_microwave_kettle_bottomburner_light-v0"),
        ("pen-human-v1", "AdroitHandPen-v1", "pen-human-v1"),
        ("door-cloned-v0", "AdroitHandDoor-v1", "door-demos-v0-bc-combined"),
    ],
)
def test_names_and_files(tmp_path: Path, dataset: str, env_id: str, file: str) -> None:
    task = D4RLTask(dataset)
    assert task.env_id == env_id
    assert task.name == f"d4rl/{dataset}"
    assert task.files(tmp_path)["train"].name == f"{dataset}.hdf5"
    (tmp_path / f"{file}.hdf5").touch()
    assert task.files(tmp_path)["train"].name == f"{file}.hdf5"
    with pytest.raises(DataFileError, match="not a readable HDF5 file"):
        load_saved(task, tmp_path)
    with pytest.raises(ValueError, match="not generated here"):
        task.write(tmp_path, None, 0)


@pytest.mark.parametrize("name", ["antmaze-umaze-play-v2", "antmaze-large-v2", "maze2d-open-v1", "kitchen-new-v0", "x"])
def test_no_dataset_of_d4rl(name: str) -> None:
    with pytest.raises(ValueError, match="no dataset of D4RL's that is known here"):
        make_listed(f"d4rl/{name}")


def test_what_has_no_environment_any_more_is_said() -> None:
    with pytest.raises(ValueError, match=r"no environment for it, it needs Flow .* workbench data add FILE.hdf5"):
        make_task("d4rl/flow-ring-random-v0")
    with pytest.raises(ValueError, match="are here as d4rl/antmaze-umaze-v2"):
        make_gym("antmaze-umaze-v2")


@pytest.mark.filterwarnings("ignore:.*is out of date:DeprecationWarning")
def test_an_old_id_names_what_takes_its_place() -> None:
    with pytest.raises(ValueError, match="Hopper-v5 takes its place"):
        make_gym("Hopper-v2")
    pytest.importorskip("gymnasium_robotics")
    with pytest.raises(ValueError, match="AdroitHandDoor-v1 takes its place"):
        make_gym("AdroitHandDoor-v0")


def test_data_are_read_without_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training needs no simulator, so that a file is of use where its simulator does not run."""
    monkeypatch.setattr(gymnasium, "make", lambda *_, **__: pytest.fail("an environment was made"))
    d4rl_files.antmaze(tmp_path / "antmaze-umaze-v2.hdf5")
    data = load_saved(make_task("d4rl/antmaze-umaze-v2"), tmp_path)
    assert sorted(set(data.rewards.tolist())) == [-1.0, 0.0]
    assert data.masks[data.rewards == 0.0].tolist() == [0.0]
    d4rl_files.kitchen(tmp_path / "kitchen-complete-v0.hdf5")
    assert load_saved(make_task("d4rl/kitchen-complete-v0"), tmp_path).action_dim == 9
    d4rl_files.adroit(tmp_path / "pen-human-v1.hdf5")
    assert load_saved(make_task("d4rl/pen-human-v1"), tmp_path).observation_dim == 45
    d4rl_files.maze2d(tmp_path / "maze2d-umaze-v1.hdf5", waypoints=True)
    data = load_saved(make_task("d4rl/maze2d-umaze-v1"), tmp_path)
    assert (data.masks == 1).all()
    assert data.rewards.sum() == 3.0
    d4rl_files.adroit(tmp_path / "door-human-v1.hdf5")
    with pytest.raises(DataFileError, match="'observations' has 45 columns, door-human-v1 has 39"):
        load_saved(make_task("d4rl/door-human-v1"), tmp_path)


def test_scores_are_d4rl_s() -> None:
    returns = np.array([0.0, 3234.3, -20.272305])
    assert D4RLTask("hopper-expert-v2").normalised_scores(returns, returns > 0).tolist() == pytest.approx(
        [100 * 20.272305 / 3254.572305, 100.0, 0.0]
    )
    reached = D4RLTask("antmaze-large-diverse-v2").normalised_scores(
        np.array([-1000.0, -300.0]), np.array([False, True])
    )
    assert reached.tolist() == [0.0, 100.0]
    assert D4RLTask("maze2d-large-v1").normalised_scores(np.array([273.99]), np.array([True])).tolist() == [100.0]
    assert D4RLTask("kitchen-mixed-v0").normalised_scores(np.array([3.0]), np.array([False])).tolist() == [75.0]
    assert D4RLTask("pen-cloned-v1").normalised_scores(np.array([3076.8331017826877]), np.zeros(1)).round(
        9
    ).tolist() == [100.0]
    assert D4RLTask("maze2d-medium-dense-v0").normalised_scores(np.zeros(1), np.zeros(1)) is None


def walls(env: gymnasium.Env) -> set[tuple[float, float]]:
    """Where the simulator has blocks."""
    model = env.unwrapped.model
    named = [(model.geom(i).name, model.geom_pos[i]) for i in range(model.ngeom)]
    return {(round(float(at[0]), 3), round(float(at[1]), 3)) for name, at in named if name.startswith("block")}


@pytest.mark.parametrize("size", d4rl_envs.ANT_MAZES)
def test_the_ant_s_maze_is_d4rl_s(size: str) -> None:
    """D4RL: the cell in row i and column j lies at 4 (j - j0), 4 (i - i0), the start being (i0, j0)."""
    pytest.importorskip("gymnasium_robotics")
    setting, maze = d4rl_envs.antmaze(size), d4rl_envs.ANT_MAZES[size]
    env = setting.make()
    seen, _ = env.reset(seed=0)
    inner = env.unwrapped._get_obs(env.unwrapped.ant_env._get_obs())
    origin = inner["achieved_goal"] - seen[:2]
    cells = {letter: (i, j) for i, row in enumerate(maze) for j, letter in enumerate(row)}
    i0, j0 = cells["r"]
    wanted = {
        (4.0 * (j - j0), 4.0 * (i - i0)) for i, row in enumerate(maze) for j, letter in enumerate(row) if letter == "#"
    }
    found = {(round(x - float(origin[0]), 3), round(y - float(origin[1]), 3)) for x, y in walls(env)}
    assert {(round(x), round(y)) for x, y in found} == wanted
    assert np.abs(seen[:2]).max() <= 1.0  # starts in the middle of its cell, up to a metre
    goal = inner["desired_goal"] - origin
    assert np.abs(goal - 4.0 * np.array([cells["g"][1] - j0, cells["g"][0] - i0])).max() <= 1.0
    assert np.array_equal(seen[2:], inner["observation"][:27].astype(np.float32))
    qpos, qvel = env.unwrapped.data.qpos, env.unwrapped.data.qvel
    assert np.allclose(seen[2:], np.concatenate((qpos[2:15], qvel)), atol=1e-6)  # D4RL's qpos and qvel
    env.close()


@pytest.mark.parametrize("size", d4rl_envs.POINT_MAZES)
def test_the_point_s_maze_is_d4rl_s(size: str) -> None:
    """D4RL: the first number is the row, the second the column."""
    pytest.importorskip("gymnasium_robotics")
    setting, maze = d4rl_envs.maze2d(size, "sparse", 1 if size != "open" else 0), d4rl_envs.POINT_MAZES[size]
    env = setting.make()
    seen, _ = env.reset(seed=1)
    inner = env.unwrapped.data.qpos.copy()
    origin = inner - seen[:2]
    wanted = {(i, j) for i, row in enumerate(maze) for j, letter in enumerate(row) if letter == "#"}
    assert {(round(x - float(origin[0])), round(y - float(origin[1]))) for x, y in walls(env)} == wanted
    row, column = (int(number) for number in seen[:2].round())
    assert maze[row][column] != "#"
    (goal,) = [(i, j) for i, line in enumerate(maze) for j, letter in enumerate(line) if letter == "g"]
    assert np.abs(env.unwrapped.goal - origin - goal).max() <= 0.25
    assert np.allclose(seen[2:], env.unwrapped.data.qvel, atol=1e-6)
    env.close()


class Kitchen(gymnasium.Env):
    """Observes what FrankaKitchen-v1 does: the numbers 0 to 58, and two dicts of goals."""

    observation_space = gymnasium.spaces.Dict({"observation": gymnasium.spaces.Box(-99, 99, (59,), np.float64)})
    action_space = gymnasium.spaces.Box(-1, 1, (9,), np.float64)

    def __init__(self, tasks_to_complete: list[str], render_mode: str | None = None) -> None:
        self.left = list(tasks_to_complete)

    def reset(self, **_: object) -> tuple[dict, dict]:
        return {"observation": np.arange(59.0)}, {}

    def step(self, action: np.ndarray) -> tuple[dict, float, bool, bool, dict]:
        self.left.pop()
        return {"observation": np.arange(59.0)}, 1.0, not self.left, False, {"tasks_to_complete": self.left}


@pytest.fixture
def kitchen(monkeypatch: pytest.MonkeyPatch) -> None:
    is_listed("FrankaKitchen-v1")
    spec = gymnasium.envs.registration.EnvSpec("FrankaKitchen-v1", Kitchen, disable_env_checker=True)
    monkeypatch.setitem(gymnasium.registry, "FrankaKitchen-v1", spec)


def test_the_kitchen_observes_places_and_the_goal(kitchen: None) -> None:
    task = make_task("d4rl/kitchen-mixed-v0")
    assert (task.info.observation_dim, task.info.action_dim, task.info.horizon) == (60, 9, 280)
    batch = task.environments(1, 0)
    seen = batch.reset()[0]
    assert seen[:30].tolist() == [*range(9), *range(18, 39)]
    goal = seen[30:]
    assert goal[[11, 12, 17, 18, 22]].tolist() == pytest.approx([-0.88, -0.01, -0.69, -0.05, -0.75])
    assert goal[23:].tolist() == pytest.approx([-0.23, 0.75, 1.62, 0.99, 0.0, 0.0, -0.06])
    assert goal[19] == 0.0  # the slide cabinet is not among the mixed kitchen's tasks
    batch.close()
    played = rollout(make_rule("bc"), Parts(60, 9, lambda s, a, t: -a), task, 2, 0)
    assert played.success.all()
    assert played.returns.tolist() == [4.0, 4.0]


def test_a_kitchen_that_cannot_be_made_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: object) -> None:
        raise AssertionError

    spec = gymnasium.envs.registration.EnvSpec("FrankaKitchen-v1", fails, disable_env_checker=True)
    is_listed("FrankaKitchen-v1")
    monkeypatch.setitem(gymnasium.registry, "FrankaKitchen-v1", spec)
    with pytest.raises(ValueError, match=r"runs with MuJoCo 3\.3: pip install mujoco==3\.3\.0"):
        make_task("d4rl/kitchen-partial-v0").environments(1, 0)


@pytest.mark.parametrize("dataset", ["antmaze-umaze-v2", "maze2d-umaze-v1", "door-human-v1"])
def test_episodes_are_played(dataset: str) -> None:
    pytest.importorskip("gymnasium_robotics")
    task = make_task(f"d4rl/{dataset}")
    size, dims = task.info.observation_dim, task.info.action_dim
    played = rollout(make_rule("bc"), Parts(size, dims, lambda s, a, t: -a), task, 2, 0, most_steps=20)
    assert played.starts.shape == (2, size)
    assert not np.array_equal(played.starts[0], played.starts[1])
    if dataset.startswith("antmaze"):
        assert (played.returns == -20.0).all()
