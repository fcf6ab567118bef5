"""Every method that is steered in training beats the behaviour policy on the bandit in the plane, whose true reward is known."""

import pytest
import torch
from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act
from workbench.engine.tasks.bandits import Bandit2D
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.plan import extra_parts

DRAWS = 4000  # the true reward's deviation is at most 0.5, so the standard error of a mean is at most 0.008
TRAINED = [name for name, rule in RULES.items() if rule.trained_strength is not None]
STRENGTHS = {
    "fql_alpha": 3.0,
    "edp_bc": 3.0,
    "rebrac_bc": 1.0,
    "awr_temperature": 0.1,
    "qam_inverse_temperature": 10.0,
    "dsrl_scale": 2.0,
    "dsrl_temperature": 0.02,
    "dsrl_entropy": -1.0,
    "fbrac_alpha": 7.0,
    "iql_flow_inverse_temperature": 10.0,
}


def trained(task: Bandit2D, **settings: object) -> Parts:
    config = make_config(**(task.training_defaults() | {"steps": 800, "flow_steps": 5} | settings))
    trainer = Trainer(task.generate(None, 0), config)
    for _ in fit(trainer):
        pass
    return trainer.parts()


@pytest.fixture(scope="module")
def task() -> Bandit2D:
    return Bandit2D()


@pytest.fixture(scope="module")
def parts(task: Bandit2D) -> Parts:
    """One critic and all actors, trained together; none of them sees the others."""
    return trained(task, parts=[part for name in TRAINED for part in extra_parts(RULES[name].needs)], **STRENGTHS)


def actions(name: str, parts: Parts) -> Tensor:
    rule = make_rule(name, flow_steps=5)
    noise = draw_noise(DRAWS, rule.particles, 2, torch.Generator().manual_seed(1), rule.extra_draws())
    return act(rule, parts, torch.zeros(DRAWS, 1), noise)


@pytest.mark.parametrize("name", [*TRAINED, "idql"])
def test_each_method_beats_the_behaviour_policy(name: str, task: Bandit2D, parts: Parts) -> None:
    behaviour, found = (task.true_reward(actions(rule, parts)) for rule in ("bc", name))
    error = float((behaviour.var() / DRAWS + found.var() / DRAWS) ** 0.5)
    assert error < 0.012
    assert found.mean() - behaviour.mean() > 0.05 + 4 * error


def test_fql_with_a_huge_alpha_is_the_flow_in_one_step(task: Bandit2D) -> None:
    """From the same noise ω lands where the flow does: a small part of the spread of the flow's own samples."""
    parts = trained(task, parts=("one_step",), fql_alpha=1e4)
    flow, jumped = actions("bc", parts), actions("fql", parts)
    spread = (flow - flow.mean(0)).norm(dim=1).square().mean().sqrt()
    assert (jumped - flow).norm(dim=1).square().mean().sqrt() < 0.25 * spread
