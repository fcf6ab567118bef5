"""The distilled gradient: what the network learns is QGF's gradient, in closed form, and steering by it is steering by QGF."""

import math

import torch
from engine.small_runs import small_trainer
from torch import Tensor

from workbench.engine.data.transitions import make_transitions
from workbench.engine.metrics.cost import evaluations_by_part
from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.parts import Parts, q_gradient
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.learned_part import LearnedPart, LearnedPartTrainer
from workbench.engine.training.losses.distilled_gradient import DistilledGradient
from workbench.engine.training.losses.loss import Scene

AIM = torch.tensor([0.3, -0.2])


def value(observations: Tensor, actions: Tensor) -> Tensor:
    return -(actions - AIM).square().sum(1)


def test_it_learns_the_gradient_of_a_quadratic_through_a_gaussian_flow() -> None:
    """Actions N(0, s² I): x̂ = t s² x / ((1−t)² + t² s²), so the gradient −2 (x̂ − m) is linear in x, with a known slope."""
    spread = 0.25
    generator = torch.Generator().manual_seed(0)
    actions = (spread * torch.randn(3000, 2, generator=generator)).clamp(-1.0, 1.0).double().numpy()
    ones = torch.ones(3000).double().numpy()
    data = make_transitions(ones[:, None], actions, ones, 0.0 * ones, ones[:, None], ones.astype(bool))
    flow = MixtureFlow(torch.zeros(1, 2), torch.tensor([spread]), torch.ones(1))
    config = make_config(
        hidden=(64, 64), steps=800, batch_size=256, learning_rate=3e-3, schedule="cosine", family="vgf", seed=1
    )
    trainer = LearnedPartTrainer(data, LearnedPart(Parts(1, 2, flow, value), config, "distilled_gradient"))
    for _ in fit(trainer):
        pass
    parts, rows = trainer.learned.parts(), torch.ones(300, 1)
    for t in (0.0, 0.5, 0.9):
        tau = math.sqrt((1.0 - t) ** 2 + (t * spread) ** 2)
        x = tau * torch.randn(300, 2, generator=generator)
        wanted = -2.0 * (t * spread**2 / tau**2 * x - AIM)
        found = parts.part("distilled_gradient")(rows, x, torch.full((300,), t))
        assert float((found - wanted).square().mean().sqrt()) < 0.12, t
    noise = draw_noise(100, 1, 2, torch.Generator().manual_seed(5))
    ends = {
        (name, w): act(make_rule(name, weight=w), parts, torch.ones(100, 1), noise)
        for name in ("qgf", "qgf_distilled")
        for w in (0.0, 0.4)
    }
    assert torch.equal(ends["qgf_distilled", 0.0], ends["qgf", 0.0])
    moved = float((ends["qgf", 0.4] - ends["qgf", 0.0]).norm(dim=1).mean())
    apart = float((ends["qgf", 0.4] - ends["qgf_distilled", 0.4]).norm(dim=1).mean())
    assert apart < 0.15 * moved, (apart, moved)


def test_the_loss_by_hand() -> None:
    trainer = small_trainer(parts=("distilled_gradient",))
    nets, (batch, noise) = trainer.networks, trainer.draw()
    start, time = noise["distilled_gradient"]
    found = DistilledGradient(trainer.config)(Scene(nets), batch, (start, time))["distilled_gradient"]
    errors = []
    for s, a, x_0, t in zip(batch.observations, batch.actions, start, time, strict=True):
        x = (1.0 - t) * x_0 + t * a
        ahead = (x + (1.0 - t) * nets.reference(s[None], x[None], t[None])[0]).clamp(-1.0, 1.0).detach()
        _, gradient = q_gradient(nets.target_critic, s[None], ahead[None], "min")
        learned = nets.extra["distilled_gradient"](s[None], x[None], t[None])[0]
        errors.append((learned - gradient[0]).square().mean())
    torch.testing.assert_close(found, torch.stack(errors).mean())


def test_it_never_differentiates_the_critic() -> None:
    trainer = small_trainer(parts=("distilled_gradient",), steps=2)
    for _ in fit(trainer):
        pass
    counted = evaluations_by_part(make_rule("qgf_distilled", flow_steps=4), trainer.parts(), torch.zeros(3))
    assert counted == {"reference": 4, "distilled_gradient": 4}
