"""The bandits, and the registry of tasks: the protocol, the known answers, and the story that the picture tells."""

import random

import numpy as np
import pytest
import torch
from torch import Tensor

from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.engine.tasks.bandits import Bandit, Bandit1D, Bandit2D
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.registry import TASKS, make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.training.config import make_config

BANDITS = (Bandit1D, Bandit2D)
each_bandit = pytest.mark.parametrize("kind", BANDITS, ids=lambda kind: kind.info.name)


def state(m: int) -> Tensor:
    return torch.zeros(m, 1)


# --- every task in the registry ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_task_protocol(name: str) -> None:
    task: Task = make_task(name)
    info = task.info
    assert info.name == name
    assert info.title
    assert info.summary
    assert make_config(**task.training_defaults()) is not None  # every default is a setting, within its bounds
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    data = task.generate(500, seed=3)
    env = task.environments(5, seed=3)
    observations = env.reset()
    assert random.getstate() == before[0]
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])
    assert (data.observation_dim, data.action_dim) == (info.observation_dim, info.action_dim)
    assert data.fingerprint() == task.generate(500, seed=3).fingerprint()
    assert data.fingerprint() != task.generate(500, seed=4).fingerprint()
    assert observations.shape == (5, info.observation_dim)
    assert observations.dtype == np.float32
    active = np.array([True, True, False, True, True])
    result = env.step(np.zeros((5, info.action_dim), dtype=np.float32), active)
    assert result.observations.shape == observations.shape
    assert result.rewards.dtype == np.float32
    assert result.rewards[2] == 0.0
    for flags in (result.terminated, result.truncated, result.success):
        assert flags.dtype == bool
        assert flags.shape == (5,)
        assert not flags[2]
    assert not (result.terminated & result.truncated).any()
    env.close()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bandit3d", r"no task named 'bandit3d'; did you mean 'bandit[12]d'\?.*Known tasks: bandit1d, bandit2d"),
        ("three_exit", "did you mean 'three_exits'"),
        ("ogbench", "did you mean 'ogbench/<id>'"),
        ("ogbench/", "did you mean 'ogbench/<id>'"),
        ("", "no task named ''"),
        ("gymnasium/x", "Known tasks:"),
    ],
)
def test_unknown_tasks(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_task(name)


# --- the bandits ------------------------------------------------------------------------------------------------


@each_bandit
def test_data_are_the_behaviour_and_the_true_reward_with_noise(kind: type[Bandit]) -> None:
    bandit = kind()
    data = bandit.generate(None, seed=0)
    assert len(data) == 4096
    assert (data.masks == 0.0).all()
    assert data.ends.all()
    assert (data.observations == 0.0).all()
    actions = torch.from_numpy(data.actions)
    noise = torch.from_numpy(data.rewards) - bandit.true_reward(actions)
    assert abs(float(noise.mean())) < 4.0 * 0.1 / 64.0  # 4096 rows: the standard error is 0.1 / 64
    assert abs(float(noise.std()) / 0.1 - 1.0) < 4.0 / (2.0 * 4096) ** 0.5
    spread = bandit.behaviour.covariance().diagonal().sqrt()
    assert ((actions.mean(0) - bandit.behaviour.mean()).abs() < 4.0 * spread / 64.0 + 0.002).all()  # clipping: 0.002
    with pytest.raises(ValueError, match="rows must be at least 1, got 0"):
        bandit.generate(0, seed=0)


def test_bandit1d_has_the_three_modes() -> None:
    assert Bandit1D().behaviour.means[:, 0].tolist() == pytest.approx([-0.8, 0.0, 0.4])


@each_bandit
def test_one_step_episodes_pay_the_true_reward(kind: type[Bandit]) -> None:
    bandit = kind()
    env = bandit.environments(4, seed=0)
    best = torch.tensor(bandit.default_peak)
    actions = torch.stack((best, -best, best, 9.0 * torch.ones_like(best))).numpy()
    result = env.step(actions, np.array([True, True, False, True]))
    assert result.terminated.tolist() == [True, True, False, True]
    assert not result.truncated.any()
    assert result.success.tolist() == [True, False, False, False]
    expected = bandit.true_reward(torch.from_numpy(actions).clamp(-1.0, 1.0))
    assert result.rewards.tolist() == pytest.approx([*expected[:2].tolist(), 0.0, float(expected[3])])


@each_bandit
def test_success_is_a_reward_within_a_fifth_of_the_best_on_the_support(kind: type[Bandit]) -> None:
    bandit = kind()
    draws = bandit.behaviour.draw(20_000, torch.Generator().manual_seed(0)).clamp(-1.0, 1.0)
    seen = bandit.true_reward(draws[bandit.on_support(draws)])
    assert float(seen.max()) == pytest.approx(bandit.best_on_support, abs=0.01)
    share = float((bandit.true_reward(draws) >= 0.8 * bandit.best_on_support).float().mean())
    assert 0.02 < share < 0.2  # in the data, but rare


@each_bandit
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_critic_is_right_on_the_support_and_wrong_off_it(kind: type[Bandit], seed: int) -> None:
    bandit = kind()
    parts = bandit.parts(seed)
    draws = bandit.behaviour.draw(20_000, torch.Generator().manual_seed(99)).clamp(-1.0, 1.0)
    draws = draws[bandit.on_support(draws)]
    error = q_values(parts.critic, state(len(draws)), draws, "mean") - bandit.true_reward(draws)
    assert float(error.square().mean().sqrt()) < 0.05
    corner = torch.tensor([[1.0, 0.75]])[:, : bandit.info.action_dim]
    assert not bandit.on_support(corner).any()
    promised = float(q_values(parts.critic, state(1), corner, "min"))
    assert promised > 1.2 * bandit.best_on_support  # more than anything on the support pays
    assert float(bandit.true_reward(corner)) < -0.3


def test_a_learned_critic_is_the_same_for_a_seed() -> None:
    same, again, other = (Bandit2D().parts(seed).critic.net.theta for seed in (0, 0, 1))
    assert torch.equal(same, again)
    assert not torch.equal(same, other)
    assert not same.requires_grad


def test_moving_the_peak() -> None:
    """In one dimension reward and critic follow at once; the pit and the spurious bump stay."""
    bandit = Bandit1D(peak=(-0.2,))
    at, end = torch.tensor([[-0.2]]), torch.tensor([[1.0]])
    critic = bandit.parts().critic
    assert float(bandit.true_reward(at)) == pytest.approx(1.0, abs=1e-3)
    assert float(critic(state(1), at)) == pytest.approx(1.0, abs=1e-3)
    assert float(critic(state(1), end) - bandit.true_reward(end)) == pytest.approx(3.0, abs=1e-3)
    assert float(Bandit1D().true_reward(at)) < 0.1
    with pytest.raises(ValueError, match="peak has shape"):
        Bandit1D(peak=(0.1, 0.2))


def curve(bandit: Bandit, parts: Parts, rule: str, axis: str, values: list[float], seed: int) -> list[float]:
    """Mean true reward of the chosen actions against the strength; the standard error is below 0.02."""
    found = []
    for value in values:
        built = make_rule(rule, **{axis: value})
        generator = torch.Generator().manual_seed(seed)
        noise = draw_noise(400, built.particles, bandit.info.action_dim, generator)
        found.append(float(bandit.true_reward(act(built, parts, state(400), noise)).mean()))
    return found


@each_bandit
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("rule", "axis", "values"),
    [
        ("qgf", "weight", [0.0, 0.3, 0.7, 2.0]),
        ("grad_step", "steps", [0, 5, 18, 60]),
        ("vgf", "steps", [0, 1, 2, 3, 10]),
    ],
)
def test_the_return_rises_and_then_falls(
    kind: type[Bandit], seed: int, rule: str, axis: str, values: list[float]
) -> None:
    bandit = kind()
    rewards = curve(bandit, bandit.parts(seed), rule, axis, values, seed)
    best = max(rewards)
    assert 0 < rewards.index(best) < len(rewards) - 1
    assert best > rewards[0] + 0.1
    assert rewards[-1] < rewards[0] - 0.15


@each_bandit
def test_rollout(kind: type[Bandit]) -> None:
    bandit = kind()
    parts = bandit.parts(0)
    played = rollout(make_rule("best_of_n", particles=16), parts, bandit, 50, seed=0)
    assert (played.lengths == 1).all()
    assert np.array_equal(played.returns, played.discounted)
    assert np.isfinite(played.q_first).all()
    assert played.success.mean() > rollout(make_rule("bc"), parts, bandit, 50, seed=0).success.mean()


@pytest.mark.parametrize("peak", [(0.2, 0.1), (-0.5, -0.3), (0.6, -0.3), (0.75, 0.2)])
def test_a_moved_peak_is_learned_as_well_as_from_the_start(peak):
    task = Bandit2D()
    moved, parts = task.move_peak(peak, task.parts())
    actions = moved.behaviour.draw(2000, torch.Generator().manual_seed(9)).clamp(-1.0, 1.0)

    def error(critic):
        return float(
            (critic(torch.zeros(2000, 1), actions).mean(0) - moved.true_reward(actions)).square().mean().sqrt()
        )

    assert error(parts.critic) < max(1.5 * error(Bandit2D(peak).parts().critic), 0.05)
    assert error(task.parts().critic) > 0.1  # the critic of the old peak would not do


def test_the_analytic_critic_moves_with_the_peak():
    task = Bandit1D()
    moved, parts = task.move_peak((-0.2,), task.parts())
    actions = torch.linspace(-1, 1, 50)[:, None]
    torch.testing.assert_close(parts.critic(actions, actions), Bandit1D((-0.2,)).parts().critic(actions, actions))
    assert moved.reward.peak.item() == pytest.approx(-0.2)
