"""The losses of the parts that rules need beyond flow and critic: by hand, and without touching the other networks."""

import pytest
import torch
from engine.small_runs import small_trainer
from torch import Tensor

from workbench.engine.data.transitions import Batch
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import LEARNED_PARTS
from workbench.engine.training.losses.conditioned_flow import ConditionedFlow
from workbench.engine.training.losses.loss import Scene
from workbench.engine.training.losses.robust_critic import RobustCritic
from workbench.engine.training.losses.value_gradient import AmortisedGradient

each_part = pytest.mark.parametrize("part", LEARNED_PARTS)


def batch_of(trainer: Trainer, rows: int = 16) -> Batch:
    return trainer.replay.batch(torch.arange(rows))


def separate(trainer: Trainer) -> None:
    """Move the target critic and the value away from where they start, so that a mix-up shows."""
    with torch.no_grad():
        for name in ("target_critic", "value"):
            trainer.networks.net(name).theta.add_(0.1)


@each_part
def test_flow_and_critic_are_the_same_with_and_without_it(part: str) -> None:
    alone, beside = small_trainer(), small_trainer(parts=(part,))
    for _ in range(5):
        alone.step(), beside.step()
    for name in ("reference", "critic", "value", "target_critic"):
        assert torch.equal(alone.networks.net(name).theta, beside.networks.net(name).theta), name
    assert set(beside.weights) > set(alone.weights)
    assert set(LEARNED_PARTS[part].trains) <= set(beside.parts().available())


@each_part
def test_only_its_own_networks_get_gradients(part: str) -> None:
    trainer = small_trainer(parts=(part,))
    loss = LEARNED_PARTS[part](trainer.config)
    noise = loss.draw(batch_of(trainer), torch.Generator().manual_seed(0))
    torch.stack(list(loss(Scene(trainer.networks), batch_of(trainer), noise).values())).sum().backward()
    for name, module in trainer.networks.modules().items():
        grads = [weight.grad for weight in module.parameters()]
        if name in loss.trains:
            assert all(grad is not None and grad.abs().sum() > 0 for grad in grads)
        else:
            assert all(grad is None or (grad == 0).all() for grad in grads), name


def test_robust_critic_by_hand() -> None:
    trainer = small_trainer(parts=("robust_critic",))
    separate(trainer)
    nets, batch = trainer.networks, batch_of(trainer)
    start, time = RobustCritic(trainer.config).draw(batch, torch.Generator().manual_seed(0))
    found = RobustCritic(trainer.config)(Scene(nets), batch, (start, time))["robust_critic"]
    errors = []
    for i in range(len(start)):
        s, a, t = batch.observations[i : i + 1], batch.actions[i : i + 1], time[i]
        noised = (1 - t) * start[i] + t * a
        errors.append(nets.extra["robust_critic"](s, noised, t[None])[0, 0] - nets.target_critic(s, a).min())
    torch.testing.assert_close(found, torch.stack(errors).square().mean())


def test_conditioned_flow_by_hand() -> None:
    trainer = small_trainer(parts=("conditioned_flow",))
    separate(trainer)
    nets, batch, loss = trainer.networks, batch_of(trainer), ConditionedFlow(trainer.config)
    start, time = loss.draw(batch, torch.Generator().manual_seed(0))
    found = loss(Scene(nets), batch, (start, time))
    told, plain, better = [], [], 0
    for i in range(len(start)):
        s, a, t = batch.observations[i], batch.actions[i], time[i]
        noised = (1 - t) * start[i] + t * a

        def error(label: float, s: Tensor = s, x: Tensor = noised, t: Tensor = t, u: Tensor = a - start[i]) -> Tensor:
            v = nets.extra["conditioned_flow"](torch.cat((s, torch.tensor([label])))[None], x[None], t[None])
            return (v[0] - u).square().mean()

        good = bool(nets.target_critic(s[None], a[None]).min() > nets.value(s[None])[0])
        better += good
        told.append(error(1.0) if good else torch.zeros(()))
        plain.append(error(0.0))
    assert 0 < better < len(start)
    torch.testing.assert_close(found["flow_better"], torch.stack(told).mean())
    torch.testing.assert_close(found["flow_any"], 0.1 * torch.stack(plain).mean())


@pytest.mark.parametrize("unit", [False, True])
def test_value_gradient_by_hand(unit: bool) -> None:
    trainer = small_trainer(parts=("value_gradient",), unit_gradient=unit)
    separate(trainer)
    nets, batch = trainer.networks, batch_of(trainer)
    actions = batch.actions.clone().requires_grad_()
    (target,) = torch.autograd.grad(nets.critic(batch.observations, actions).mean(0).sum(), actions)
    if unit:
        target = target / (target.norm(dim=1, keepdim=True) + 1e-8)
        torch.testing.assert_close(target.norm(dim=1), torch.ones(len(target)))
    expected = (nets.extra["value_gradient"](batch.observations, batch.actions) - target).square().mean()
    found = AmortisedGradient(trainer.config)(Scene(nets), batch, ())["value_gradient"]
    torch.testing.assert_close(found, expected)


@each_part
def test_any_critic_will_do(part: str) -> None:
    """The state value is trained beside where a part reads it and the critic has none."""
    trainer = small_trainer(parts=(part,), critic="td_vgf", reference="joint", particles=2, flow_steps=2)
    assert all(torch.isfinite(loss) for loss in trainer.step().values())
