"""Goals of rows on disk: the same goals, minibatches, moments and fingerprint as in memory, in bounded memory."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine.data.shard_files import walk, write

from workbench.engine.data import hindsight
from workbench.engine.data.footprint import Footprint, Keep
from workbench.engine.data.goals import GoalTransitions
from workbench.engine.data.hindsight import MappedGoals, with_goals
from workbench.engine.data.npz import load_dataset
from workbench.engine.data.replay import Beside
from workbench.engine.data.replay_mapped import MappedReplay, make_replay
from workbench.engine.data.shards import read_shards
from workbench.engine.data.transitions import Transitions
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import load_saved
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.words import UserError

ROWS = 700
DISCOUNT = 0.9


@pytest.fixture(autouse=True)
def _small_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trajectories go over the ends of blocks."""
    monkeypatch.setenv("WORKBENCH_ROWS", str(tmp_path / "rows"))
    for module in ("goals", "hindsight", "transitions"):
        monkeypatch.setattr(f"workbench.engine.data.{module}.BLOCK", 64)


def plain(tmp_path: Path, where: str) -> Transitions:
    if not (tmp_path / "data").exists():
        write(tmp_path / "data", walk(ROWS), (37, 150, 151, 480))
    return load_saved(make_task("gym/Pendulum-v1"), tmp_path / "data", keep=Keep(where))  # type: ignore[arg-type]


def both(tmp_path: Path, seed: int = 0) -> tuple[GoalTransitions, MappedGoals]:
    memory, disk = (with_goals(plain(tmp_path, where), DISCOUNT, seed) for where in ("memory", "disk"))
    assert isinstance(disk, MappedGoals)
    assert not isinstance(memory, MappedGoals)
    return memory, disk


@pytest.mark.parametrize("seed", [0, 3])
def test_the_same_goals(tmp_path: Path, seed: int) -> None:
    memory, disk = both(tmp_path, seed)
    for name in ("observations", "actions", "rewards", "masks", "next_observations", "ends", "goal_rows"):
        ours, theirs = getattr(memory, name), getattr(disk, name)
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), name
        assert np.array_equal(ours, np.asarray(theirs)), name
        rows = np.array([5, 650, 5])
        assert np.array_equal(ours[rows], theirs[rows]), name
    assert np.array_equal(memory.observations[3:9, 3:], disk.observations[3:9, 3:])
    assert memory.fingerprint() == disk.fingerprint()
    assert torch.equal(memory.sample_states(3), disk.sample_states(3))
    for ours, theirs in zip(memory.moments(), disk.moments(), strict=True):
        assert np.array_equal(ours, theirs)
    rows = np.arange(ROWS)
    last = np.flatnonzero(memory.ends)
    assert np.array_equal(disk.final(rows), memory.final(rows))
    assert np.array_equal(disk.final(rows), [last[last >= row][0] for row in rows])


def test_goals_in_blocks_are_those_that_were_drawn_at_once(tmp_path: Path) -> None:
    """What trainings before were given: their runs must go on with the same data."""
    data, here = plain(tmp_path, "memory"), np.arange(ROWS)
    rng = np.random.default_rng(4)
    last = np.flatnonzero(data.ends)
    later = np.minimum(here + rng.geometric(1.0 - DISCOUNT, ROWS), last[np.searchsorted(last, here)])
    kind = rng.choice(3, ROWS, p=(0.2, 0.5, 0.3))
    wanted = np.choose(kind, (here, later, rng.integers(0, ROWS, ROWS)))
    assert np.array_equal(with_goals(data, DISCOUNT, 4).goal_rows, wanted)


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize(("chunk", "steps"), [(1, 1), (5, 2), (2, 50), (1, ROWS + 5)])
def test_every_minibatch_at_every_border(tmp_path: Path, chunk: int, steps: int, noisy: bool) -> None:
    batches = []
    for data in both(tmp_path):
        replay = make_replay(
            data, torch.zeros(6), torch.ones(6), steps=steps, chunk=chunk, discount=0.9, reward_scale=2.0,
            device=torch.device("cpu"), beside=Beside(next_actions=chunk == 1),
        )  # fmt: skip
        index = torch.arange(ROWS).flip(0).repeat(2)
        noise = replay.noise(len(index), torch.Generator().manual_seed(5)) if noisy else None
        batches.append(replay.batch(index, noise))
    assert noisy == (not torch.equal(batches[0].observations[:ROWS], batches[0].observations[ROWS:]))
    for name, ours, theirs in zip(batches[0]._fields, *batches, strict=True):
        assert (ours is None) == (theirs is None)
        assert ours is None or torch.equal(ours.nan_to_num(7.0), theirs.nan_to_num(7.0)), name


@pytest.mark.parametrize(
    "options",
    [{"critic": "iql", "n_step": 6}, {"critic": "iql", "chunk": 4}, {"critic": "td_vgf", "reference_steps": 8}],
    ids=str,
)
def test_the_same_training(tmp_path: Path, options: dict[str, Any]) -> None:
    weights = []
    for data in both(tmp_path):
        trainer = Trainer(data, make_config(steps=12, hidden=(16, 16), batch_size=32, **options))
        for _ in fit(trainer):
            pass
        weights.append({name: theta.detach().clone() for name, theta in trainer.weights.items()})
    for name, theta in weights[0].items():
        assert torch.equal(theta, weights[1][name]), name


def test_rows_that_are_appended_keep_their_goals(tmp_path: Path) -> None:
    drawn = []
    for data in both(tmp_path):
        replay = make_replay(
            data, torch.zeros(6), torch.ones(6), steps=2, chunk=3, discount=0.9, reward_scale=1.0,
            device=torch.device("cpu"),
        )  # fmt: skip
        replay.make_room(80)
        for first in (0, 37, 74):  # the third goes round the end of the ring
            names = ("observations", "actions", "rewards", "masks", "next_observations", "ends")
            replay.append(Transitions(**{name: getattr(data, name)[first : first + 37].copy() for name in names}))
        index = torch.arange(len(replay))
        batch = replay.batch(index, replay.noise(len(index), torch.Generator().manual_seed(5)))
        drawn.append([array for array in batch if array is not None])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*drawn, strict=True))


def test_goals_are_written_once_and_again_when_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, _ = both(tmp_path)[1], None
    file = disk.folder / "rows.npy"
    written = file.stat().st_mtime_ns
    assert with_goals(plain(tmp_path, "disk"), DISCOUNT).fingerprint() == disk.fingerprint()
    assert file.stat().st_mtime_ns == written
    file.write_bytes(file.read_bytes()[:-16])
    assert both(tmp_path)[1].fingerprint() == disk.fingerprint()
    assert with_goals(plain(tmp_path, "disk"), DISCOUNT, 9).fingerprint() != disk.fingerprint()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hindsight, "write_about", full)
    before = sorted(path.name for path in disk.folder.parent.iterdir())
    with pytest.raises((UserError, OSError), match="space"):
        with_goals(plain(tmp_path, "disk"), 0.5)
    assert sorted(path.name for path in disk.folder.parent.iterdir()) == before


def test_memory_is_bounded_by_a_shard(tmp_path: Path) -> None:
    rows, shards, width = 60_000, 30, 10
    paths = write(tmp_path / "data", walk(rows, width), [rows // shards * i for i in range(1, shards)], packed=False)
    found = Footprint(rows, width, 1, rows // shards, goals=True)
    most = {}
    for where in ("memory", "disk"):
        tracemalloc.start()
        data = with_goals(
            read_shards(
                paths, lambda path: load_dataset(path, out_of_bounds="clip"), called="c", keep=Keep(where), goals=True
            ),
            DISCOUNT,
        )
        most[where] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most["disk"] < found.mapped < most["memory"] / 2
    assert most["memory"] < found.in_memory
    replay = make_replay(
        data, torch.zeros(2 * width), torch.ones(2 * width), steps=5, discount=0.9, reward_scale=1.0,
        device=torch.device("cpu"),
    )  # fmt: skip
    assert isinstance(replay, MappedReplay)
    tracemalloc.start()
    for _ in range(20):
        index = torch.randint(0, rows, (64,))
        replay.batch(index, replay.noise(64, torch.Generator().manual_seed(1)))
    assert tracemalloc.get_traced_memory()[1] < 64 * 6 * found.row * 16
    tracemalloc.stop()
