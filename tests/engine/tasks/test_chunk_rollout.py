"""Chunks played open loop: against environments that count, and against a loop that is written out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from engine.small_runs import saved_run, small_config, small_data
from torch import Tensor

from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act, steer
from workbench.engine.tasks.bandits import Bandit2D
from workbench.engine.tasks.protocol import StepResult, TaskInfo
from workbench.engine.tasks.rollout import rollout
from workbench.engine.training.loop.checkpoint import load_run
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import CRITICS
from workbench.engine.training.plan import extra_parts

HORIZON = 7  # not divisible by the chunks below


class Diary:
    """E environments that write down what they are told; environment i terminates after ``lengths[i]`` steps."""

    def __init__(self, lengths: tuple[int, ...]) -> None:
        self.lengths, self.actions, self.clock = np.array(lengths), [[] for _ in lengths], np.zeros(len(lengths), int)

    def reset(self) -> np.ndarray:
        return self._seen()

    def _seen(self) -> np.ndarray:
        return np.stack((np.arange(len(self.lengths)), self.clock), 1).astype(np.float32)

    def step(self, actions: np.ndarray, active: np.ndarray) -> StepResult:
        assert actions.shape == (len(self.lengths), 2)
        for i in np.flatnonzero(active):
            self.actions[i].append(actions[i].copy())
        self.clock = self.clock + active
        terminated = active & (self.clock >= self.lengths)
        truncated = active & ~terminated & (self.clock >= HORIZON)
        return StepResult(self._seen(), active.astype(np.float32), terminated, truncated, terminated)

    def close(self) -> None:
        pass


class DiaryTask:
    info = TaskInfo("diary", "Diary", 2, 2, HORIZON, "writes down what it is told")

    def __init__(self, lengths: tuple[int, ...]) -> None:
        self._lengths = lengths

    def environments(self, count: int, seed: int) -> Diary:
        assert count == len(self._lengths)
        self.env = Diary(self._lengths)
        return self.env


def drift(observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
    return 0.1 * observations.sum(1, keepdim=True) - 0.2 * actions


def q_of(observations: Tensor, actions: Tensor) -> Tensor:
    return actions.sum(1) + observations[:, 0]


def parts_of(chunk: int) -> Parts:
    return Parts(2, 2 * chunk, drift, q_of, discount=0.5, chunk=chunk, behaviour_states=torch.zeros(3, 2))


@pytest.mark.parametrize("chunk", [1, 2, 3, 5])
def test_actions_come_from_decisions_made_every_chunk(chunk: int) -> None:
    lengths = (1, 3, 4, 7, 9)
    task, parts, rule = DiaryTask(lengths), parts_of(chunk), make_rule("qgf", weight=0.5)
    played = rollout(rule, parts, task, len(lengths), 3)
    real = np.minimum(lengths, HORIZON)
    assert played.lengths.tolist() == real.tolist()
    assert played.returns.tolist() == real.tolist()
    assert np.allclose(played.discounted, [sum(0.5**i for i in range(n)) for n in real])  # γ per environment step
    assert played.terminated.tolist() == [True, True, True, True, False]
    generator, decided = torch.Generator().manual_seed(3), []
    for decision in range(-(-HORIZON // chunk)):  # the noise of decision k belongs to environment i, active or not
        noise = draw_noise(len(lengths), 1, 2 * chunk, generator)
        seen = torch.tensor([[i, decision * chunk] for i in range(len(lengths))], dtype=torch.float32)
        decided.append(act(rule, parts, seen, noise).view(-1, chunk, 2))
    wanted = torch.cat(decided, 1).numpy()
    for i, n in enumerate(real):
        assert np.allclose(task.env.actions[i], wanted[i, :n], atol=1e-6)
    first = torch.tensor([[i, 0.0] for i in range(len(lengths))])
    assert np.allclose(played.q_first, q_of(first, decided[0].flatten(1)).numpy(), atol=1e-6)  # Q of the whole chunk


def test_time_counts_played_actions_and_decisions() -> None:
    played = rollout(make_rule("bc"), parts_of(5), DiaryTask((3, 7)), 2, 0)
    # 3 decisions (two at the start, one at step 5) and 10 actions
    assert played.seconds_per_action * 10 == pytest.approx(played.seconds_per_decision * 3)


def test_evaluation_counts_per_decision_and_per_action() -> None:
    result = evaluate(make_rule("qgf"), parts_of(5), DiaryTask((3, 7)), 2, 0).as_dict()
    assert result["chunk"] == 5
    assert result["network_evaluations"] == 20
    assert result["network_evaluations_per_action"] == 4
    plain = evaluate(make_rule("qgf"), parts_of(1), DiaryTask((3, 7)), 2, 0).as_dict()
    assert plain["network_evaluations_per_action"] == plain["network_evaluations"] == 20


def test_parts_of_another_task_are_refused() -> None:
    with pytest.raises(ValueError, match=r"act with 6 numbers, 1 step of 6; task 'diary' takes 2 a step"):
        rollout(make_rule("bc"), Parts(2, 6, drift), DiaryTask((1,)), 1, 0)
    with pytest.raises(ValueError, match="action_dim = 3 is not a chunk of 2 actions"):
        Parts(2, 3, drift, chunk=2)


def test_noise_of_the_wrong_width_names_the_chunk() -> None:
    noise = Noise(torch.zeros(1, 1, 2), torch.zeros(1, 1))
    with pytest.raises(ValueError, match=r"\(chunks of h = 5 actions of 2\)"):
        steer(make_rule("bc"), parts_of(5), torch.zeros(1, 2), noise)


def test_a_bandit_ends_inside_its_chunk() -> None:
    """Rewards of one step; all of a chunk's actions but the first are never played."""
    task = Bandit2D()
    trainer = Trainer(task.generate(200, 0), small_config(chunk=3, normalize_observations=False))
    trainer.step()
    played = rollout(make_rule("vgf"), trainer.parts(), task, 4, 0)
    assert played.lengths.tolist() == [1, 1, 1, 1]


def test_checkpoints_keep_the_chunk(tmp_path: Path) -> None:
    trainer = saved_run(tmp_path / "run", chunk=4)
    run = load_run(tmp_path / "run")
    assert run.config.chunk == 4
    loaded, before = run.parts(), trainer.parts()
    assert (loaded.chunk, loaded.action_dim) == (4, 4 * small_data().action_dim)
    noise = draw_noise(4, 2, loaded.action_dim, torch.Generator().manual_seed(0))
    rule = make_rule("vgf", particles=2)
    assert torch.equal(act(rule, loaded, run.probes[:4], noise), act(rule, before, run.probes[:4], noise))


@pytest.mark.parametrize("name", RULES)
def test_every_rule_acts_in_chunks(name: str) -> None:
    task, settings = Bandit2D(), {"steps": 2, "reference_steps": 2, "particles": 2, "normalize_observations": False}
    parts = extra_parts(RULES[name].needs)
    trainer = Trainer(task.generate(100, 0), small_config(chunk=3, parts=parts, **settings))
    while not trainer.finished:
        trainer.step()
    result = evaluate(make_rule(name, flow_steps=2), trainer.parts(), task, 3, 0)
    assert result.chunk == 3
    assert np.isfinite([result.shift.w2, result.shift.displacement, result.returns.mean]).all()


@pytest.mark.parametrize("critic", CRITICS)
def test_every_critic_learns_from_chunks(critic: str) -> None:
    settings = {"particles": 2, "flow_steps": 2, "reference_steps": 2}
    trainer = Trainer(small_data(), small_config(chunk=3, critic=critic, **settings))
    losses: dict[str, Tensor] = {}
    while not trainer.finished:
        losses |= trainer.step()
    assert all(bool(loss.isfinite()) for loss in losses.values())
    assert trainer.parts().critic(torch.zeros(1, 3), torch.zeros(1, 6)).shape == (2, 1)
