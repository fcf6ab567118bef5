"""Decoupled Q-chunking: exact on a chain, its parts by hand, and the whole on a small chain that networks learn."""

from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from engine.small_runs import small_config, small_data, small_trainer

from workbench.engine.data.transitions import Batch, make_transitions
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses.dqc import DQC, quantile_loss
from workbench.engine.training.losses.iql import expectile_loss
from workbench.engine.training.losses.loss import Scene

LENGTH = 6  # the chain's last state, where an episode is over
DISCOUNT = 0.9
LONG = 3


def played(state: int, actions: tuple[int, ...]) -> tuple[float, float, int]:
    """Return, discount and last state of a chunk on the chain: each step costs 1, right is nearer to the end."""
    total, factor = 0.0, 1.0
    for action in actions:
        total, factor, state = total - factor, factor * DISCOUNT, max(state + action, 0)
        if state == LENGTH:
            return total, 0.0, state
    return total, factor, state


def expectile(values: list[float], kappa: float) -> float:
    """The number that is the weighted mean of ``values`` with weights by the side on which they lie."""
    low, high = min(values), max(values)
    for _ in range(200):
        middle = (low + high) / 2
        slope = sum((kappa if value > middle else 1.0 - kappa) * (value - middle) for value in values)
        low, high = (middle, high) if slope > 0 else (low, middle)
    return middle


def solved(kappa_d: float) -> tuple[dict[Any, float], dict[Any, float], list[float]]:
    """Teacher, student and value of a chain whose data hold every chunk once; of two actions any quantile above a half is the
    better one's.
    """
    value = [0.0] * (LENGTH + 1)
    teacher: dict[Any, float] = {}
    student: dict[Any, float] = {}
    for _ in range(400):
        for state in range(LENGTH):
            for chunk in product((-1, 1), repeat=LONG):
                total, factor, last = played(state, chunk)
                teacher[state, chunk] = total + factor * value[last]
            for first in (-1, 1):
                ways = [teacher[state, (first, *rest)] for rest in product((-1, 1), repeat=LONG - 1)]
                student[state, first] = expectile(ways, kappa_d)
        value = [max(student[state, a] for a in (-1, 1)) for state in range(LENGTH)] + [0.0]
    return teacher, student, value


class Table(torch.nn.Module):
    """Values by state and signs of the actions, one member."""

    def __init__(self, values: dict[Any, float], chunk: int) -> None:
        super().__init__()
        self.keys = [(state, signs) for state in range(LENGTH) for signs in product((-1, 1), repeat=chunk)]
        one = chunk == 1 and (0, 1) in values
        numbers = [values[state, signs[0] if one else signs] for state, signs in self.keys]
        self.theta = torch.nn.Parameter(torch.tensor(numbers, dtype=torch.float64))

    def forward(self, s: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        rows = zip(s[:, 0].tolist(), a.tolist(), strict=True)
        where = [self.keys.index((int(state), tuple(int(x) for x in signs))) for state, signs in rows]
        return self.theta[where][None]


class Values(torch.nn.Module):
    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.theta = torch.nn.Parameter(torch.tensor(values, dtype=torch.float64))

    def forward(self, s: torch.Tensor) -> torch.Tensor:
        return self.theta[s[:, 0].long()]


def every_chunk() -> Batch:
    rows = [(state, chunk, *played(state, chunk)) for state in range(LENGTH) for chunk in product((-1, 1), repeat=LONG)]
    state, chunk, total, factor, last = (
        torch.tensor(column, dtype=torch.float64) for column in zip(*rows, strict=True)
    )
    return Batch(
        state[:, None], chunk[:, :1], total, factor, last[:, None], torch.arange(len(rows)), long_actions=chunk
    )


@pytest.mark.parametrize("kappa", [0.5, 0.8, 0.97])
def test_the_exact_solution_of_a_chain_is_where_the_losses_rest(kappa: float) -> None:
    teacher, student, value = solved(kappa)
    nets = SimpleNamespace(
        critic=Table(student, 1),
        target_critic=Table(student, 1),
        value=Values(value),
        extra={"chunk_critic": Table(teacher, LONG)},
    )
    loss = DQC(make_config(critic="dqc", dqc_chunk=LONG, dqc_distillation=kappa, dqc_backup=0.9))
    found = loss(Scene(nets), every_chunk(), ())  # type: ignore[arg-type]
    assert found["chunk_critic"].item() < 1e-12
    (slope,) = torch.autograd.grad(found["critic"], nets.critic.theta)
    assert float(slope.abs().max()) < 1e-6
    least = found["value"].item()
    for state in range(LENGTH):  # a quantile: no smaller anywhere near
        for away in (-0.01, 0.01):
            moved = list(value)
            moved[state] += away
            nets.value = Values(moved)
            assert loss(Scene(nets), every_chunk(), ())["value"].item() > least  # type: ignore[arg-type]
            nets.value = Values(value)


def test_a_hopeful_teacher_finds_the_shortest_way() -> None:
    """With κ_d near 1 the value is that of going right all the time: −(1 − γ^k) / (1 − γ), k steps from the end."""
    _, _, value = solved(1.0 - 1e-9)
    shortest = [-(1.0 - DISCOUNT ** (LENGTH - state)) / (1.0 - DISCOUNT) for state in range(LENGTH + 1)]
    np.testing.assert_allclose(value, shortest, atol=1e-6)
    _, _, doubtful = solved(0.5)
    assert all(few < best for few, best in zip(doubtful[: LENGTH - 1], shortest, strict=False))
    assert doubtful[LENGTH - 1] == pytest.approx(-1.0)  # nothing goes on after the last step


def test_networks_learn_the_chain() -> None:
    """Random walks, chunks of 3 for the teacher: the value comes near the shortest way, and right is worth more than left."""
    rng = np.random.default_rng(0)
    columns: list[tuple[float, ...]] = []
    for _ in range(400):
        state = int(rng.integers(0, LENGTH))
        for step in range(12):
            action = int(rng.choice((-1, 1)))
            after = max(state + action, 0)
            over = after == LENGTH
            columns.append((state, action, -1.0, 1.0 - over, after, over or step == 11))
            state = after
            if over:
                break
    s, a, r, m, n, e = (np.array(column, dtype=float) for column in zip(*columns, strict=True))
    data = make_transitions(s[:, None], a[:, None], r, m, n[:, None], e)
    settings = {"hidden": (32, 32), "batch_size": 128, "steps": 1500, "learning_rate": 3e-3, "schedule": "cosine"}
    config = make_config(
        critic="dqc", dqc_chunk=LONG, dqc_distillation=0.97, dqc_backup=0.9, discount=DISCOUNT, tau=0.05, **settings
    )
    trainer = Trainer(data, config)
    for _ in fit(trainer):
        pass
    parts = trainer.parts()
    states = parts.normalize(torch.arange(LENGTH, dtype=torch.float32)[:, None])
    assert parts.value is not None
    shortest = [-(1.0 - DISCOUNT ** (LENGTH - state)) / (1.0 - DISCOUNT) for state in range(LENGTH)]
    np.testing.assert_allclose(parts.value(states).detach().numpy(), shortest, atol=0.35)
    right, left = (parts.critic(states, torch.full((LENGTH, 1), way)).mean(0) for way in (1.0, -1.0))  # type: ignore[misc]
    assert bool((right > left).all())


def test_quantile_and_expectile_by_hand() -> None:
    u = torch.tensor([2.0, -1.0])
    assert float(quantile_loss(u, 0.9, None)) == pytest.approx((0.9 * 2 + 0.1 * 1) / 2)
    assert float(quantile_loss(u, 0.9, torch.tensor([0.0, 1.0]))) == pytest.approx(0.05)
    trainer = small_trainer(critic="dqc", chunk=2, dqc_chunk=4, dqc_backup_by="expectile", dqc_backup=0.7)
    batch, nets = trainer.replay.batch(torch.arange(10)), trainer.networks
    assert batch.long_actions is not None
    assert batch.long_valid is not None
    assert batch.valid is not None
    found = trainer.losses["dqc"](trainer._scene, batch, ())
    taught = nets.extra["chunk_critic"](batch.observations, batch.long_actions).detach()
    wanted = expectile_loss(taught - nets.critic(batch.observations, batch.actions), 0.8, batch.long_valid)
    assert torch.equal(found["critic"], wanted)
    reached = nets.target_critic(batch.observations, batch.actions).amin(0)
    of_value = expectile_loss(reached - nets.value(batch.observations), 0.7, batch.valid)
    assert torch.equal(found["value"], of_value)


def test_chunks_as_long_as_the_policy_s_need_no_second_length() -> None:
    trainer = small_trainer(critic="dqc", chunk=4, dqc_chunk=2)
    batch = trainer.replay.batch(torch.arange(10))
    assert batch.long_actions is None
    found = trainer.losses["dqc"](trainer._scene, batch, ())
    assert set(found) == {"critic", "chunk_critic", "value"}
    assert trainer.networks.extra["chunk_critic"].action_dim == 8


def test_a_teacher_s_chunk_that_fits_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match=r"dqc_chunk = 11 is longer than every episode of the data \(10 steps\)"):
        Trainer(small_data(), small_config(critic="dqc", dqc_chunk=11))


@pytest.mark.parametrize("kappa", [0.5, 0.8, 0.93])
def test_the_published_losses_rest_where_ours_do(kappa: float) -> None:
    """There values are sigmoids of what is learned: an expectile by weighted cross-entropy, a quantile of logits. Learning rests
    where the mean slope changes its sign, and that is at the same values.
    """
    rng = np.random.default_rng(3)
    y = torch.from_numpy(rng.uniform(0.05, 0.95, 41))
    logit = torch.logit(torch.linspace(0.02, 0.98, 961, dtype=torch.float64))[:, None].requires_grad_()
    q = torch.sigmoid(logit)
    weight = torch.where(y >= q, kappa, 1.0 - kappa).detach()
    entropy = torch.nn.functional.binary_cross_entropy(q.expand(-1, 41), y.expand(961, -1), reduction="none")
    theirs = {"expectile": entropy, "quantile": (logit - torch.logit(y)).abs()}
    ours = {"expectile": expectile_loss, "quantile": quantile_loss}
    for name, loss in theirs.items():
        (slope,) = torch.autograd.grad((weight * loss).mean(1).sum(), logit, retain_graph=True)
        own = torch.stack([ours[name](y - one, kappa, None) for one in q[:, 0]])
        (our_slope,) = torch.autograd.grad(own.sum(), logit, retain_graph=True)
        assert torch.equal(slope > 0.0, our_slope > 0.0), name
        assert 0 < int((slope > 0.0).sum()) < 961
