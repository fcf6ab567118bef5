"""Action chunks: every number of a hand-made dataset, chunk = 1 against the path without chunks, and returns."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from engine.small_runs import small_config, small_data
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.data.chunks import check_chunk, chunk_reach, chunk_rows
from workbench.engine.data.replay import Replay
from workbench.engine.data.transitions import Batch, Transitions, make_transitions, n_step
from workbench.engine.training.loop.trainer import Trainer

GAMMA = 0.5


def two_episodes() -> Transitions:
    """Rows 0 to 3 end by termination, rows 4 to 6 by the time limit; D = 1, S = 1, h = 3 below."""
    return make_transitions(
        observations=np.array([[0.0], [1], [2], [3], [10], [11], [12]]),
        actions=np.array([[0.0], [0.1], [0.2], [0.3], [-0.4], [-0.5], [-0.6]]),
        rewards=np.array([1.0, 2, 4, 8, 16, 32, 64]),
        masks=np.array([1.0, 1, 1, 0, 1, 1, 1]),
        next_observations=np.array([[1.0], [2], [3], [4], [11], [12], [13]]),
        ends=np.array([0, 0, 0, 1, 0, 0, 1]),
    )


def replay_of(data: Transitions, chunk: int, steps: int = 1, discount: float = GAMMA, scale: float = 1.0) -> Replay:
    zero, one = torch.zeros(data.observation_dim), torch.ones(data.observation_dim)
    return Replay(
        data, zero, one, steps=steps, discount=discount, reward_scale=scale, device=torch.device("cpu"), chunk=chunk
    )


def everything(replay: Replay) -> Batch:
    return replay.batch(torch.arange(len(replay)))


def test_every_number_of_a_hand_made_dataset() -> None:
    batch = everything(replay_of(two_episodes(), chunk=3))
    expected = {
        # past an end the last action is repeated; no chunk holds an action of the other episode
        "actions": [
            [0.0, 0.1, 0.2],
            [0.1, 0.2, 0.3],
            [0.2, 0.3, 0.3],
            [0.3, 0.3, 0.3],
            [-0.4, -0.5, -0.6],
            [-0.5, -0.6, -0.6],
            [-0.6, -0.6, -0.6],
        ],
        # r + r'/2 + r''/4, as far as the episode goes
        "rewards": [1 + 1 + 1, 2 + 2 + 2, 4 + 4, 8, 16 + 16 + 16, 32 + 32, 64],
        # γ³ after three steps; 0 where the episode terminated inside; fewer powers where time ran out
        "discounts": [0.125, 0.0, 0.0, 0.0, 0.125, 0.25, 0.5],
        "next_observations": [[3], [4], [4], [4], [13], [13], [13]],
        # rows 5 and 6 run past the time limit: what the missing actions bring is unknown
        "valid": [1, 1, 1, 1, 1, 0, 0],
    }
    for name, value in expected.items():
        assert torch.equal(getattr(batch, name), torch.tensor(value, dtype=torch.float32)), name


def test_longer_returns_than_the_chunk() -> None:
    data = two_episodes()
    short, long = everything(replay_of(data, chunk=2, steps=3)), everything(replay_of(data, chunk=3))
    assert torch.equal(short.rewards, long.rewards)
    assert torch.equal(short.actions, long.actions[:, :2])
    assert short.valid is not None
    assert short.valid.tolist() == [1, 1, 1, 1, 1, 1, 0]  # a chunk of two fits into rows 5 and 6


def test_no_chunk_fits() -> None:
    data = two_episodes()
    timed_out = make_transitions(
        data.observations, data.actions, data.rewards, np.ones(7), data.observations, data.ends
    )
    with pytest.raises(ValueError, match=r"chunk = 5 is longer than every episode of the data \(4 steps\)"):
        check_chunk(timed_out, 5)
    with pytest.raises(ValueError, match="at least 1 action, got 0"):
        chunk_reach(data, 0)


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=5), st.integers(1, 5), st.data())
def test_rewards_inside_a_chunk_are_the_n_step_return(
    episodes: list[tuple[int, bool]], chunk: int, more: st.DataObject
) -> None:
    lengths = [length for length, _ in episodes]
    rows, rng = sum(lengths), np.random.default_rng(more.draw(st.integers(0, 99)))
    last = np.cumsum(lengths) - 1
    ends, masks = np.zeros(rows), np.ones(rows)
    ends[last] = 1.0
    masks[last[[terminated for _, terminated in episodes]]] = 0.0
    if not any(terminated for _, terminated in episodes) and chunk > max(lengths):
        return  # refused, tested above
    data = make_transitions(
        rng.normal(size=(rows, 2)), rng.uniform(-1, 1, (rows, 3)), rng.normal(size=rows), masks,
        rng.normal(size=(rows, 2)), ends,
    )  # fmt: skip
    steps = more.draw(st.integers(1, 7))
    batch = everything(replay_of(data, chunk, steps, discount=0.9, scale=2.0))
    rewards, discounts, at = n_step(data, max(steps, chunk), 0.9)
    assert torch.equal(batch.rewards, torch.from_numpy(rewards) * 2.0)
    assert torch.equal(batch.discounts, torch.from_numpy(discounts))
    assert torch.equal(batch.next_observations, torch.from_numpy(data.next_observations[at]))
    if chunk == 1:
        assert batch.valid is None
        return
    assert batch.valid is not None
    for row in range(rows):  # by a slow loop
        inside = [row]
        while len(inside) < chunk and not data.ends[inside[-1]]:
            inside.append(inside[-1] + 1)
        whole = len(inside) == chunk or data.masks[inside[-1]] == 0.0
        inside += [inside[-1]] * (chunk - len(inside))
        assert np.array_equal(batch.actions[row].numpy(), data.actions[inside].ravel())
        assert batch.valid[row] == whole


def test_memory_does_not_grow_with_the_chunk() -> None:
    data = small_data(1000, masks=np.zeros(1000))
    sizes = [replay_of(data, chunk)._matrix.numel() for chunk in (1, 2, 50)]
    assert sizes[1] == sizes[2] == sizes[0] + 2 * 1000


@pytest.mark.parametrize("critic", ["iql", "td_vgf"])
def test_invalid_rows_do_not_reach_the_critic(critic: str) -> None:
    """An outrageous reward in a row whose chunk is invalid changes the flow's batch alone, never critic or value."""
    plain = small_data(60)
    rewards = plain.rewards.copy()
    rewards[9::10] = 1e3  # the last row of each episode, which no valid chunk of 5 begins at
    changed = {}
    for name, data in {"plain": plain, "outrageous": small_data(60, rewards=rewards)}.items():
        config = small_config(critic=critic, reference="joint", chunk=5, discount=0.0, particles=2, flow_steps=2)
        trainer = Trainer(data, config)
        index = torch.tensor([5, 6, 9, 19, 29])  # one valid row, and rows that run past the time limit
        batch = trainer.replay.batch(index)
        batch = batch._replace(rewards=batch.rewards if name == "plain" else batch.rewards + (batch.valid == 0) * 1e3)
        trainer.update(
            batch, {key: trainer.losses[key].draw(batch, trainer.generator) for key in trainer.phases[0].losses}
        )
        changed[name] = trainer.networks.critic.net.theta.clone()
    assert torch.equal(changed["plain"], changed["outrageous"])


def test_networks_have_the_width_of_a_chunk() -> None:
    trainer = Trainer(small_data(), small_config(chunk=5))
    parts = trainer.parts()
    assert (parts.action_dim, parts.chunk, parts.step_dim) == (10, 5, 2)
    assert {"critic", "flow", "value"} == set(trainer.step())


def test_chunk_one_is_the_path_without_chunks() -> None:
    """Bit for bit: what is done for longer chunks, done with h = 1, gives the batch of the path without chunks."""
    data = small_data(60, masks=(np.arange(60) % 20 != 19).astype(float))
    reach, valid = chunk_reach(data, 1)
    assert (reach == 1).all()
    assert (valid == 1.0).all()
    index = torch.randint(60, (256,))
    batch = replay_of(data, 1).batch(index)
    assert torch.equal(chunk_rows(index, torch.from_numpy(reach)[index], 1), index[:, None])
    assert torch.equal(torch.from_numpy(data.actions)[index[:, None]].flatten(1), batch.actions)
    assert batch.valid is None
    longer = replay_of(data, 2).batch(index)
    assert torch.equal(longer.actions[:, :2], batch.actions)
    assert torch.equal(longer.observations, batch.observations)


def test_offsets_of_consecutive_rows_overlap() -> None:
    """The chunk of row r, shifted by one step, begins the chunk of row r + 1."""
    batch = everything(replay_of(small_data(60), chunk=4))
    steps = batch.actions.view(-1, 4, 2)
    for row, following in pairwise(range(60)):
        if following % 10:
            assert torch.equal(steps[row, 1:], steps[following, :-1])
