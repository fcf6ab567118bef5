"""Support distance against brute force, and what it reads for policies whose support is known."""

import numpy as np
import pytest
from engine.small_runs import small_data

from workbench.engine.data.transitions import Transitions, make_transitions
from workbench.engine.metrics.support import INSIDE, DataSupport


def data_of(observations: np.ndarray, actions: np.ndarray) -> Transitions:
    rows = len(actions)
    nothing = np.zeros(rows)
    return make_transitions(observations, actions, nothing, nothing, observations, np.ones(rows, dtype=bool))


def brute(data: Transitions, states: int, nearest: int, s: np.ndarray, a: np.ndarray, skip: int | None = None) -> float:
    far = np.linalg.norm((data.observations - s) / data.observations.std(0), axis=1)
    if skip is not None:
        far[skip] = np.inf
    hood = np.argsort(far)[:states]
    return float(np.sort(np.linalg.norm(data.actions[hood] - a, axis=1))[nearest - 1])


@pytest.mark.parametrize(("states", "nearest"), [(2, 1), (10, 5), (59, 3), (500, 5)])
def test_distance_is_brute_force(states: int, nearest: int) -> None:
    data, rng = small_data(), np.random.default_rng(1)
    support = DataSupport(data, states, nearest)
    s, a = rng.normal(3, 2, (4, 3)).astype(np.float32), rng.uniform(-1, 1, (4, 6, 2)).astype(np.float32)
    found = support.distances(s, a)
    for b in range(4):
        for r in range(6):
            assert found[b, r] == pytest.approx(brute(data, states, nearest, s[b], a[b, r]), abs=1e-6)


def test_own_distances_leave_the_row_out() -> None:
    data = small_data()
    support = DataSupport(data, 10, 3)
    expected = [brute(data, 10, 3, data.observations[i], data.actions[i], skip=i) for i in range(len(data))]
    assert np.sort(support.own) == pytest.approx(np.sort(expected), abs=1e-6)


def test_one_state_takes_all_rows() -> None:
    """A bandit: every row is equally near, so all of them count, however few are asked for."""
    actions = np.linspace(-1, 1, 101)[:, None]
    support = DataSupport(data_of(np.zeros((101, 1)), actions), states=8, nearest=2)
    found = support.distances(np.zeros((1, 1)), np.array([[[0.0], [0.5], [1.0]]]))
    assert found[0] == pytest.approx([0.02, 0.02, 0.02], abs=1e-6)


def test_what_policies_read() -> None:
    """Actions near ±0.5 depending on the state: the data's own draw reads 0.95, the other state's actions are outside."""
    rng = np.random.default_rng(0)
    side = rng.choice([-1.0, 1.0], 4000)
    observations = side[:, None] + 0.01 * rng.normal(size=(4000, 1))
    support = DataSupport(data_of(observations, 0.5 * side[:, None] + 0.05 * rng.normal(size=(4000, 1))))
    states = np.array([[-1.0], [1.0]])
    own = 0.5 * states[:, None] + 0.05 * rng.normal(size=(2, 1000, 1))
    fresh, other = support.measure(states, own), support.measure(states, -own)
    assert fresh.inside == pytest.approx(INSIDE, abs=4 * np.sqrt(0.95 * 0.05 / 512 + 0.95 * 0.05 / 2000))
    assert fresh.distance == pytest.approx(fresh.usual, rel=0.3)
    assert other.inside == 0.0
    assert other.distance == pytest.approx(1.0, abs=0.2)
    narrow = support.measure(states, 0.5 * states[:, None] + 0.001 * rng.normal(size=(2, 1000, 1)))
    assert narrow.inside == 1.0


def test_a_column_without_spread_is_harmless() -> None:
    rng = np.random.default_rng(0)
    observations = np.stack((rng.normal(size=50), np.full(50, 3.0)), 1)
    support = DataSupport(data_of(observations, rng.uniform(-1, 1, (50, 2))))
    assert np.isfinite(support.distances(observations[:3], np.zeros((3, 2, 2)))).all()


def test_errors() -> None:
    with pytest.raises(ValueError, match="below both"):
        DataSupport(small_data(), states=5, nearest=5)
    with pytest.raises(ValueError, match="4 rows"):
        DataSupport(small_data(4), nearest=5)
