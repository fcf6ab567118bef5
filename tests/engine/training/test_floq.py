"""floq: a critic that flows to its value, trained by flow matching."""

from pathlib import Path

import numpy as np
import pytest
import torch
from engine.small_runs import TASK, saved_run, small_config, small_data, small_trainer

from workbench.engine.data.transitions import make_transitions
from workbench.engine.metrics.cost import evaluations_by_part
from workbench.engine.models.flow_critic import FlowCritic, ValueFlow
from workbench.engine.models.mlp import MlpShape
from workbench.engine.models.parts import Parts, q_gradient, q_values
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.program import arguments_of, program_of
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.checkpoint import load_run, resume, save_checkpoint
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses.floq import range_of, returns_to_go

RANGE = {"floq_low": -6.0, "floq_high": 6.0}


def small_critic(members: int = 2, steps: int = 3, starts: int = 2) -> FlowCritic:
    shape = MlpShape(FlowCritic.inputs(3, 2), 1, (16, 16), "gelu", "all", members)
    return FlowCritic(3, 2, shape, ValueFlow(-1.0, 3.0, 0.5, steps, starts), torch.Generator().manual_seed(0))


class Straight(FlowCritic):
    """The exact flow towards the value y = s₁ + 2 a₁ − a₂: v = (y − z) / (1 − t)."""

    def velocity(self, given: torch.Tensor, z: torch.Tensor, t: torch.Tensor, frozen: bool = False) -> torch.Tensor:
        y = given[:, 0] + 2.0 * given[:, 3] - given[:, 4]
        return (y - z) / (1.0 - t)


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize(("steps", "starts"), [(1, 1), (5, 4)])
def test_the_exact_flow_ends_at_the_value_and_has_its_gradient(members: int, steps: int, starts: int) -> None:
    """A deterministic value is the end of straight lines from every start, in any number of steps."""
    critic = Straight(3, 2, MlpShape(1, 1, (4,), members=members), ValueFlow(-1.0, 3.0, 1.0, steps, starts))
    s, a = torch.randn(7, 3), torch.rand(7, 2)
    value, grad = q_gradient(critic, s, a, "mean")
    torch.testing.assert_close(value, s[:, 0] + 2.0 * a[:, 0] - a[:, 1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(grad, torch.tensor([[2.0, -1.0]]).expand(7, 2), rtol=1e-4, atol=1e-5)
    assert critic(s, a).shape == (members, 7)


def test_starts_lie_in_the_middle_of_the_range() -> None:
    flow = ValueFlow(-1.0, 3.0, 0.5, 1, 1)
    assert flow.start(torch.tensor([0.0, 0.5, 1.0])).tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("members", [1, 2])
def test_the_gradient_through_the_integration(members: int) -> None:
    """Autograd through all steps against finite differences, in double precision."""
    critic = small_critic(members).double()
    s, a = torch.randn(5, 3).double(), torch.rand(5, 2).double()
    _, grad = q_gradient(critic, s, a, "mean")
    for d in range(2):
        step = torch.zeros(2).double()
        step[d] = 1e-5
        slope = (q_values(critic, s, a + step, "mean") - q_values(critic, s, a - step, "mean")) / 2e-5
        torch.testing.assert_close(grad[:, d], slope, rtol=1e-3, atol=1e-6)


def test_frozen_sends_no_gradient_to_the_weights() -> None:
    critic, a = small_critic(), torch.rand(4, 2, requires_grad=True)
    torch.testing.assert_close(critic.frozen(torch.zeros(4, 3), a), critic(torch.zeros(4, 3), a))
    critic.frozen(torch.zeros(4, 3), a).sum().backward()
    assert critic.net.theta.grad is None
    assert a.grad is not None


def test_its_cost_counts_every_pass() -> None:
    trainer = small_trainer(critic="floq", floq_steps=3, floq_starts=2, flow_steps=2, **RANGE)
    counted = evaluations_by_part(make_rule("qgf", flow_steps=4, particles=2), trainer.parts(), torch.zeros(3))
    assert counted == {"reference": 8, "critic gradient": 8 * 6, "critic": 2 * 6}


def test_a_checkpoint_opens_and_goes_on_bit_for_bit(tmp_path: Path) -> None:
    changes = {"critic": "floq", "floq_steps": 2, "floq_starts": 2, "flow_steps": 2, **RANGE}
    trainer = saved_run(tmp_path / "run", **changes)
    run = load_run(tmp_path / "run", TASK)
    assert run.config == small_config(**changes)
    again = resume(run, trainer.data)
    s, a = torch.randn(6, 3), torch.rand(6, 2)
    torch.testing.assert_close(run.parts().critic(s, a), trainer.parts().critic(s, a))
    assert torch.equal(again.networks.net("critic").theta, trainer.networks.net("critic").theta)


def test_a_range_that_the_data_leave_is_refused_with_the_one_they_need() -> None:
    rewards = np.where(np.arange(60) % 10 == 9, 30.0, 0.0)
    data = small_data(rewards=rewards)
    with pytest.raises(
        ValueError, match=r"returns in these data go from 27.4\d? to 30.*set floq_low=27.4 and floq_high=30"
    ):
        Trainer(data, small_config(critic="floq", floq_low=0.0, floq_high=1.0))
    Trainer(data, small_config(critic="floq", floq_low=0.0, floq_high=40.0))
    Trainer(data, small_config(critic="floq", floq_low=0.0, floq_high=1.0, reward_scale=0.03))
    with pytest.raises(ValueError, match="floq_low = 2 must be below floq_high = 1"):
        make_config(floq_low=2.0, floq_high=1.0)


def test_the_range_comes_from_the_data_and_stays_in_the_checkpoint(tmp_path: Path) -> None:
    rewards = np.where(np.arange(60) % 10 == 9, 30.0, 0.0)
    data = small_data(rewards=rewards)
    returns = returns_to_go(data, 0.99, 60)
    trainer = Trainer(data, small_config(critic="floq", reward_scale=0.5, flow_steps=2))
    low, high = trainer.config.floq_low, trainer.config.floq_high
    size = 0.5 * (returns.max() - returns.min())
    assert 0.25 * size <= 0.5 * returns.min() - low <= 0.4 * size
    assert 0.25 * size <= high - 0.5 * returns.max() <= 0.4 * size
    for _ in range(3):
        trainer.step()
    save_checkpoint(trainer, tmp_path, TASK)
    run = load_run(tmp_path)
    assert (run.config.floq_low, run.config.floq_high) == (low, high)
    assert (run.parts().critic.flow.low, run.parts().critic.flow.high) == (low, high)
    assert resume(run, data).config == trainer.config
    assert range_of(returns, (None, 40.0))[1] == 40.0
    assert Trainer(data, small_config(critic="floq", floq_low=-1.0, flow_steps=2)).config.floq_low == -1.0
    with pytest.raises(ValueError, match="leaves critic=floq no range"):
        Trainer(data, small_config(critic="floq", floq_high=-5.0))


@pytest.mark.parametrize("paid", [0.0, -1.0, 1e6])
def test_data_that_all_pay_alike_have_a_range(paid: float) -> None:
    low, high = range_of(np.full(50, paid), (None, None))
    assert low < paid < high
    assert high - low >= 0.5


def test_it_is_exported_for_any_number_of_states() -> None:
    parts = Parts(3, 2, lambda s, a, t: -a, small_critic())
    rule = make_rule("qgf", flow_steps=1, weight=0.5)
    program = program_of(rule, parts)
    for states in (5, 9):
        noise = draw_noise(states, 1, 2, torch.Generator().manual_seed(states))
        observations = torch.randn(states, 3, generator=torch.Generator().manual_seed(0))
        found, _ = program.module()(*arguments_of(rule, observations, noise))
        torch.testing.assert_close(found, act(rule, parts, observations, noise))


def test_returns_to_go_by_hand() -> None:
    data = small_data(rows=5, rewards=np.array([1.0, 2.0, 4.0, 8.0, 16.0]), ends=np.array([0, 1, 0, 0, 1], dtype=bool))
    np.testing.assert_allclose(returns_to_go(data, 0.5, 5), [2.0, 2.0, 12.0, 16.0, 16.0])
    np.testing.assert_allclose(returns_to_go(data, 0.5, 3), [2.0, 2.0, 4.0])


def test_it_learns_the_reward_of_a_bandit_and_steers_by_it() -> None:
    """One step, no noise: the value is the reward 1 − ‖a − m‖², and QGF climbs to m from a wide behaviour policy."""
    rng = np.random.default_rng(0)
    target = np.array([0.4, -0.3])
    actions = rng.uniform(-1.0, 1.0, (2000, 2))
    rewards = 1.0 - ((actions - target) ** 2).sum(1)
    ones = np.ones(2000)
    data = make_transitions(ones[:, None], actions, rewards, 0.0 * ones, ones[:, None], ones.astype(bool))
    settings = {"hidden": (64, 64), "steps": 1500, "learning_rate": 2e-3, "schedule": "cosine", "batch_size": 128}
    floq = {"critic": "floq", "actor": "bc", "floq_low": -3.0, "floq_high": 1.0, "floq_steps": 4, "floq_starts": 2}
    trainer = Trainer(data, make_config(**settings, **floq, flow_steps=4))
    for _ in fit(trainer, report_every=1500):
        pass
    parts = trainer.parts()
    seen, wanted = torch.from_numpy(actions[:500]).float(), torch.from_numpy(rewards[:500]).float()
    q = q_values(parts.critic, parts.normalize(torch.ones(500, 1)), seen, "mean")
    assert float((q - wanted).abs().mean()) < 0.06
    noise, where = draw_noise(200, 1, 2, torch.Generator().manual_seed(1)), torch.ones(200, 1)
    far = [
        float(
            (act(make_rule("qgf", weight=weight, flow_steps=4), parts, where, noise) - torch.tensor([0.4, -0.3]))
            .norm(dim=1)
            .mean()
        )
        for weight in (0.0, 2.0)
    ]
    assert far[1] < 0.4 * far[0], far
