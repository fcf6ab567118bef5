"""OGBench's unusual files: shards, goal-conditioned ones, pictures; written by NumPy's own writer, as OGBench does."""

import re
from pathlib import Path

import numpy as np
import pytest
from engine.data.shard_files import walk, write

from workbench.engine.data.columns import DataFileError
from workbench.engine.data.describe import describe
from workbench.engine.data.footprint import Footprint
from workbench.engine.data.formats.found import ColumnNames
from workbench.engine.data.own_datasets import converted
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import load_saved
from workbench.engine.words import UserError

PICTURE = (64, 64, 3)


def compact(rows: int = 33, episode: int = 11) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "observations": rng.normal(size=(rows, 2)).astype(np.float32),
        "actions": rng.uniform(-1, 1, (rows, 2)).astype(np.float32),
        "terminals": np.arange(rows) % episode == episode - 1,
    }


def test_shards_say_their_memory_and_how_episodes_go_on(tmp_path: Path) -> None:
    write(tmp_path / "data", walk(300), (50, 51, 200))
    write(tmp_path / "whole", walk(300), ())
    found, whole = describe(tmp_path / "data"), describe(tmp_path / "whole" / "walk-000.npz")
    assert (found.files, found.largest, found.rows) == (4, 149, 300)
    assert found.footprint == Footprint(300, 3, 1, 149)
    counted = ("rows", "episodes", "shortest", "longest", "terminated", "time_limits", "constant", "outside")
    assert all(getattr(found, name) == getattr(whole, name) for name in counted)
    assert "an episode goes on in the next where its rows do" in found.notes[-1]


@pytest.mark.parametrize(
    ("simulator", "words"),
    [
        (True, "Train one task by workbench fit ogbench/pointmaze-medium-navigate-singletask-v0 --data FOLDER, or towards"),
        (False, "OGBench's goal-conditioned file: .* Train towards goals of hindsight by workbench fit "
                "ogbench/pointmaze-medium-navigate-v0 --data FOLDER"),
    ],
)  # fmt: skip
def test_a_goal_conditioned_file_is_recognised(tmp_path: Path, simulator: bool, words: str) -> None:
    arrays = compact() | ({"qpos": np.zeros((33, 2)), "qvel": np.zeros((33, 2))} if simulator else {})
    for name in ("pointmaze-medium-navigate-v0", "pointmaze-medium-navigate-v0-007"):
        np.savez_compressed(tmp_path / f"{name}.npz", **arrays)  # type: ignore[arg-type]
        found = describe(tmp_path / f"{name}.npz")
        assert found.format == "OGBench npz"
        assert (found.rows, found.episodes, found.longest) == (30, 3, 10)
        assert re.search(words, found.notes[0])


@pytest.mark.parametrize("rewards", [False, True])
def test_pictures_are_named_and_never_flattened(tmp_path: Path, rewards: bool) -> None:
    arrays = compact() | {"observations": np.zeros((33, *PICTURE), dtype=np.uint8)}
    if rewards:
        arrays |= {"rewards": np.ones(33), "next_observations": arrays["observations"]}
    path = tmp_path / "visual-cube-single-play-v0.npz"
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    found = describe(path)
    assert found.picture == PICTURE
    assert (found.observation_dim, found.action_dim) == (0, 2)
    assert found.rows == (33 if rewards else 30)
    assert "encode them once with a network of your own" in found.notes[0]
    assert not found.normalised
    with pytest.raises(DataFileError, match=r"observations are pictures.*wb\.adapt\.dict_observations"):
        converted(path, ColumnNames())
    with pytest.raises(DataFileError, match=r"'observations' are pictures of 64 × 64 × 3, .*save what it returns"):
        load_saved(make_task("gym/Pendulum-v1"), path)


def test_pictures_of_ogbench_are_refused_before_they_are_read(tmp_path: Path) -> None:
    pytest.importorskip("ogbench")
    arrays = compact() | {"observations": np.zeros((33, *PICTURE), dtype=np.uint8)}
    for name in ("cube-single-play-v0", "cube-single-play-v0-000"):
        path = tmp_path / f"{name}.npz"
        np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
        for task in ("ogbench/cube-single-play-singletask-v0", "ogbench/cube-single-play-v0"):
            with pytest.raises(DataFileError, match=r"'observations' are pictures of 64 × 64 × 3"):
                load_saved(make_task(task), tmp_path)
        path.unlink()
    with pytest.raises(UserError, match=r"its observations are pictures.* try cube-single-play-singletask-v0"):
        make_task("ogbench/visual-cube-single-play-singletask-v0")
    with pytest.raises(UserError, match=r"its observations are pictures.* try cube-single-play-v0"):
        make_task("ogbench/visual-cube-single-play-v0")
