"""The Gaussian behaviour policy: its field and density in closed form, and every rule, critic and checkpoint with it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine.small_runs import TASK, saved_run, small_data, small_trainer
from torch import Tensor

from workbench.engine.data.transitions import make_transitions
from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.metrics.likelihood import log_likelihood
from workbench.engine.models.check import check_parts
from workbench.engine.models.gaussian_flow import GaussianFlow
from workbench.engine.models.mlp import MlpShape
from workbench.engine.models.parts import Parts, velocity_and_pull
from workbench.engine.models.velocity import sample
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act, steer
from workbench.engine.tasks.bandits import Bandit2D
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.checkpoint import CheckpointError, _check_arrays, load_run, resume
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.together import fit_together
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import CRITICS, LEARNED_PARTS
from workbench.engine.words import UserError

PARTS = tuple(name for name in LEARNED_PARTS if name != "adjoint_flow")
both = pytest.mark.parametrize("tanh", [False, True])


def policy(tanh: bool, log_std: tuple[float, float] = (-1.2, 0.4)) -> GaussianFlow:
    """One whose mean depends on the state."""
    flow = GaussianFlow(3, 2, MlpShape(3, 4, (8,), "relu", "none"), tanh, torch.Generator().manual_seed(0))
    with torch.no_grad():
        arrays = flow.net.arrays()
        arrays["1.weight"][..., :2].div_(0.01)
        arrays["1.bias"][..., 2:] = torch.tensor(log_std)
    return flow


def drawn(rows: int = 500) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(rows, 3, generator=generator), torch.randn(rows, 2, generator=generator)


@both
@pytest.mark.parametrize("steps", [1, 4, 10])
def test_samples_are_exact_whatever_the_steps(tanh: bool, steps: int) -> None:
    flow, (states, noise) = policy(tanh), drawn()
    mean, log_std = flow.moments(states)
    expected = mean + log_std.exp() * noise
    expected = torch.tanh(expected) if tanh else expected
    torch.testing.assert_close(sample(flow, states, noise, steps), expected.clamp(-1, 1), rtol=0, atol=3e-6)


@both
def test_a_path_is_a_straight_line(tanh: bool) -> None:
    """At every point of the way from noise to action the velocity is action minus noise, times one number or one for each row."""
    flow, (states, noise) = policy(tanh), drawn()
    mean, log_std = flow.moments(states)
    end = mean + log_std.exp() * noise
    end = torch.tanh(end) if tanh else end
    times = torch.rand(len(states), generator=torch.Generator().manual_seed(2))
    x = torch.lerp(noise, end, times[:, None])
    torch.testing.assert_close(flow(states, x, times), end - noise, rtol=1e-4, atol=1e-4)
    for t in (0.0, 0.5, 0.9):
        torch.testing.assert_close(flow(states, torch.lerp(noise, end, t), t), end - noise, rtol=1e-4, atol=1e-4)


@both
def test_its_own_jacobian_is_that_of_autograd(tanh: bool) -> None:
    flow, (states, x) = policy(tanh), drawn(50)
    for t in (0.0, 0.3, 0.9):
        v, pull = flow.value_and_pull(states, x, t)
        plain, autograd_pull = velocity_and_pull(lambda s, a, time: flow(s, a, time), states, x, t)
        torch.testing.assert_close(v, plain)
        u = torch.randn(50, 2, generator=torch.Generator().manual_seed(3))
        torch.testing.assert_close(pull(u), autograd_pull(u), rtol=1e-4, atol=1e-4)


@both
def test_far_off_the_path_it_stays_finite(tanh: bool) -> None:
    flow, states = policy(tanh), torch.zeros(4, 3)
    for t in (0.0, 0.9, 1.0):
        v, pull = flow.value_and_pull(states, torch.tensor([[3.0, -3.0]] * 4), t)
        assert bool(v.isfinite().all() and pull(torch.ones(4, 2)).isfinite().all())


@both
def test_the_density_is_that_of_its_samples(tanh: bool) -> None:
    """It integrates to one, and is what the flow's own change of variables gives."""
    flow = policy(tanh, (-1.0, -0.7))
    edge = 0.9999 if tanh else 4.0
    axis = torch.linspace(-edge, edge, 1601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        total = flow.double().log_density(torch.zeros(1, 3, dtype=torch.float64), grid).exp().sum()
    assert float(total * (axis[1] - axis[0]) ** 2) == pytest.approx(1.0, abs=2e-3)
    flow.float()
    states, noise = drawn(40)
    actions = sample(flow, states, 0.5 * noise, 1).detach()
    inside = (actions.abs() < 0.99).all(1)
    found = log_likelihood(flow, states[inside], actions[inside], 5).value
    torch.testing.assert_close(found, flow.log_density(states[inside], actions[inside]).detach(), rtol=1e-3, atol=1e-3)


def test_it_learns_mean_and_spread() -> None:
    """Data from a Gaussian whose mean depends on the state: maximum likelihood is known."""
    rng = np.random.default_rng(0)
    states = rng.normal(size=(4000, 3))
    actions = np.tanh(states[:, :2]) * 0.5 + rng.normal(size=(4000, 2)) * [0.05, 0.15]
    zeros, ones = np.zeros(4000), np.ones(4000)
    data = make_transitions(states, actions, zeros, ones, states, ones, out_of_bounds="clip")
    config = make_config(behaviour="gaussian", hidden=(32, 32), steps=1500, batch_size=128, learning_rate=3e-3)
    trainer = Trainer(data, config)
    for _ in fit(trainer, report_every=1500):
        pass
    seen = (torch.from_numpy(states).float() - trainer.networks.mean) / trainer.networks.std
    with torch.no_grad():
        mean, log_std = trainer.networks.reference.moments(seen)
    assert float((mean - 0.5 * torch.tanh(torch.from_numpy(states[:, :2]))).abs().mean()) < 0.03
    torch.testing.assert_close(log_std.exp(), torch.tensor([[0.05, 0.15]]), rtol=0.15, atol=0.0)


@pytest.fixture(scope="module")
def everything() -> Trainer:
    trainer = small_trainer(behaviour="gaussian", parts=PARTS, flow_steps=2)
    for _ in range(5):
        trainer.step()
    return trainer


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if "adjoint_flow" not in rule.needs])
def test_every_rule_steers_it(everything: Trainer, name: str) -> None:
    parts, rule = everything.parts(), make_rule(name, flow_steps=3)
    generator = torch.Generator().manual_seed(0)
    noise = draw_noise(4, rule.particles, 2, generator, rule.extra_draws())
    states = torch.randn(4, 3, generator=generator)
    actions = act(rule, parts, states, noise)
    torch.testing.assert_close(actions, steer(rule, parts, states, noise).actions)
    still = rule.bc_at
    if still is not None and "reference" in rule.needs and rule.particles == 1:
        alone = act(make_rule(name, flow_steps=3, **still), parts, states, noise)
        mean, log_std = parts.reference.moments(parts.normalize(states))
        expected = (mean + log_std.exp() * noise.start[:, 0]).clamp(-1, 1)
        torch.testing.assert_close(alone, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("critic", [name for name in CRITICS if name not in ("floq", "dqc")])
@both
def test_every_critic_beside_it_alone_and_together(critic: str, tanh: bool) -> None:
    way: dict[str, Any] = {
        "behaviour": "gaussian",
        "gaussian_tanh": tanh,
        "critic": critic,
        "flow_steps": 2,
        "steps": 30,
    }
    way |= {"particles": 3, "ascent": "plain", "step_size": 0.02}
    pairs = [[small_trainer(**way, seed=seed) for seed in (3, 7)] for _ in range(2)]
    for trainer in pairs[0]:
        for _ in fit(trainer):
            pass
    list(fit_together(pairs[1]))
    for alone, found in zip(*pairs, strict=True):
        for name in alone.networks.modules():
            torch.testing.assert_close(
                found.networks.net(name).theta, alone.networks.net(name).theta, rtol=1e-5, atol=1e-5
            )
    head = pairs[0][0].networks.net("reference").arrays()["2.weight"][..., 2:]
    assert (head == 0.0).all()  # σ stays the same at every state


@both
def test_a_checkpoint_goes_on_bit_for_bit(tmp_path: Path, tanh: bool) -> None:
    trainer = saved_run(tmp_path / "run", behaviour="gaussian", gaussian_tanh=tanh)
    run = load_run(tmp_path / "run", TASK)
    again, parts = resume(run, small_data()), run.parts()
    assert torch.equal(again.networks.reference.net.theta, trainer.networks.reference.net.theta)
    states, noise = drawn(4)
    assert torch.equal(parts.reference(states, noise, 0.5), trainer.networks.reference(states, noise, 0.5))
    assert parts.action_dim == 2
    rule = make_rule("qgf", weight=1.0)
    draws = draw_noise(4, 1, 2, torch.Generator().manual_seed(0))
    torch.testing.assert_close(act(rule, parts, states, draws), act(rule, trainer.parts(), states, draws))


def test_a_flow_is_not_read_as_a_gaussian(tmp_path: Path) -> None:
    """Settings of one and arrays of the other are refused."""
    saved_run(tmp_path / "run", behaviour="gaussian")
    run = load_run(tmp_path / "run", TASK)
    other = saved_run(tmp_path / "flow")
    arrays = dict(run.arrays) | {"reference.2.bias": other.networks.net("reference").arrays()["2.bias"][..., :1]}
    with pytest.raises(CheckpointError, match="reference"):
        _check_arrays(arrays, run.config)


def test_qam_refuses_it_and_says_what_to_do() -> None:
    with pytest.raises(UserError, match=r"adjoint_flow.*behaviour=flow_matching"):
        small_trainer(behaviour="gaussian", parts=("adjoint_flow",))


def test_it_is_evaluated_as_any_policy() -> None:
    task = Bandit2D()
    config = make_config(
        **(
            task.training_defaults()
            | {"behaviour": "gaussian", "steps": 200, "hidden": (16, 16), "learning_rate": 1e-2}
        )
    )
    trainer = Trainer(task.generate(400, 0), config)
    for _ in fit(trainer):
        pass
    parts = trainer.parts()
    assert not check_parts(parts, parts.behaviour_states)
    still = evaluate(make_rule("qgf", weight=0.0), parts, task, episodes=8, seed=0)
    pushed = evaluate(make_rule("qgf", weight=3.0), parts, task, episodes=8, seed=0)
    assert still.shift is not None
    assert pushed.shift is not None
    assert still.shift.displacement == 0.0 < pushed.shift.displacement


def test_a_field_that_only_says_it_is_straight_is_found_out() -> None:
    class Curved(GaussianFlow):
        def forward(self, observations: Tensor, actions: Tensor, t: Tensor | float) -> Tensor:
            return super().forward(observations, actions, t) + 0.5 * torch.sin(3.0 * torch.as_tensor(t)).reshape(-1, 1)

    curved = Curved(3, 2, MlpShape(3, 4, (8,), "relu", "none"), False, torch.Generator().manual_seed(0))
    (problem,) = check_parts(Parts(3, 2, curved))
    assert "is_straight" in str(problem)
