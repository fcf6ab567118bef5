"""Watching a rollout: whole episodes, and how each ended."""

import numpy as np

from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.bandits import Bandit2D
from workbench.engine.tasks.outcomes import USUAL, outcomes
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.three_exits import HORIZON, ThreeExits


class Drifting:
    """A policy for three_exits that always pushes the same way."""

    def __init__(self, x: float, y: float) -> None:
        self.velocity = (x, y)

    def __call__(self, observations, actions, t):
        return (actions.new_tensor(self.velocity) - actions) / (
            1.0 - t[:, None]
        )  # straight to the target, there at t = 1


def watched(x: float, y: float, episodes: int = 6):

    seen, moved = [], []
    parts = Parts(4, 2, Drifting(x, y))

    def watch(observations, active):
        seen.append(observations.copy())
        moved.append(active.copy())

    record = rollout(make_rule("bc"), parts, ThreeExits(), episodes, 0, watch=watch)
    return record, np.stack(seen), np.stack(moved)


def test_every_observation_is_seen_and_lengths_agree():
    record, seen, moved = watched(0.0, 1.0)
    assert np.array_equal(seen[0], record.starts)
    assert moved[0].all()
    assert np.array_equal(moved[1:].sum(0), record.lengths)
    assert (np.diff(moved.astype(int), axis=0) <= 0).all()  # who stopped stays stopped


def test_how_an_episode_ended():
    into_lava, _, _ = watched(0.0, -1.0)  # straight down, out of the room
    assert into_lava.terminated.all()
    assert not into_lava.success.any()
    assert (into_lava.lengths < HORIZON).all()
    still, _, _ = watched(0.0, 0.0)
    assert not still.terminated.any()
    assert (still.lengths == HORIZON).all()


def test_watching_changes_nothing():
    task = Bandit2D()
    plain = rollout(make_rule("qgf"), task.parts(), task, 20, 3)
    seen = rollout(make_rule("qgf"), task.parts(), task, 20, 3, watch=lambda observations, moved: None)
    assert np.array_equal(plain.returns, seen.returns)
    assert seen.terminated.all()


def test_endings_have_names():
    task = ThreeExits()
    names, found = outcomes(task, watched(0.0, -1.0)[0])
    assert [names[kind] for kind in found] == ["into lava"] * 6
    names, found = outcomes(task, watched(0.0, 0.0)[0])
    assert [names[kind] for kind in found] == ["out of time"] * 6
    paid = np.array([1.0, 0.25, 0.0, 0.0])
    assert task.outcome_of(paid, paid == 1.0, np.array([True, True, True, False])).tolist() == [0, 1, 2, 3]


def test_usual_endings():
    task = Bandit2D()
    played = rollout(make_rule("qgf"), task.parts(), task, 40, 3)
    names, found = outcomes(task, played)
    assert names == USUAL
    assert np.array_equal(found == 0, played.success)
    assert (found[~played.success] == 1).all()
