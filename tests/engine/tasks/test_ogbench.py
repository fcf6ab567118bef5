"""OGBench tasks: data and episodes are those of ogbench itself, bit for bit; what is missing is said plainly."""

import shutil
import urllib.error
from pathlib import Path

import gymnasium
import numpy as np
import ogbench
import pytest

from workbench.engine.data.npz import DataFileError, read_arrays, save_dataset, write_arrays
from workbench.engine.tasks import manipulation, pointmaze
from workbench.engine.tasks.collect import Generator, collect
from workbench.engine.tasks.ogbench import OGBenchTask, parse_name
from workbench.engine.tasks.ogbench_env import make_env
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import DatasetExistsError, dataset_files, load_saved, save_generated

MAZE = "pointmaze-medium-navigate-singletask-v0"
CUBE = "cube-single-play-singletask-v0"
ROWS = {MAZE: 4_500, CUBE: 1_200}


@pytest.fixture(scope="module", params=[MAZE, CUBE])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A small generated dataset: the task's name and its folder."""
    folder = tmp_path_factory.mktemp("data")
    seen: list[tuple[int, int]] = []
    name: str = request.param
    paths = save_generated(OGBenchTask(name), folder, ROWS[name], 3, lambda done, total: seen.append((done, total)))
    assert [path.name for path in paths] == [path.name for path in dataset_files(OGBenchTask(name), folder)]
    total = ROWS[name] + ROWS[name] // 10
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    return name, folder


def test_ogbench_itself_loads_the_same_arrays(made: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    name, folder = made
    monkeypatch.setattr(ogbench.utils, "download_datasets", lambda names, folder: None)  # never the network
    theirs = ogbench.make_env_and_datasets(
        name, dataset_dir=str(folder), dataset_only=True, cur_env=make_env(_env(name))
    )
    for split, reference in zip(("train", "val"), theirs, strict=True):
        ours = OGBenchTask(name).load(folder, split=split)
        for field in ("observations", "actions", "rewards", "masks", "next_observations"):
            np.testing.assert_array_equal(getattr(ours, field), reference[field], err_msg=field)
        np.testing.assert_array_equal(ours.ends, (reference["terminals"] > 0) | (reference["masks"] == 0))
    assert len(OGBenchTask(name).load(folder)) == ROWS[name]
    assert len(OGBenchTask(name).load(folder, split="val")) == ROWS[name] // 10


def _env(name: str) -> str:
    return parse_name(name).env


def test_generate_gives_what_was_written(made: tuple[str, Path]) -> None:
    name, folder = made
    fresh = OGBenchTask(name).generate(ROWS[name], 3)
    assert fresh.fingerprint() == load_saved(OGBenchTask(name), folder).fingerprint()


def test_another_seed_gives_other_data() -> None:
    a, b = (OGBenchTask(MAZE).generate(200, seed) for seed in (0, 1))
    assert a.fingerprint() != b.fingerprint()


def test_training_and_validation_data_differ(made: tuple[str, Path]) -> None:
    train, val = (OGBenchTask(made[0]).load(made[1], split=split) for split in ("train", "val"))
    assert not np.array_equal(train.observations[: len(val)], val.observations)


def test_an_existing_dataset_is_left_alone(made: tuple[str, Path], tmp_path: Path) -> None:
    name, folder = made
    train, val = dataset_files(OGBenchTask(name), folder)
    before = train.read_bytes()
    with pytest.raises(DatasetExistsError, match=f"{train.name} and .* already there, left untouched"):
        save_generated(OGBenchTask(name), folder, 100, 0)
    assert train.read_bytes() == before
    shutil.copy(val, tmp_path)
    with pytest.raises(DatasetExistsError, match="choose another folder"):
        save_generated(OGBenchTask(name), tmp_path, 100, 0)


@pytest.mark.parametrize(
    ("generator", "env_id", "rows"),
    [(pointmaze.NAVIGATE, "pointmaze-medium-v0", 2_300), (manipulation.MADE["play"], "cube-single-v0", 1_100)],
)
def test_the_number_of_processes_does_not_matter(generator: Generator, env_id: str, rows: int) -> None:
    one, two = (collect(generator, env_id, rows, (5, 0), processes=count) for count in (1, 2))
    for field, array in one.items():
        np.testing.assert_array_equal(array, two[field], err_msg=field)


def test_a_larger_dataset_starts_with_a_smaller_one() -> None:
    small, large = (OGBenchTask(MAZE).generate(rows, 0) for rows in (1_000, 1_500))
    np.testing.assert_array_equal(large.actions[:1_000], small.actions)


def test_recorded_steps_are_those_of_the_public_environment() -> None:
    data = OGBenchTask(MAZE).generate(1_000, 3)
    env = gymnasium.make("pointmaze-medium-v0").unwrapped
    env.reset(seed=0)
    for row in range(0, len(data), 20):
        env.set_xy(data.observations[row])
        after = env.step(data.actions[row])[0]
        np.testing.assert_allclose(after, data.next_observations[row], atol=1e-4)  # float32; solver warm start


def test_the_oracles_reach_their_goals(made: tuple[str, Path]) -> None:
    name, folder = made
    arrays = read_arrays(OGBenchTask(name).files(folder)["train"])
    if name == MAZE:
        env = make_env("pointmaze-medium-v0")
        visited = {env.xy_to_ij(position) for position in arrays["qpos"]}
        assert len(visited) >= 0.9 * (env.maze_map == 0).sum()
    else:
        assert 0.1 < (arrays["qpos"][:, 16] > 0.06).mean() < 0.6  # the cube's height above the table, when carried
        assert arrays["actions"].std(0).min() > 0.1


@pytest.mark.parametrize("maze", ["medium", "large", "giant", "teleport"])
def test_paths_are_those_of_the_packaged_oracle(maze: str) -> None:
    env = make_env(f"pointmaze-{maze}-v0")
    for (start, goal), step in pointmaze.next_cells(env.maze_map).items():
        expected, _ = env.get_oracle_subgoal(env.ij_to_xy(start), env.ij_to_xy(goal))
        assert tuple(expected) == env.ij_to_xy(step), (start, goal)


def test_other_mazes_and_cubes_are_generated_too() -> None:
    for name, rows in (("pointmaze-teleport-navigate-singletask-task2", 300), ("cube-double-play-singletask", 120)):
        data = OGBenchTask(name).generate(rows, 0)
        assert len(data) == rows
        assert data.observation_dim == OGBenchTask(name).info.observation_dim


@pytest.mark.parametrize(
    "name",
    [
        "cube-single-noisy", "cube-double-noisy", "cube-triple-play",
        "scene-play", "scene-noisy", "puzzle-3x3-noisy", "puzzle-4x4-play",
    ],
)  # fmt: skip
def test_the_arm_and_its_oracles(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OGBench itself reads the files and computes the same rewards."""
    task = OGBenchTask(f"{name}-singletask")
    save_generated(task, tmp_path, 60, 1)
    monkeypatch.setattr(ogbench.utils, "download_datasets", lambda names, folder: None)  # never the network
    theirs, _ = ogbench.make_env_and_datasets(
        f"{name}-singletask-v0", dataset_dir=str(tmp_path), dataset_only=True, cur_env=make_env(task.names.env)
    )
    ours = task.load(tmp_path)
    for field in ("observations", "actions", "rewards", "masks", "next_observations"):
        np.testing.assert_array_equal(getattr(ours, field), theirs[field], err_msg=field)
    assert np.abs(ours.actions).max() <= 1.0


def test_the_noise_of_a_closed_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without noise and random actions "noisy" is its oracle; with noise every action is, most of all the gripper's."""
    monkeypatch.setattr(manipulation, "RANDOM", 0.0)
    noisy = manipulation.episode("noisy", "cube-single-v0", 80, (0, 0, 0))["actions"]
    monkeypatch.setattr(manipulation, "NOISE", 0.0)
    quiet = manipulation.episode("noisy", "cube-single-v0", 80, (0, 0, 0))["actions"]
    assert np.abs(np.diff(quiet[:, 4])).max() == 2.0  # opened and closed, nothing between
    assert set(np.unique(quiet[:, 4])) <= {-1.0, 1.0}
    inside = np.abs(noisy[:, 4]) < 1.0
    assert inside.mean() > 0.2
    monkeypatch.setattr(manipulation, "RANDOM", 1.0)
    free = manipulation.episode("noisy", "cube-single-v0", 80, (0, 0, 0))["actions"]
    assert abs(free.mean()) < 0.15
    assert 0.5 < free.std() < 0.65  # uniform on [-1, 1]


def test_a_scene_whose_cube_is_out_of_sight_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = manipulation.episode("play", "scene-v0", 10, (0, 0, 0))
    seen = iter((False, False, True))
    monkeypatch.setattr(manipulation, "_is_seen", lambda qpos: next(seen))
    again = manipulation.episode("play", "scene-v0", 10, (0, 0, 0))
    assert next(seen, None) is None
    assert not np.array_equal(usual["observations"], again["observations"])
    monkeypatch.undo()
    qpos = np.zeros((3, 20))
    qpos[:, 15], qpos[:, 16] = 0.1, 0.02
    assert manipulation._is_seen(qpos)
    qpos[1, 15] = 0.3
    assert not manipulation._is_seen(qpos)
    qpos[1, 15] = -0.35  # to the left, on the table
    assert not manipulation._is_seen(qpos)
    qpos[1, 16] = 0.07  # in the drawer
    assert manipulation._is_seen(qpos)


@pytest.mark.parametrize("maze", ["medium", "large", "teleport"])
def test_trajectories_to_stitch_are_short_and_go_four_cells(maze: str) -> None:
    env = make_env(f"pointmaze-{maze}-v0")
    table = pointmaze.next_cells(env.maze_map)
    for start in {start for start, _ in table}:
        for goal in pointmaze._at_distance(table, start, 4):
            at, steps = start, 0
            while at != goal:
                at, steps = table[at, goal], steps + 1
            assert steps == 4
    data = OGBenchTask(f"pointmaze-{maze}-stitch-singletask").generate(1_000, 0)
    ends = np.flatnonzero(data.ends)
    assert set(np.diff(ends)) <= {200} or bool((data.masks[ends] == 0).any())
    reach = [np.ptp(part, axis=0).max() for part in np.split(data.observations, 5)]
    assert max(reach) < 4 * env._maze_unit + 6 or maze == "teleport"


@pytest.mark.parametrize("name", ["pointmaze-medium-stitch", "cube-single-play"])
def test_what_was_stopped_goes_on(name: str, tmp_path: Path) -> None:
    """Bit for bit as if it had not been stopped; nothing that is kept is made again, and nothing stays behind."""
    task = OGBenchTask(f"{name}-singletask")
    rows = 700 if name.startswith("point") else 40

    class Stopped(KeyboardInterrupt):
        pass

    def stop(done: int, total: int) -> None:
        if done >= min(400, rows):
            raise Stopped

    with pytest.raises(Stopped):
        save_generated(task, tmp_path / "a", rows, 5, stop)
    (kept,) = (tmp_path / "a").iterdir()
    before = {path: path.stat().st_mtime_ns for path in kept.rglob("*.npz")}
    assert before
    seen: list[int] = []
    save_generated(task, tmp_path / "a", rows, 5, lambda done, total: seen.append(done))
    save_generated(task, tmp_path / "b", rows, 5, processes=1)
    for one, two in zip(*(sorted((tmp_path / part).iterdir()) for part in "ab"), strict=True):
        assert (one.name, one.read_bytes()) == (two.name, two.read_bytes())


def test_tick_and_sizes_are_checked() -> None:
    seen: list[tuple[int, int]] = []
    OGBenchTask(MAZE).generate(1_200, 0, tick=lambda done, total: seen.append((done, total)))
    assert seen == [(1_000, 1_200), (1_200, 1_200)]
    for rows, seed in ((0, 0), (-5, 0), (10, -1)):
        with pytest.raises(ValueError, match=f"got rows={rows}, seed={seed}"):
            OGBenchTask(MAZE).generate(rows, seed)


def test_global_random_state_is_given_back(made: tuple[str, Path]) -> None:
    task = OGBenchTask(made[0])
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    task.generate(50, 0)
    task.load(made[1])
    env = task.environments(2, 0)
    env.reset()
    env.step(np.zeros((2, task.info.action_dim), dtype=np.float32), np.ones(2, dtype=bool))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_data_that_are_not_generated_here_say_how_to_get_them(tmp_path: Path) -> None:
    task = OGBenchTask("antmaze-medium-navigate-singletask")
    with pytest.raises(
        ValueError, match=r"walk with policies that OGBench trained.* pointmaze-\*-stitch.*\.download\(FOLDER\)"
    ):
        task.generate(None, 0)
    with pytest.raises(ValueError, match="download"):
        save_generated(task, tmp_path / "new", None, 0)
    with pytest.raises(DataFileError, match=r"antmaze-medium-navigate-v0\.npz: no such file; download it"):
        task.load(tmp_path)
    with pytest.raises(
        DataFileError, match=r"generate it: workbench generate ogbench/pointmaze.* --out .*; or download"
    ):
        load_saved(OGBenchTask(MAZE), tmp_path)


def test_a_failed_download_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(url: str) -> None:
        (tmp_path / "pointmaze-medium-navigate-v0.npz.tmp").write_bytes(b"half")
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(ConnectionError, match=r"pointmaze-medium-navigate-v0: the download from https://.* failed"):
        OGBenchTask(MAZE).download(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_data_of_another_environment_are_refused(made: tuple[str, Path], tmp_path: Path) -> None:
    name, folder = made
    other = OGBenchTask({MAZE: "cube-double-play-singletask", CUBE: "cube-double-play-singletask"}[name])
    shutil.copy(OGBenchTask(name).files(folder)["train"], other.files(tmp_path)["train"])
    with pytest.raises(DataFileError, match=r"'observations' has shape .* needs 37 columns; .* another environment"):
        other.load(tmp_path)


def test_data_without_the_simulators_state_are_refused(made: tuple[str, Path], tmp_path: Path) -> None:
    task = OGBenchTask(made[0])
    arrays = read_arrays(task.files(made[1])["train"])
    del arrays["qpos"]
    write_arrays(task.files(tmp_path)["train"], arrays)
    with pytest.raises(DataFileError, match="lacks 'qpos', from which the rewards"):
        task.load(tmp_path)


def test_relabelled_data_in_the_plain_form_load_too(made: tuple[str, Path], tmp_path: Path) -> None:
    task = OGBenchTask(made[0])
    data = task.load(made[1])
    save_dataset(task.files(tmp_path)["train"], data)
    assert task.load(tmp_path).fingerprint() == data.fingerprint()


def test_a_failure_between_the_two_files_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
        if path.stem.endswith("-val"):
            raise OSError(28, "disk full")
        write_arrays(path, arrays)

    monkeypatch.setattr("workbench.engine.tasks.ogbench.write_arrays", write)
    with pytest.raises(OSError, match="disk full"):
        save_generated(OGBenchTask(MAZE), tmp_path, 50, 0)
    assert list(tmp_path.iterdir()) == []


def test_tasks_without_files_of_their_own_are_saved_in_the_plain_form(tmp_path: Path) -> None:
    task = make_task("bandit1d")
    (path,) = save_generated(task, tmp_path, 500, 0)
    assert path.name == "bandit1d.npz"
    assert load_saved(task, tmp_path).fingerprint() == task.generate(500, 0).fingerprint()
    with pytest.raises(DatasetExistsError):
        save_generated(task, tmp_path, 500, 0)
