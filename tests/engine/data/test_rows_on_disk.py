"""Rows on disk: the same rows, minibatches, weights and fingerprint as in memory, in bounded memory."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine.data.shard_files import walk, write
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engine.data import footprint as footprints
from workbench.engine.data.chunks import chunk_reach
from workbench.engine.data.footprint import Footprint, Keep
from workbench.engine.data.mapped import MappedTransitions
from workbench.engine.data.npz import load_dataset
from workbench.engine.data.replay import Beside
from workbench.engine.data.replay_mapped import MappedReplay, make_replay
from workbench.engine.data.shards import read_shards
from workbench.engine.data.transitions import Transitions, moments, n_step
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import load_saved
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.checkpoint import load_run, resume, save_checkpoint
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer

ROWS = 700
CUTS = (37, 150, 151, 480)  # after an episode, in the middle of two, and a shard of one row


@pytest.fixture(autouse=True)
def _rows_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_ROWS", str(tmp_path / "rows"))


def both(tmp_path: Path, **options: Any) -> tuple[Transitions, MappedTransitions]:
    write(tmp_path / "data", walk(ROWS, **options), CUTS)
    task = make_task("gym/Pendulum-v1")
    memory, disk = (load_saved(task, tmp_path / "data", keep=Keep(where)) for where in ("memory", "disk"))
    assert isinstance(disk, MappedTransitions)
    return memory, disk


def test_the_same_rows(tmp_path: Path) -> None:
    memory, disk = both(tmp_path)
    for name in ("observations", "actions", "rewards", "masks", "next_observations", "ends"):
        ours, theirs = getattr(memory, name), getattr(disk, name)
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs), name
        with pytest.raises(ValueError, match="read-only"):
            theirs[0] = 0
    assert memory.fingerprint() == disk.fingerprint() == Transitions.fingerprint(disk)
    assert torch.equal(memory.sample_states(3), disk.sample_states(3))
    for ours, theirs in zip(memory.moments(), disk.moments(), strict=True):
        assert np.array_equal(ours, theirs)
    write(tmp_path / "whole", walk(ROWS), ())  # an episode goes on over a shard's end, so that cuts change nothing
    assert load_saved(make_task("gym/Pendulum-v1"), tmp_path / "whole").fingerprint() == disk.fingerprint()
    records = np.load(disk.folder / "rows.npy", mmap_mode="r", allow_pickle=False)  # NumPy reads the file, too
    assert np.array_equal(records["actions"], memory.actions)


@settings(max_examples=20)
@given(st.integers(1, 100), st.integers(2, 5))
def test_moments_have_the_bits_of_numpy(rows: int, width: int) -> None:
    seen = np.random.default_rng(rows).normal(3.0, 2.0, (rows * 401, width)).astype(np.float32)
    mean, std = moments(seen)
    assert np.array_equal(mean, seen.mean(0, dtype=np.float64))
    assert np.array_equal(std, seen.std(0, dtype=np.float64))


@pytest.mark.parametrize(
    "options",
    [
        {"critic": "iql", "n_step": 6},
        {"critic": "iql", "chunk": 4},
        {"critic": "iql", "chunk": 3, "n_step": 9},
        {"critic": "td_vgf", "reference_steps": 8, "particles": 4},
        {"critic": "td_actor", "critic_penalty": 0.1, "actor": "rebrac"},
    ],
    ids=str,
)
def test_the_same_training(tmp_path: Path, options: dict[str, Any]) -> None:
    weights = []
    for data in both(tmp_path):
        trainer = Trainer(data, make_config(steps=16, hidden=(16, 16), batch_size=32, **options))
        for _ in fit(trainer):
            pass
        weights.append({name: theta.detach().clone() for name, theta in trainer.weights.items()})
        assert isinstance(trainer.replay, MappedReplay) == isinstance(data, MappedTransitions)
    for name, theta in weights[0].items():
        assert torch.equal(theta, weights[1][name]), name


def test_every_minibatch_at_every_border(tmp_path: Path) -> None:
    for chunk, steps in ((1, 1), (5, 2), (2, 50), (1, ROWS + 5)):
        batches = [
            make_replay(
                data, torch.zeros(3), torch.ones(3), steps=steps, chunk=chunk, discount=0.9, reward_scale=2.0,
                device=torch.device("cpu"), beside=Beside(next_actions=chunk == 1),
            ).batch(torch.arange(ROWS).flip(0))
            for data in both(tmp_path)
        ]  # fmt: skip
        for name, ours, theirs in zip(batches[0]._fields, *batches, strict=True):
            assert (ours is None) == (theirs is None)
            assert ours is None or torch.equal(ours.nan_to_num(7.0), theirs.nan_to_num(7.0)), name


def test_rows_that_are_appended(tmp_path: Path) -> None:
    """An online run's ring behind rows on disk gives what it gives behind rows in memory."""
    drawn = []
    for data in both(tmp_path):
        replay = make_replay(
            data,
            torch.zeros(3),
            torch.ones(3),
            steps=2,
            chunk=3,
            discount=0.9,
            reward_scale=1.0,
            device=torch.device("cpu"),
        )
        replay.make_room(80)
        for first in (0, 37, 74):  # the third goes round the end of the ring
            episode = {name: array[first : first + 37].copy() for name, array in columns(data).items()}
            replay.append(Transitions(**episode))
        batch = replay.batch(torch.arange(len(replay)))
        drawn.append([array for array in batch if array is not None])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*drawn, strict=True))


def columns(data: Transitions) -> dict[str, np.ndarray]:
    names = ("observations", "actions", "rewards", "masks", "next_observations", "ends")
    return {name: getattr(data, name) for name in names}


def test_a_run_goes_on_wherever_its_rows_lie(tmp_path: Path) -> None:
    memory, disk = both(tmp_path)
    config = make_config(steps=12, hidden=(16, 16), batch_size=32)
    whole = Trainer(memory, config)
    half = Trainer(disk, config)
    for _ in range(5):
        half.step()
    (tmp_path / "run").mkdir()
    save_checkpoint(half, tmp_path / "run", "gym/Pendulum-v1")
    again = resume(load_run(tmp_path / "run"), memory)
    for trainer in (whole, again):
        for _ in fit(trainer):
            pass
    for name, theta in whole.weights.items():
        assert torch.equal(theta, again.weights[name]), name


def test_returns_and_chunks_of_some_rows(tmp_path: Path) -> None:
    memory, _ = both(tmp_path)
    rows = np.random.default_rng(0).integers(0, ROWS, 200)
    for part, whole in zip(n_step(memory, 7, 0.9, rows), n_step(memory, 7, 0.9), strict=True):
        assert np.array_equal(part, whole[rows])
    for part, whole in zip(chunk_reach(memory, 5, rows), chunk_reach(memory, 5), strict=True):
        assert np.array_equal(part, whole[rows])


def test_memory_is_bounded_by_a_shard(tmp_path: Path) -> None:
    """Counted by tracemalloc, which sees what NumPy takes: one shard while unpacking, a minibatch afterwards."""
    rows, shards, width = 100_000, 50, 20
    cuts = [rows // shards * i for i in range(1, shards)]
    paths = write(tmp_path / "data", walk(rows, width), cuts, packed=False)
    read = partial(load_dataset, out_of_bounds="clip")
    found = Footprint(rows, width, 1, rows // shards)
    most, data = {}, None
    for where in ("memory", "disk"):
        with traced() as peak:
            data = read_shards(paths, read, called="clipped", keep=Keep(where))  # type: ignore[arg-type]
        most[where] = peak[0]
    assert data is not None
    assert most["disk"] < found.mapped < most["memory"] / 2
    assert rows * 4 * (2 * width + 3) < most["memory"] < found.in_memory
    replay = make_replay(
        data, torch.zeros(width), torch.ones(width), steps=5, discount=0.9, reward_scale=1.0, device=torch.device("cpu")
    )
    assert isinstance(replay, MappedReplay)
    before = replay.rows_read
    with traced() as peak:
        for _ in range(20):
            replay.batch(torch.randint(0, rows, (64,)))
    assert replay.rows_read - before == 20 * 64 * 6  # of each row, five rewards and the action after them
    assert peak[0] < 64 * 6 * found.row * 8


def test_what_does_not_fit_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, told = write(tmp_path / "data", walk(ROWS), CUTS), []
    task, keep = make_task("gym/Pendulum-v1"), Keep("auto", lambda words: told.append(words))
    assert type(load_saved(task, tmp_path / "data", keep=keep)) is Transitions
    monkeypatch.setattr(footprints, "free_memory", lambda: 2 * Footprint(ROWS, 3, 1, 1).in_memory - 1)
    assert isinstance(load_saved(task, tmp_path / "data", keep=keep), MappedTransitions)
    assert isinstance(load_saved(task, tmp_path / "data"), MappedTransitions)  # what a page or a sweep does
    assert type(load_saved(task, paths[1], keep=keep)) is Transitions  # one file is read whole in any case
    assert "700 rows in 5 files, kept in memory: about" in told[0]
    assert "700 rows in 5 files, kept on disk: about" in told[1]
    assert told[2].startswith("unpacking 700 rows of 5 shards to disk")
    assert isinstance(load_saved(task, paths[1], keep=Keep("disk")), MappedTransitions)


@contextmanager
def traced() -> Iterator[list[int]]:
    """The most bytes that were allocated in the block, in a list of one."""
    peak = [0]
    tracemalloc.start()
    try:
        yield peak
        peak[0] = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
