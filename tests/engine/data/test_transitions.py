"""The door of the data: what `make_transitions` refuses, n-step returns against a slow loop, fingerprints."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.data.replay import Beside, Replay
from workbench.engine.data.transitions import Transitions, make_transitions, n_step


def arrays(rows: int = 6, **changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    good = {
        "observations": rng.normal(size=(rows, 3)),
        "actions": rng.uniform(-1.0, 1.0, (rows, 2)),
        "rewards": rng.normal(size=rows),
        "masks": np.ones(rows),
        "next_observations": rng.normal(size=(rows, 3)),
        "ends": np.zeros(rows),
    }
    return good | changes


def spoilt(name: str, row: int, value: float) -> dict[str, Any]:
    found = arrays()
    found[name] = found[name].copy()
    found[name][row] = value
    return found


def test_good_data_is_converted() -> None:
    data = make_transitions(**arrays())
    assert len(data) == 6
    assert (data.observation_dim, data.action_dim) == (3, 2)
    for item in fields(Transitions):
        array = getattr(data, item.name)
        assert array.dtype == (bool if item.name == "ends" else np.float32)
        assert array.flags.c_contiguous
    assert data.ends.tolist() == [False] * 5 + [True]  # the data end, and with them the last episode


def test_given_actions_are_not_clipped_in_place() -> None:
    given_arrays = arrays(actions=np.full((6, 2), 3.0, dtype=np.float32))
    make_transitions(**given_arrays, out_of_bounds="clip")
    assert (given_arrays["actions"] == 3.0).all()


def test_given_arrays_are_neither_changed_nor_shared() -> None:
    given_arrays = {name: array.astype(np.float32) for name, array in arrays().items()} | {
        "ends": np.zeros(6, dtype=bool)
    }
    before = {name: array.copy() for name, array in given_arrays.items()}
    data = make_transitions(**given_arrays)
    for name, array in given_arrays.items():
        np.testing.assert_array_equal(array, before[name])
        assert not np.shares_memory(array, getattr(data, name)), name


def test_a_terminated_row_has_ended() -> None:
    data = make_transitions(**arrays(masks=np.array([1.0, 0.0, 1.0, 1.0, 1.0, 1.0])))
    assert data.ends.tolist() == [False, True, False, False, False, True]


def test_n_step_needs_a_step() -> None:
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        n_step(make_transitions(**arrays()), 0, 0.9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (arrays(rows=0), "demo: the dataset has no rows"),
        (arrays(rewards=np.zeros(5)), "'rewards' has 5 rows but 'actions' has 6"),
        (arrays(rewards=np.zeros((6, 1))), r"'rewards' must have 1 dimension, got shape \(6, 1\)"),
        (arrays(actions=np.zeros(6)), r"'actions' must have 2 dimensions, got shape \(6,\)"),
        (arrays(observations=np.array([["a"] * 3] * 6)), "'observations' must hold real numbers, got dtype <U1"),
        (arrays(masks=np.array([None] * 6)), "'masks' must hold real numbers, got dtype object"),
        (arrays(rewards=np.ones(6) * 1j), "'rewards' must hold real numbers, got dtype complex128"),
        (arrays(actions=np.float32(0.5)), r"'actions' must have 2 dimensions, got shape \(\)"),
        (arrays(actions=np.zeros((6, 0))), r"'actions' has shape \(6, 0\); it needs at least one column"),
        (arrays(masks=np.full(6, 0.5)), "'masks' must be 0 or 1, got 0.5 in row 0"),
        (spoilt("ends", 2, 2.0), "'ends' must be 0 or 1, got 2 in row 2"),
        (spoilt("ends", 2, np.nan), "'ends' has NaN or infinity, first in row 2"),
        (spoilt("rewards", 4, 1e300), "'rewards' has numbers too large for float32, first in row 4; rescale"),
        (arrays(next_observations=np.zeros((6, 4))), r"\(6, 3\) and 'next_observations' \(6, 4\) differ in shape"),
        (spoilt("rewards", 4, np.nan), "'rewards' has NaN or infinity, first in row 4; drop or repair"),
        (spoilt("observations", 2, np.inf), "'observations' has NaN or infinity, first in row 2"),
        (spoilt("next_observations", 0, -np.inf), "'next_observations' has NaN or infinity, first in row 0"),
        (spoilt("actions", 3, 1.01), r"1 of 6 rows have actions outside \[-1, 1\], first row 3 .*--clip-actions"),
    ],
)
def test_refusals(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_transitions(**changes, source="demo")


def test_clipping_is_asked_for_by_name_and_rounding_is_no_error() -> None:
    data = make_transitions(**spoilt("actions", 3, -7.0), out_of_bounds="clip")
    assert (data.actions[3] == -1.0).all()
    data = make_transitions(**spoilt("actions", 3, 1.0 + 1e-6))
    assert (data.actions[3] == 1.0).all()


def slow_n_step(data: Transitions, steps: int, discount: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rewards, discounts, last = [], [], []
    for row in range(len(data)):
        total, power, at = float(data.rewards[row]), discount, row
        while at - row + 1 < steps and not data.ends[at]:
            at += 1
            total += power * float(data.rewards[at])
            power *= discount
        rewards.append(total)
        discounts.append(power * float(data.masks[at]))
        last.append(at)
    return np.array(rewards), np.array(discounts), np.array(last)


@given(
    st.lists(st.tuples(st.floats(-10.0, 10.0), st.booleans(), st.booleans()), min_size=1, max_size=30),
    st.integers(1, 12),
    st.floats(0.0, 1.0),
)
def test_n_step(rows: list[tuple[float, bool, bool]], steps: int, discount: float) -> None:
    """Rows are (reward, last of its episode, and then: terminated or cut off by time)."""
    rewards = np.array([row[0] for row in rows])
    ends = np.array([row[1] for row in rows])
    masks = 1.0 - np.array([row[1] and row[2] for row in rows])
    some = np.zeros((len(rows), 1))
    data = make_transitions(some, some, rewards, masks, some, ends)
    ours, theirs = n_step(data, steps, discount), slow_n_step(data, steps, discount)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(ours[2], theirs[2])
    if steps == 1:
        np.testing.assert_array_equal(ours[0], data.rewards)
        np.testing.assert_array_equal(ours[2], np.arange(len(data)))


def test_replay_gathers_what_the_losses_read() -> None:
    data = make_transitions(**arrays(ends=np.array([0, 0, 1, 0, 0, 0])))
    mean, std = torch.tensor([0.5, 0.0, -1.0]), torch.tensor([2.0, 1.0, 0.5])
    replay = Replay(data, mean, std, steps=3, discount=0.9, reward_scale=10.0, device=torch.device("cpu"))
    assert len(replay) == 6
    index = torch.tensor([4, 0, 2, 0])
    batch = replay.batch(index)
    rewards, discounts, last = (torch.from_numpy(a) for a in slow_n_step(data, 3, 0.9))
    torch.testing.assert_close(batch.observations, (torch.from_numpy(data.observations)[index] - mean) / std)
    torch.testing.assert_close(batch.actions, torch.from_numpy(data.actions)[index])
    torch.testing.assert_close(batch.rewards, 10.0 * rewards[index].float())
    torch.testing.assert_close(batch.discounts, discounts[index].float())
    following = (torch.from_numpy(data.next_observations)[last[index]] - mean) / std
    torch.testing.assert_close(batch.next_observations, following)
    torch.testing.assert_close(replay.next_observations[index], following)
    assert torch.equal(batch.rows, index)
    assert batch.next_actions is None
    settings = {"steps": 2, "discount": 0.9, "reward_scale": 10.0, "device": torch.device("cpu")}
    batch = Replay(data, mean, std, **settings, beside=Beside(next_actions=True)).batch(torch.arange(6))
    known = torch.tensor(
        [True, False, False, True, False, False]
    )  # rows 1, 2, 4 and 5 end their episode within 2 steps
    torch.testing.assert_close(batch.next_actions[known], torch.from_numpy(data.actions)[[2, 5]])
    assert torch.isnan(batch.next_actions[~known]).all()


def test_the_fingerprint_is_of_the_contents() -> None:
    data = make_transitions(**arrays())
    assert data.fingerprint() == make_transitions(**arrays()).fingerprint()
    assert len(data.fingerprint()) == 64
    for item in fields(Transitions):
        array = getattr(data, item.name).copy()
        array[2] = ~array[2] if array.dtype == bool else array[2] + 0.25
        assert replace(data, **{item.name: array}).fingerprint() != data.fingerprint(), item.name
    swapped = replace(data, observations=data.next_observations, next_observations=data.observations)
    assert swapped.fingerprint() != data.fingerprint()
