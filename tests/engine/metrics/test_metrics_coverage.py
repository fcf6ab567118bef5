"""Coverage of modes that are known."""

import numpy as np
import pytest

from workbench.engine.metrics.coverage import measure_coverage
from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.modes import KnowsModes
from workbench.engine.tasks.registry import TASKS, make_task
from workbench.engine.tasks.three_exits import Drivers, Room, ThreeExits, draw_starts


def test_shares_and_their_effective_number() -> None:
    found = measure_coverage(("a", "b", "c"), np.array([0, 0, 1, 1, -1, -1]))
    assert found.shares == pytest.approx({"a": 1 / 3, "b": 1 / 3, "c": 0.0})
    assert found.effective == pytest.approx(2.0)
    assert measure_coverage(("a", "b"), np.array([1, 1])).effective == pytest.approx(1.0)
    assert measure_coverage(("a", "b"), np.array([-1])).effective == 0.0


@pytest.mark.parametrize("name", TASKS)
def test_every_built_in_task_knows_its_modes(name: str) -> None:
    assert isinstance(make_task(name), KnowsModes)


@pytest.mark.parametrize("name", ["bandit1d", "bandit2d"])
def test_the_behaviour_of_a_bandit_covers_its_mixture(name: str) -> None:
    """Within 2 standard deviations lie 95% (1-D), 86% (2-D) of each mode; shares follow the weights, 4 standard errors."""
    task = make_task(name)
    found = evaluate(make_rule("bc", flow_steps=50), task.parts(), task, 2000, 0).coverage
    inside = {1: 0.954, 2: 0.865}[task.info.action_dim]
    expected = inside * task.behaviour.weights.numpy()
    assert list(found.shares.values()) == pytest.approx(expected, abs=0.05)
    assert len(found.shares) - 1 < found.effective <= len(found.shares)


def test_the_drivers_of_three_exits_take_all_four_ways() -> None:
    """40% are meant for the main exit; a driver's side is where it starts, but for noise."""
    rng = np.random.default_rng(0)
    room = Room(draw_starts(400, rng))
    drivers, active = Drivers(room.position, rng), np.ones(400, dtype=bool)
    path, returns = [room.reset()], np.zeros(400)
    while active.any():
        result = room.step(drivers.drive(room.position, room.velocity), active)
        path.append(result.observations)
        returns += result.rewards
        active &= ~(result.terminated | result.truncated)
    modes = ThreeExits().modes(np.stack(path), np.zeros((400, 2)), returns)
    arrived = returns > 0
    assert (modes[~arrived] == -1).all()
    assert ((modes < 2) == (returns >= 1.0))[arrived].all()
    went_left = np.isin(modes, (0, 2))
    started_left = path[0][:, 0] < 0.0
    assert (went_left == started_left)[arrived & (np.abs(path[0][:, 0] - 0.1) > 0.25)].all()
    assert len(set(modes[arrived])) == 4


def test_no_way_at_all() -> None:
    task = make_task("three_exits")
    still = Parts(4, 2, reference=lambda s, a, t: -a)
    found = evaluate(make_rule("bc"), still, task, 5, 0).coverage
    assert (sum(found.shares.values()), found.effective) == (0.0, 0.0)
