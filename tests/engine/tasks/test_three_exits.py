"""The room: its dynamics, its swept collisions, and its demonstrations against the numbers they were designed to."""

import numpy as np
import pytest

from workbench.engine.tasks.three_exits import EXITS, HORIZON, PILLAR, Room, ThreeExits, sweep

ONE = np.ones(1, dtype=bool)


def outcome(start: tuple[float, float], move: tuple[float, float]) -> tuple[bool, int]:
    found = sweep(np.array([start]), np.array([move]))
    return bool(found.crashed[0]), int(found.exit[0])


@pytest.mark.parametrize(
    ("start", "move", "crashed", "reached"),
    [
        ((0.0, -0.5), (0.05, 0.0), False, -1),  # free space
        ((0.98, 0.0), (0.05, 0.0), True, -1),  # right wall
        ((0.0, -0.98), (0.0, -0.05), True, -1),  # lower wall
        ((-0.2, 0.0), (0.06, 0.0), True, -1),  # into the pillar
        ((-0.2, 0.0), (0.7, 0.0), True, -1),  # through the pillar: the end point alone is free
        ((0.1, 0.3), (0.0, -0.1), True, -1),  # from above
        ((-0.2, 0.0), (0.0, 0.1), False, -1),  # along its side
        ((0.0, 0.6), (0.0, 0.2), False, 0),  # main exit
        ((-0.6, 0.75), (-0.2, 0.0), False, 1),
        ((0.6, 0.75), (0.2, 0.0), False, 2),
        ((0.0, 0.6), (0.0, 0.6), False, 0),  # the exit lies before the wall on this way
        ((0.2, 0.95), (0.0, 0.1), True, -1),  # beside the exit, into the wall
        ((-0.3, 0.85), (0.6, 0.0), False, 0),  # through the whole exit: its end point is outside
        ((0.0, 0.85), (0.0, 0.0), False, 0),  # standing in it
    ],
)
def test_sweep(start: tuple[float, float], move: tuple[float, float], crashed: bool, reached: int) -> None:
    assert outcome(start, move) == (crashed, reached)


def test_sweep_agrees_with_many_small_steps() -> None:
    """A slow check of the same move in 4000 pieces finds the same first event (except within rounding of a border)."""
    rng = np.random.default_rng(0)
    starts, moves = rng.uniform(-0.95, 0.95, (400, 2)), rng.uniform(-0.3, 0.3, (400, 2))
    free = ~(
        (starts[:, 0] > PILLAR[0])
        & (starts[:, 0] < PILLAR[1])
        & (starts[:, 1] > PILLAR[2])
        & (starts[:, 1] < PILLAR[3])
    )
    starts, moves = starts[free], moves[free]
    found = sweep(starts, moves)
    differ = 0
    for i, (start, move) in enumerate(zip(starts, moves, strict=True)):
        points = start + np.linspace(0, 1, 4000)[:, None] * move
        lava = (np.abs(points) > 1).any(1) | (
            (points[:, 0] > PILLAR[0])
            & (points[:, 0] < PILLAR[1])
            & (points[:, 1] > PILLAR[2])
            & (points[:, 1] < PILLAR[3])
        )
        first, what = (int(lava.argmax()), -2) if lava.any() else (4000, -1)
        for number, (x, y, _) in enumerate(EXITS):
            inside = np.hypot(points[:, 0] - x, points[:, 1] - y) <= 0.14
            if inside.any() and int(inside.argmax()) < first:
                first, what = int(inside.argmax()), number
        differ += (what == -2) != found.crashed[i] or (what >= 0 and what != found.exit[i])
    assert differ <= 1


def test_dynamics() -> None:
    room = Room(np.array([[0.0, -0.8]]))
    assert np.allclose(room.reset(), [[0.0, -0.8, 0.0, 0.0]])
    first = room.step(np.array([[0.5, 1.0]]), ONE)
    assert np.allclose(first.observations, [[0.015, -0.77, 0.25, 0.5]])  # v = 0.03 a, p += v
    second = room.step(np.array([[0.0, 5.0]]), ONE)  # actions are clipped to [-1, 1]
    assert np.allclose(second.observations[0, 2:], [0.8 * 0.25, 0.8 * 0.5 + 0.5])


def test_time_limit_and_idle_rooms() -> None:
    room = Room(np.array([[0.0, -0.8], [0.1, -0.8]]))
    room.reset()
    active = np.array([True, False])
    for step in range(HORIZON):
        result = room.step(np.full((2, 2), 0.0), active)
        assert bool(result.truncated[0]) == (step == HORIZON - 1)
    assert not result.truncated[1]
    assert np.allclose(result.observations[1], [0.1, -0.8, 0.0, 0.0])


def test_exits_pay_and_end() -> None:
    room = Room(np.array([[0.0, 0.69], [-0.69, 0.75], [0.98, 0.0]]), np.array([[0.0, 0.06], [-0.06, 0.0], [0.06, 0.0]]))
    room.reset()
    result = room.step(np.zeros((3, 2)), np.ones(3, dtype=bool))
    assert result.rewards.tolist() == [1.0, 0.25, 0.0]
    assert result.terminated.tolist() == [True, True, True]
    assert result.success.tolist() == [True, False, False]


def test_demonstrations_are_as_designed() -> None:
    """design.md: 1500 episodes, about 82k rows, 40% aim at the main exit, ‖a‖ ≤ 0.4."""
    data = ThreeExits().generate(None, 0)
    assert data.ends.sum() == 1500
    assert 78_000 < len(data) < 86_000
    assert np.linalg.norm(data.actions, axis=1).max() <= 0.4 + 1e-6
    main = (data.rewards == 1.0).sum() / 1500
    assert (
        abs(main - 0.4) < 4 * np.sqrt(0.4 * 0.6 / 1500) + 0.06
    )  # four standard errors, and those that crash or are late
    assert np.array_equal(data.masks == 0.0, data.ends & (data.masks == 0.0))
    inner = ~data.ends[:-1]
    assert np.array_equal(data.next_observations[:-1][inner], data.observations[1:][inner])


@pytest.mark.parametrize("rows", [1, 37, 5000])
def test_rows_and_seed(rows: int) -> None:
    task = ThreeExits()
    data = task.generate(rows, 3)
    assert len(data) == rows
    assert data.ends[-1]
    assert data.fingerprint() == task.generate(rows, 3).fingerprint()
    assert data.fingerprint() != task.generate(rows, 4).fingerprint()
