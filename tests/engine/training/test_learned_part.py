"""Further parts for a policy that is there: closed-form or trained, it stays as it is."""

from pathlib import Path

import pytest
import torch

from workbench.engine.data.transitions import Transitions
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act
from workbench.engine.tasks.registry import make_task
from workbench.engine.training.config import FitConfig, make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.learned_part import LearnedPart, LearnedPartTrainer, fingerprint
from workbench.engine.training.loop.quick import quick_part
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import LEARNED_PARTS


@pytest.fixture(scope="module")
def line() -> tuple[Parts, Transitions]:
    """The bandit whose flow and critic are formulas, and its data."""
    task = make_task("bandit1d")
    return task.parts(), task.generate(512, 0)


def small(**more) -> FitConfig:
    defaults = {"hidden": (16,), "steps": 3, "batch_size": 32, "normalize_observations": False}
    return make_config(**(defaults | more))


def made(parts: Parts, data: Transitions, name: str, config: FitConfig, folder: Path | None = None) -> Parts:
    training = quick_part(parts, name, lambda: data, config, folder)
    while True:
        try:
            next(training)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("name", LEARNED_PARTS)
def test_every_part_can_be_added_to_closed_forms(line, name: str, tmp_path: Path) -> None:
    parts, data = line
    before = fingerprint(parts)
    found = made(parts, data, name, small(), tmp_path)
    assert fingerprint(parts) == before
    assert (found.reference, found.critic) == (parts.reference, parts.critic)
    assert name in found.available()
    for rule in (rule for rule in RULES.values() if name in rule.needs):
        noise = draw_noise(8, rule().particles, 1, torch.Generator().manual_seed(0), rule().extra_draws())
        actions = act(rule(), found, torch.zeros(8, 1), noise)
        assert actions.abs().max() <= 1.0
    again = made(parts, data, name, small(), tmp_path)  # read from the folder: nothing is trained
    theta = found.extra[name].net.theta
    torch.testing.assert_close(again.extra[name].net.theta, theta, rtol=0, atol=0)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-8])
    damaged = made(parts, data, name, small(), tmp_path)  # trained again, to the same bits
    torch.testing.assert_close(damaged.extra[name].net.theta, theta, rtol=0, atol=0)


def test_the_one_step_policy_finds_the_critic_s_peak(line, tmp_path: Path) -> None:
    """Without distillation (α = 0) FQL's policy is the arg max of the critic, here a bump at the right end."""
    parts, data = line
    config = small(hidden=(32, 32), steps=300, learning_rate=1e-2, fql_alpha=0.0)
    found = made(parts, data, "one_step", config, tmp_path)
    noise = draw_noise(64, 1, 1, torch.Generator().manual_seed(1))
    actions = act(make_rule("fql"), found, torch.zeros(64, 1), noise)
    grid = torch.linspace(-1, 1, 401)[:, None]
    best = grid[parts.critic(torch.zeros(401, 1), grid)[0].argmax()]
    assert (actions - best).abs().median() < 0.05


def test_trained_parts_are_learned_from_too(line) -> None:
    _, data = line
    trainer = Trainer(data, small())
    list(fit(trainer))
    parts = trainer.parts()
    trainer = LearnedPartTrainer(data, LearnedPart(parts, small(), "conditioned_flow"))
    assert trainer.learned.keys == ("conditioned_flow",)  # IQL has trained the value
    assert set(trainer.step()) == {"flow_better", "flow_any"}
    assert trainer.learned.parts().value is parts.value


def test_what_cannot_be_trained_is_told(line) -> None:
    parts, _ = line
    with pytest.raises(ValueError, match=r"no learned part named 'one_stp'.*one_step"):
        LearnedPart(parts, small(), "one_stp")
    with pytest.raises(ValueError, match="learns from a critic"):
        LearnedPart(Parts(1, 1, parts.reference), small(), "one_step")
    other = make_task("bandit2d").generate(64, 0)
    with pytest.raises(ValueError, match="different tasks"):
        LearnedPartTrainer(other, LearnedPart(parts, small(), "one_step"))
    with pytest.raises(ValueError, match="not the weights of part 'one_step'"):
        LearnedPart(parts, small(), "one_step").load({})
