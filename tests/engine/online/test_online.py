"""Offline-to-online: counts, seeds, stopping and going on bit for bit, over rules, critics and tasks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from workbench.engine.data.boxes import ActionBox
from workbench.engine.data.transitions import make_transitions
from workbench.engine.online.checkpoint import load_online, online_config, save_online
from workbench.engine.online.config import make_online_config
from workbench.engine.online.learner import Event, Learner
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.tasks.bandits import Bandit2D
from workbench.engine.tasks.gym import GymTask
from workbench.engine.tasks.gym_batch import GymBatch
from workbench.engine.tasks.ogbench import OGBenchTask
from workbench.engine.tasks.ogbench_batch import EnvBatch
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.recorder import Recorder
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.three_exits import HORIZON, ThreeExits
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.checkpoint import CheckpointError, load_run
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import CRITICS
from workbench.engine.training.plan import extra_parts

SMALL: dict[str, Any] = {
    "hidden": (8, 8), "steps": 3, "reference_steps": 3, "batch_size": 16, "particles": 3, "flow_steps": 2,
}  # fmt: skip
ROWS = 200


def data_of(task: Task) -> Any:
    return task.generate(ROWS, 0)


def trained(task: Task, **settings: Any) -> Trainer:
    trainer = Trainer(data_of(task), make_config(**(SMALL | settings)))
    while not trainer.finished:
        trainer.step()
    return trainer


def learner_of(task: Task, trainer: Trainer, **settings: Any) -> Learner:
    given = {"rule": "vgf", "settings": {"particles": 2, "flow_steps": 2}, "steps": 300, "episodes": 2} | settings
    small = {"eval_every": 150, "eval_episodes": 3, "updates_per_step": 0.1}
    return Learner(trainer, task, make_online_config(**(small | given)))


def state_of(learner: Learner) -> list[torch.Tensor]:
    networks = learner.trainer.networks
    arrays = [networks.net(name).theta for name in networks.modules()]
    return [*arrays, *learner.trainer.adam.arrays().values(), learner.trainer.generator.get_state()]


def same(one: Learner, other: Learner) -> bool:
    pairs = zip(state_of(one), state_of(other), strict=True)
    return one.counts == other.counts and all(torch.equal(a, b) for a, b in pairs)


def test_a_recorder_makes_the_data_of_the_episodes() -> None:
    task, record = ThreeExits(), Recorder()
    parts = trained(task).parts()
    played = rollout(make_rule("bc"), parts, task, 5, 0, record=record)
    data = record.transitions()
    assert len(data) == played.lengths.sum()
    assert np.flatnonzero(data.ends).tolist() == (np.cumsum(played.lengths) - 1).tolist()
    first = np.concatenate(([0], np.cumsum(played.lengths)[:-1]))
    assert np.array_equal(data.observations[first], played.starts)
    inside = ~data.ends[:-1]
    assert np.array_equal(data.next_observations[:-1][inside], data.observations[1:][inside])
    assert np.array_equal(data.masks[data.ends] == 0.0, played.terminated)
    sums = np.add.reduceat(data.rewards.astype(np.float64), first)
    assert np.allclose(sums, played.returns)
    with pytest.raises(ValueError, match="no step was recorded"):
        Recorder().transitions()


def test_counts_and_log() -> None:
    learner = learner_of(ThreeExits(), trained(ThreeExits()))
    events = list(learner.run())
    rounds = [event for event in events if event.kind == "played"]
    measured = [event for event in events if event.kind == "evaluated"]
    assert learner.finished
    assert learner.counts.rounds == len(rounds)
    assert learner.counts.env_steps == rounds[-1].env_steps == learner.trainer.replay.appended == learner.recent.added
    assert 300 <= learner.counts.env_steps < 300 + 2 * HORIZON
    assert learner.counts.updates == int(learner.counts.env_steps * 0.1)
    assert learner.trainer.step_number == 3 + learner.counts.updates
    assert measured[0].env_steps == 0
    assert measured[-1].env_steps == learner.counts.env_steps
    assert learner.counts.events == len(rounds) + len(measured)
    steps = [event.env_steps for event in measured]
    assert len(steps) == len(set(steps)) == 3  # at the start, past 150, at the end


def test_the_policy_does_learn_from_the_new_rows() -> None:
    """With a share of 0 nothing new is read, with 1 nothing else."""
    task = ThreeExits()
    learner = learner_of(task, trained(task), online_share=1.0)
    drawn = []
    gather = learner.trainer.replay.batch
    learner.trainer.replay.batch = lambda index, *more: drawn.append(index) or gather(index, *more)  # type: ignore[method-assign]
    list(learner.run())
    assert (torch.cat(drawn) >= ROWS).all()


@pytest.mark.parametrize("critic", CRITICS)
def test_every_critic_goes_on(critic: str) -> None:
    task = Bandit2D()
    learner = learner_of(task, trained(task, critic=critic), steps=8, updates_per_step=1.0)
    before = learner.trainer.networks.critic.net.theta.clone()
    list(learner.run())
    assert not torch.equal(before, learner.trainer.networks.critic.net.theta)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_acts(rule: str) -> None:
    task = Bandit2D()
    parts = extra_parts(RULES[rule].needs)
    learner = learner_of(task, trained(task, parts=parts), rule=rule, settings={"flow_steps": 2}, steps=6)
    assert [event.kind for event in learner.run()][-1] == "evaluated"


def test_no_evaluation_shares_its_seed_with_a_round() -> None:
    learner = learner_of(Bandit2D(), trained(Bandit2D()))
    rounds = {learner.acting_seed(number) for number in range(2000)}
    assert len(rounds) == 2000
    assert learner.evaluation_seed not in rounds
    assert learner.evaluation_seed % 2 == 1
    assert all(seed % 2 == 0 and seed < 2**31 for seed in rounds)


def stops(after: int) -> Iterator[bool]:
    yield from (False for _ in range(after))
    while True:
        yield True


@pytest.mark.parametrize("way", [{}, {"critic": "td_vgf"}, {"chunk": 3}])
@pytest.mark.parametrize("after", [1, 20])
def test_stopped_anywhere_it_goes_on_bit_for_bit(tmp_path: Path, way: dict[str, Any], after: int) -> None:
    task = ThreeExits()
    whole = learner_of(task, trained(task, **way), capacity=150)  # the ring is full before the end
    log = [event for event in whole.run() if event.kind in ("played", "evaluated")]
    part, asked = learner_of(task, trained(task, **way), capacity=150), stops(after)
    before = list(part.run(lambda: save_online(part, tmp_path), lambda: next(asked)))
    assert before[-1].kind == "stopped"
    run = load_run(tmp_path)
    rest = load_online(run, data_of(task), task, "cpu", online_config(run))
    assert same(rest, part)
    logged = [event for event in (*before, *rest.run()) if event.kind in ("played", "evaluated")]
    assert same(rest, whole)
    assert [(event.kind, event.returns) for event in logged] == [(event.kind, event.returns) for event in log]


class ShortMaze(OGBenchTask):
    """Pointmaze with 40 steps an episode; its data are random."""

    def environments(self, count: int, seed: int) -> EnvBatch:
        return EnvBatch(self.names.env, count, seed, 40)


class ShortPendulum(GymTask):
    """Pendulum with 40 steps an episode."""

    def environments(self, count: int, seed: int) -> GymBatch:
        made = [self.make() for _ in range(count)]
        return GymBatch(self.env_id, made, seed, ActionBox(np.array([-2.0]), np.array([2.0]), "x"), 40)


@pytest.mark.parametrize(
    ("kind", "name"), [(ShortMaze, "pointmaze-medium-navigate-singletask-v0"), (ShortPendulum, "Pendulum-v1")]
)
def test_other_environments_go_on_bit_for_bit(tmp_path: Path, kind: type, name: str) -> None:
    task = kind(name)
    size, rng = (task.info.observation_dim, task.info.action_dim), np.random.default_rng(0)
    seen, actions = rng.normal(size=(50, size[0])), rng.uniform(-1.0, 1.0, (50, size[1]))
    data = make_transitions(seen, actions, np.zeros(50), np.ones(50), seen, np.arange(50) % 10 == 9)
    offline = make_config(**SMALL)

    def fresh() -> Learner:
        trainer = Trainer(data, offline)
        while not trainer.finished:
            trainer.step()
        return learner_of(task, trainer, steps=120, episodes=1, eval_every=60, eval_episodes=1)

    whole, part, asked = fresh(), fresh(), stops(5)
    list(whole.run())
    list(part.run(lambda: save_online(part, tmp_path), lambda: next(asked)))
    assert not part.finished
    run = load_run(tmp_path)
    rest = load_online(run, data, task, "cpu", online_config(run))
    list(rest.run())
    assert same(rest, whole)


def test_more_steps_for_a_finished_run(tmp_path: Path) -> None:
    task = ThreeExits()
    short, long = (learner_of(task, trained(task), steps=steps, eval_every=10**6) for steps in (150, 300))
    list(short.run())
    save_online(short, tmp_path)
    run = load_run(tmp_path)
    config = make_online_config(**(online_config(run).model_dump() | {"steps": 300}))
    more = load_online(run, data_of(task), task, "cpu", config)
    list(more.run())
    list(long.run())
    more.counts.events -= 1  # it was also evaluated where the short run ended
    assert same(more, long)


def test_what_is_wrong_with_a_folder(tmp_path: Path) -> None:
    task = Bandit2D()
    learner = learner_of(task, trained(task), steps=6)
    list(learner.run())
    save_online(learner, tmp_path)
    save_online(learner, tmp_path)  # twice the same: one file of rows
    (rows,) = tmp_path.glob("online-*.npz")
    run = load_run(tmp_path)
    content = rows.read_bytes()
    for damage in (content[:-10], b"", content[:100] + b"x" + content[101:]):
        rows.write_bytes(damage)
        with pytest.raises(CheckpointError, match="truncated or was edited"):
            load_online(run, data_of(task), task, "cpu", online_config(run))
    rows.unlink()
    with pytest.raises(CheckpointError, match="is missing"):
        load_online(run, data_of(task), task, "cpu", online_config(run))
    save_online(learner, tmp_path)
    with pytest.raises(CheckpointError, match="other data"):
        load_online(run, task.generate(100, 1), task, "cpu", online_config(run))


def test_what_is_refused() -> None:
    task = Bandit2D()
    with pytest.raises(ValueError, match="no rule named 'vfg'; did you mean 'vgf'"):
        learner_of(task, trained(task), rule="vfg", settings={})
    with pytest.raises(ValueError, match="has done 0 of 3 updates"):
        learner_of(task, Trainer(data_of(task), make_config(**SMALL)))
    with pytest.raises(ValueError, match="no setting 'stepz'; did you mean 'steps'"):
        make_online_config(rule="vgf", stepz=3)
    with pytest.raises(ValueError, match="online setting 'online_share': must be less than or equal to 1, got 2"):
        make_online_config(rule="vgf", online_share=2)


def test_warm_up_and_events_are_plain() -> None:
    learner = learner_of(Bandit2D(), trained(Bandit2D()), steps=10, warmup=10, updates_per_step=1.0)
    events = list(learner.run())
    assert learner.counts.updates == 2  # the last round's two steps alone pay
    assert all(isinstance(event, Event) for event in events)
