"""Minibatches with chunks of two lengths: each is what a replay of its own length gives, in memory and on disk."""

from pathlib import Path
from typing import Any

import pytest
import torch
from engine.data.shard_files import walk, write

from workbench.engine.data.footprint import Keep
from workbench.engine.data.hindsight import with_goals
from workbench.engine.data.replay import Beside, Replay
from workbench.engine.data.replay_mapped import make_replay
from workbench.engine.data.transitions import Transitions
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import load_saved

ROWS = 400


@pytest.fixture(params=["memory", "disk"])
def data(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Transitions:
    monkeypatch.setenv("WORKBENCH_ROWS", str(tmp_path / "rows"))
    write(tmp_path / "data", walk(ROWS), (37, 150))
    return load_saved(make_task("gym/Pendulum-v1"), tmp_path / "data", keep=Keep(request.param))


def replay_of(data: Transitions, **settings: Any) -> Replay:
    size = data.observation_dim
    fixed: dict[str, Any] = {"steps": 1, "discount": 0.9, "reward_scale": 2.0, "device": torch.device("cpu")}
    return make_replay(data, torch.zeros(size), torch.ones(size), **fixed | settings)


@pytest.mark.parametrize("goals", [False, True])
@pytest.mark.parametrize("short", [1, 3])
def test_each_length_is_as_it_would_be_alone(data: Transitions, goals: bool, short: int) -> None:
    data = with_goals(data, 0.9) if goals else data
    both, long = replay_of(data, chunk=short, beside=Beside(long_chunk=7)), replay_of(data, chunk=7)
    alone = replay_of(data, chunk=short, steps=7)
    for replay in (both, long, alone):
        replay.make_room(60)
        for first in (0, 37):  # the second goes round the end of the ring
            names = ("observations", "actions", "rewards", "masks", "next_observations", "ends")
            replay.append(Transitions(**{name: getattr(data, name)[first : first + 37].copy() for name in names}))
    index = torch.arange(len(both)).flip(0)
    noise = both.noise(len(index), torch.Generator().manual_seed(3))
    found, of_long, of_short = (replay.batch(index, noise) for replay in (both, long, alone))
    assert torch.equal(found.long_actions, of_long.actions)
    assert torch.equal(found.long_valid, of_long.valid)
    for name in ("rewards", "discounts", "next_observations", "observations"):
        assert torch.equal(getattr(found, name), getattr(of_long, name)), name
    assert torch.equal(found.actions, of_short.actions)
    assert torch.equal(found.long_actions[:, :short], found.actions)
    assert (found.valid is None) == (short == 1)
    assert short == 1 or torch.equal(found.valid, of_short.valid)
    assert not bool(found.long_valid.all())


def test_no_long_chunks_where_the_policy_s_are_as_long(data: Transitions) -> None:
    batch = replay_of(data, chunk=3, beside=Beside(long_chunk=3)).batch(torch.arange(20))
    assert batch.long_actions is None
    assert batch.actions.shape == (20, 3)
