"""A time limit is no end: what pays 1 a step for ever is worth 1 / (1 − γ), what ends after H steps the sum of H of them.

Each path by which episodes become data or numbers is held against the two closed forms, in the same environment.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from engine.online.test_online import learner_of
from engine.tasks.counting import Counting, Vectorised
from gymnasium.vector import AutoresetMode

from workbench.engine.data.describe import plain_of
from workbench.engine.data.formats.found import ColumnNames
from workbench.engine.data.formats.native import read_npz
from workbench.engine.data.npz import plain_transitions, save_dataset, write_arrays
from workbench.engine.data.transitions import Transitions, make_transitions, n_step
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.collect import Generator, collect, end_of_trajectory
from workbench.engine.tasks.gym_vector import VectorTask
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.record import played
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fqe import FQEConfig, fitted_q_evaluation
from workbench.engine.training.loop.trainer import Trainer

GAMMA = 0.5
PARTS = Parts(2, 1, lambda s, a, t: -a, discount=GAMMA)
LIMIT = 3


def single(over: bool, seen: bool) -> Task:
    def make(**_: Any) -> gymnasium.Env:
        return Counting(LIMIT, over, not seen)

    gymnasium.registry.pop("Paying-v0", None)
    gymnasium.register("Paying-v0", entry_point=make, disable_env_checker=True)
    return make_task("gym/Paying-v0")


def cut_by_gymnasium(over: bool, seen: bool) -> Task:
    """Without an end of its own: Gymnasium's own time limit, or an end by itself."""

    def make(**_: Any) -> gymnasium.Env:
        return Counting(LIMIT if over else 10**6, over, not seen)

    gymnasium.registry.pop("Paying-v0", None)
    gymnasium.register("Paying-v0", entry_point=make, max_episode_steps=LIMIT + 2, disable_env_checker=True)
    return make_task("gym/Paying-v0")


def many(mode: AutoresetMode) -> Callable[[bool, bool], Task]:
    def task(over: bool, seen: bool) -> Task:
        return VectorTask(lambda count: Vectorised(count, mode.value, LIMIT, over, not seen), "paying")

    return task


TASKS = {"single": single, "Gymnasium's limit": cut_by_gymnasium}
TASKS |= {f"vector, {mode.value}": many(mode) for mode in AutoresetMode}


@pytest.fixture(params=TASKS)
def paying(request: pytest.FixtureRequest) -> Any:
    yield TASKS[request.param]
    gymnasium.registry.pop("Paying-v0", None)


def learned(data: Transitions, steps: int = 1) -> dict[tuple[float, ...], float]:
    """The value of every state by dynamic programming on the data as a critic's updates read them."""
    rewards, discounts, last = n_step(data, steps, GAMMA)
    states = [tuple(row) for row in data.observations.tolist()]
    after = [tuple(row) for row in data.next_observations[last].tolist()]
    value = dict.fromkeys([*states, *after], 0.0)
    for _ in range(60):
        for state, reward, discount, following in zip(states, rewards, discounts, after, strict=True):
            value[state] = float(reward + discount * value[following])
    return value


def check_values(recorded: Callable[[bool, bool], Transitions]) -> None:
    """Held against the closed forms, for one step and for n-step returns that reach over an episode's end."""
    for steps in (1, 2, 10):
        cut = learned(recorded(False, False), steps)
        assert list(cut.values()) == pytest.approx([1 / (1 - GAMMA)])
        data = recorded(True, True)
        over = learned(data, steps)
        lengths = dict(zip(data.observations[data.ends, 0].tolist(), data.observations[data.ends, 1] + 1, strict=True))
        for number, length in lengths.items():
            assert over[number, 0.0] == pytest.approx((1 - GAMMA**length) / (1 - GAMMA))


def test_recording(paying: Any) -> None:
    check_values(lambda over, seen: played(paying(over, seen), None, 5, 0))
    check_values(lambda over, seen: played(paying(over, seen), (make_rule("bc"), PARTS), 5, 0))


def test_a_recorded_file(paying: Any, tmp_path: Path) -> None:
    def through_a_file(over: bool, seen: bool) -> Transitions:
        path = tmp_path / "data.npz"
        save_dataset(path, played(paying(over, seen), None, 5, 0))
        return plain_transitions(plain_of(read_npz(path, ColumnNames()), "data"), "data")

    check_values(through_a_file)


def test_online(paying: Any) -> None:
    def met(over: bool, seen: bool) -> Transitions:
        """What an online run adds to its data."""
        task = paying(over, seen)
        rows = np.zeros((40, 2))
        data = make_transitions(rows, rows[:, :1], np.zeros(40), np.ones(40), rows, np.arange(40) % 10 == 9)
        settings = {"hidden": (8,), "steps": 1, "reference_steps": 1, "batch_size": 8, "particles": 2, "flow_steps": 2}
        trainer = Trainer(data, make_config(**settings, discount=GAMMA))
        while not trainer.finished:
            trainer.step()
        learner = learner_of(task, trainer, steps=20, episodes=4, eval_every=10**6, updates_per_step=0.05)
        list(learner.run())
        kept = learner.recent.latest().data
        batch = trainer.replay.batch(np_rows(trainer, len(kept)))
        ends = kept.masks == 0
        assert np.array_equal(batch.discounts.numpy() == 0, ends)  # what the updates read
        return kept

    def np_rows(trainer: Trainer, count: int) -> Any:
        import torch

        return torch.arange(trainer.replay.fixed, trainer.replay.fixed + count)

    check_values(met)


def test_evaluation(paying: Any) -> None:
    """An evaluation earns what was paid; it says which episodes ended, and which were cut off."""
    for over in (False, True):
        found = rollout(make_rule("bc"), PARTS, paying(over, True), 6, 0)
        assert (found.terminated == over).all()
        assert found.discounted == pytest.approx((1 - GAMMA**found.lengths) / (1 - GAMMA))


def counted(env_id: str, steps: int, entropy: tuple[int, ...]) -> dict[str, np.ndarray]:
    """One episode of the compact form, whose every state is the same."""
    zeros = np.zeros((steps + 1, 2), dtype=np.float32)
    return {"observations": zeros, "actions": zeros[:, :1], "terminals": end_of_trajectory(steps + 1)}


def test_generated_episodes(tmp_path: Path) -> None:
    """What generators collect ends by time alone; a task's rewards say where an episode terminates."""
    write_arrays(tmp_path / "data.npz", collect(Generator(counted, 0, 10**6), "x", 2500, (0,), processes=1))
    plain = plain_of(read_npz(tmp_path / "data.npz", ColumnNames()), "x")
    data = plain_transitions(plain | {"rewards": np.ones(2500)}, "x")
    assert data.ends.sum() == 3
    assert list(learned(data).values()) == pytest.approx([1 / (1 - GAMMA)])


@pytest.mark.parametrize("over", [False, True])
def test_fitted_q_evaluation(over: bool) -> None:
    """The critic that judges offline: 2 where time ran out, and 1 where every episode is over after one step."""
    rows = 64
    seen = np.zeros((rows, 2), dtype=np.float32)
    masks = np.full(rows, 0.0 if over else 1.0)
    actions = np.random.default_rng(0).uniform(-1, 1, (rows, 1))
    data = make_transitions(seen, actions, np.ones(rows), masks, seen, np.ones(rows))
    work = fitted_q_evaluation(
        [make_rule("bc")],
        PARTS,
        data,
        FQEConfig(hidden=(8,), steps=600, batch_size=16, learning_rate=1e-2, tau=0.2),
    )
    while True:
        try:
            next(work)
        except StopIteration as end:
            value = float(end.value[0])
            break
    assert value == pytest.approx(1.0 if over else 1 / (1 - GAMMA), rel=0.02)
