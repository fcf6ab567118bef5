"""A replay that grows: the ring, sampling of new and old rows, chunks that go round its end."""

import numpy as np
import pytest
import torch
from engine.small_runs import small_config, small_data
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.data.replay import Replay
from workbench.engine.data.transitions import Transitions
from workbench.engine.online.recent import Recent
from workbench.engine.training.loop.trainer import Trainer


def replay_of(data: Transitions, chunk: int = 1, steps: int = 3) -> Replay:
    mean, std = torch.zeros(3), torch.ones(3)
    return Replay(data, mean, std, steps=steps, discount=0.9, reward_scale=2.0, device=torch.device("cpu"), chunk=chunk)


@given(st.lists(st.integers(1, 25), min_size=1, max_size=6), st.integers(1, 40), st.integers(1, 4))
def test_the_newest_rows_are_there_as_a_replay_of_their_own_has_them(sizes: list[int], room: int, chunk: int) -> None:
    """Against a replay that is made of all pieces at once, row by row, whatever was replaced."""
    fixed = small_data(30)
    pieces = [small_data(size, seed=seed, masks=np.zeros(size)) for seed, size in enumerate(sizes, 1)]
    replay, recent = replay_of(fixed, chunk), Recent(room)
    before = replay.batch(torch.arange(30))
    replay.make_room(room)
    for piece in pieces:
        places = replay.append(piece)
        assert len(places) == min(len(piece), room)
        recent.add(piece, None)
    total = sum(sizes)
    assert (replay.appended, recent.added, replay.kept) == (total, total, min(total, room))
    assert len(replay) == 30 + min(total, room)
    whole = replay_of(Transitions(**{
        name: np.concatenate([getattr(piece, name) for piece in pieces])
        for name in ("observations", "actions", "rewards", "masks", "next_observations", "ends")
    }), chunk)  # fmt: skip
    newest = torch.arange(total - replay.kept, total)
    found, wanted = replay.batch(30 + newest % room), whole.batch(newest)
    for name in ("observations", "actions", "rewards", "discounts", "next_observations", "valid"):
        one, other = getattr(found, name), getattr(wanted, name)
        assert one is other is None or torch.equal(one, other), name
    after = replay.batch(torch.arange(30))  # the offline rows stay
    assert all(torch.equal(a, b) for a, b in zip(before[:5], after[:5], strict=True))
    kept = recent.latest()
    assert kept.before == total - replay.kept
    again = replay_of(fixed, chunk)
    again.make_room(room)
    again.appended = kept.before
    again.append(kept.data)
    assert torch.equal(again._matrix[30 : 30 + replay.kept], replay._matrix[30 : 30 + replay.kept])


def test_shares_of_a_minibatch() -> None:
    replay, generator = replay_of(small_data(40)), torch.Generator().manual_seed(0)
    replay.make_room(100)
    assert (replay.draw(64, generator, 0.5) < 40).all()  # nothing is new yet
    replay.append(small_data(10, seed=1))
    for share in (0.0, 0.25, 0.5, 1.0):
        index = replay.draw(64, generator, share)
        assert int((index >= 40).sum()) == round(64 * share)
        assert int(index.max()) < 50
    uniform = replay.draw(5000, generator)
    # 1 row in 5 is new; the standard error of the share is 0.0057
    assert float((uniform >= 40).float().mean()) == pytest.approx(0.2, abs=4 * 0.0057)


def test_a_trainer_without_new_rows_draws_as_before() -> None:
    """`draw` without a share takes the same random numbers as ever: a run's minibatches did not change."""
    trainer = Trainer(small_data(), small_config())
    index = trainer.replay.draw(16, torch.Generator().manual_seed(7))
    assert torch.equal(index, torch.randint(0, 60, (16,), generator=torch.Generator().manual_seed(7)))


def test_samples_are_cached_for_new_rows() -> None:
    config = small_config(critic="td_vgf", reference_steps=2, steps=2, particles=3, flow_steps=2)
    trainer = Trainer(small_data(), config)
    while not trainer.finished:
        trainer.step()
    trainer.make_room(15)
    first, second = trainer.append(small_data(10, seed=1)), trainer.append(small_data(10, seed=2))
    assert first is not None
    assert second is not None
    cache = trainer._scene.cache
    assert cache is not None
    assert cache.shape == (75, 3, 2)
    assert torch.equal(cache[60 + torch.arange(10, 20) % 15], second)
    assert torch.equal(cache[65:70], first[5:])
    assert (cache.abs() <= 1.0).all()
    assert not torch.equal(first, second)
    given = trainer.append(small_data(10, seed=3), first)
    assert given is first
