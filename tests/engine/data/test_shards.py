"""Data in several files: read in the order of their numbers, without validation, in bounded memory, or refused in words."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from workbench.engine.data.npz import DataFileError, load_dataset
from workbench.engine.data.shards import find_shards, read_shards
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import load_saved, save_generated

MAZE = "ogbench/pointmaze-medium-navigate-singletask-v0"


def shard(path: Path, first: float, rows: int = 10, width: int = 3) -> None:
    seen = first + np.arange(rows + 1.0)[:, None] * np.ones(width)
    np.savez(
        path, observations=seen[:-1], next_observations=seen[1:], actions=np.full((rows, 1), 0.5), rewards=seen[:-1, 0],
        terminals=np.zeros(rows),
    )  # fmt: skip


def test_a_folder_of_shards(tmp_path: Path) -> None:
    for number in (2, 10, 0):  # written in another order, and not padded alike
        shard(tmp_path / f"runs-{number}.npz", 100.0 * number)
    shard(tmp_path / "runs-val-000.npz", -1.0)
    shard(tmp_path / "runs-000-val.npz", -1.0)
    (tmp_path / "notes.txt").touch()
    task = make_task("gym/Pendulum-v1")
    with pytest.warns(
        UserWarning, match=r"shards are missing between those that are there: 1, 3 to 9\. .*copy them too"
    ):
        data = load_saved(task, tmp_path)
    assert data.rewards[::10].tolist() == [0.0, 200.0, 1000.0]
    assert np.flatnonzero(data.ends).tolist() == [9, 19, 29]
    assert np.allclose(data.actions, 0.25)
    assert load_saved(task, tmp_path / "runs-10.npz").rewards[0] == 1000.0


def test_shards_that_do_not_fit(tmp_path: Path) -> None:
    task = make_task("gym/Pendulum-v1")
    shard(tmp_path / "a-000.npz", 0.0)
    shard(tmp_path / "b-000.npz", 0.0)
    with pytest.raises(DataFileError, match="holds shards of a, b; put each dataset into a folder of its own"):
        load_saved(task, tmp_path)
    (tmp_path / "b-000.npz").rename(tmp_path / "a-0.npz")
    with pytest.raises(DataFileError, match="shard 0 is there twice"):
        load_saved(task, tmp_path)
    (tmp_path / "a-0.npz").unlink()
    shard(tmp_path / "a-001.npz", 0.0, width=4)
    paths = find_shards(tmp_path)
    with pytest.raises(DataFileError, match=r"a-001\.npz: 'observations' has 4 columns, 3 in a-000\.npz"):
        read_shards(paths, load_dataset)
    with pytest.raises(DataFileError, match=r"a-000\.npz: the shards up to this one are .* put fewer of them"):
        read_shards(paths, load_dataset, max_bytes=100)
    (tmp_path / "a-001.npz").write_bytes(b"no archive")
    with pytest.raises(DataFileError, match=r"a-001\.npz: not a readable npz archive"):
        load_saved(task, tmp_path)


def test_shards_of_ogbench(tmp_path: Path) -> None:
    pytest.importorskip("ogbench")
    task = make_task(MAZE)
    (train, val) = save_generated(task, tmp_path / "whole", 400, 0)
    (tmp_path / "parts").mkdir()
    for number in range(2):
        shutil.copy(train, tmp_path / "parts" / f"{train.stem}-{number:03d}.npz")
    shutil.copy(val, tmp_path / "parts" / f"{train.stem}-000-val.npz")
    whole, parts = load_saved(task, tmp_path / "whole"), load_saved(task, tmp_path / "parts")
    assert np.array_equal(parts.rewards, np.tile(whole.rewards, 2))
    assert np.array_equal(parts.ends, np.tile(whole.ends, 2))
    one = load_saved(task, tmp_path / "parts" / f"{train.stem}-001.npz")
    assert one.fingerprint() == whole.fingerprint()
    with pytest.raises(DataFileError, match=r"no such file; .*Its shards, pointmaze-medium-navigate-v0-000\.npz"):
        load_saved(task, tmp_path)
