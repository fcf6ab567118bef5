"""Fitted-Q evaluation: what steered policies are worth, from a dataset alone, for tasks that have no environment."""

from __future__ import annotations

import copy
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from workbench.engine.data.replay_mapped import make_replay
from workbench.engine.data.transitions import Transitions
from workbench.engine.models.mlp import Mlp, MlpShape
from workbench.engine.models.parts import Parts
from workbench.engine.precision import fast_matmul
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.run import act
from workbench.engine.training.fast.adam import Adam
from workbench.engine.words import DivergedError

AT_ONCE = 4096  # rows steered at a time
REPORT_EVERY = 100


@dataclass(frozen=True)
class FQEConfig:
    """How to train the evaluation critics.

    Attributes
    ----------
    hidden : tuple of int
    steps, batch_size : int
    learning_rate : float
        At the beginning; it falls to 0 along half a cosine.
    tau : float
        EMA rate of the targets.
    rows : int
        Rows of the dataset that are used, drawn without replacement; all when there are fewer.
    starts : int
        First states of episodes over which the value is averaged, at most.
    seed : int
        Fixes weights, rows, minibatches and the noise of the policies.
    """

    hidden: tuple[int, ...] = (64, 64)
    steps: int = 6000
    batch_size: int = 256
    learning_rate: float = 1e-3
    tau: float = 0.05
    rows: int = 30_000
    starts: int = 1024
    seed: int = 0


def fitted_q_evaluation(
    rules: Sequence[Rule], parts: Parts, data: Transitions, config: FQEConfig
) -> Generator[float, None, np.ndarray]:
    """The mean over starts (G,) of what `fitted_q_values` estimates."""
    values = yield from fitted_q_values(rules, parts, data, config)
    return np.asarray(values.mean(1))


def fitted_q_values(
    rules: Sequence[Rule], parts: Parts, data: Transitions, config: FQEConfig
) -> Generator[float, None, np.ndarray]:
    r"""Estimate the value of following each of ``rules`` from the dataset's first states.

    .. math:: Q_g(s, a) \leftarrow r + \gamma^H m\, \bar Q_g(s', a'_g), \quad a'_g \sim \pi_g(\cdot \mid s'), \qquad
              V_g(s_0) = Q_g(s_0, a_g), \quad a_g \sim \pi_g(\cdot \mid s_0)

    Source: Le, Voloshin and Yue, Batch Policy Learning under Constraints (ICML 2019), with target averaging instead of full
    fits. One critic per rule, all trained at once on the same minibatches and, in each state, the same noise, so that what
    they have in common cancels when they are compared. Returns are single-step (h-step for action chunks): n-step returns
    would credit a policy with what the behaviour policy did.

    Far outside the data a critic is asked about actions that it never saw. The estimates rank strengths that stay near the data
    well and overrate large ones: check the choice with a few episodes where that is possible.

    Parameters
    ----------
    rules : sequence of Rule
        G policies.
    parts : Parts
    data : Transitions
    config : FQEConfig

    Yields
    ------
    float
        Share done.

    Returns
    -------
    ndarray
        (G, S) discounted values from S first states, task units.

    Raises
    ------
    UserError
        No rules, or a rule that needs a part that is missing.
    FloatingPointError
        An estimate is not finite.
    """
    if not rules:
        raise ValueError("fitted-Q evaluation needs at least one rule")
    device = parts.device
    generator = torch.Generator(device).manual_seed(config.seed)
    size = data.observation_dim
    mean, std = torch.zeros(size), torch.ones(size)
    replay = make_replay(
        data,
        mean,
        std,
        steps=1,
        chunk=parts.chunk,
        discount=parts.discount,
        reward_scale=parts.reward_scale,
        device=device,
    )
    starts = _starts(data, config).to(device)
    order = np.random.default_rng(config.seed).permutation(len(data))[: config.rows]
    batch = replay.batch(torch.from_numpy(order).to(device))
    keep = torch.ones(len(order), dtype=torch.bool, device=device) if batch.valid is None else batch.valid > 0
    observations, following = batch.observations[keep], batch.next_observations[keep]
    actions, rewards, discounts = batch.actions[keep], batch.rewards[keep], batch.discounts[keep]
    steered = []
    for number, rule in enumerate(rules, 1):  # the same noise for all
        steered.append(_act_everywhere(rule, parts, following, config.seed))
        yield 0.5 * number / len(rules)
    next_inputs = torch.cat(
        (parts.normalize(following).expand(len(rules), -1, -1), torch.stack(steered)), 2
    )  # (G, R, ·)
    inputs = torch.cat((parts.normalize(observations), actions), 1)
    nets = Mlp(
        MlpShape(inputs.shape[1], 1, config.hidden, "gelu", "all", len(rules)),
        torch.Generator().manual_seed(config.seed),
    ).to(device)
    target = copy.deepcopy(nets).requires_grad_(False)
    adam = Adam({"q": nets.theta})
    for step in range(config.steps):
        index = torch.randint(0, len(inputs), (config.batch_size,), generator=generator, device=device)
        with fast_matmul(config.batch_size, max(config.hidden), device):
            with torch.no_grad():
                ahead = _each(target, next_inputs[:, index])
                target_q = rewards[index] + discounts[index] * ahead  # (G, M)
            q = _each(nets, inputs[index].expand(len(rules), -1, -1))
            (q - target_q).square().mean(1).sum().backward()
        adam.step(0.5 * config.learning_rate * (1.0 + float(np.cos(np.pi * step / config.steps))))
        with torch.no_grad():
            target.theta.lerp_(nets.theta, config.tau)
        if (step + 1) % REPORT_EVERY == 0:
            yield 0.5 + 0.5 * (step + 1) / config.steps
    values = _values(nets, rules, parts, starts, config.seed + 1)
    if not np.isfinite(values).all():
        raise DivergedError("fitted-Q evaluation did not stay finite; use fewer or smaller budgets")
    return values


@torch.no_grad()
def _values(nets: Mlp, rules: Sequence[Rule], parts: Parts, starts: Tensor, seed: int) -> np.ndarray:
    first = torch.stack([_act_everywhere(rule, parts, starts, seed) for rule in rules])  # (G, S, D)
    q = _each(nets, torch.cat((parts.normalize(starts).expand(len(rules), -1, -1), first), 2))
    return np.asarray((q / parts.reward_scale).double().cpu().numpy())


def _each(nets: Mlp, inputs: Tensor) -> Tensor:
    """Q (G, M) of each rule's own network at its own inputs (G, M, ·)."""
    g, m = inputs.shape[:2]
    q: Tensor = nets(inputs if g > 1 else inputs[0])
    return q.reshape(g, m)


def _starts(data: Transitions, config: FQEConfig) -> Tensor:
    """First observations of episodes (S, ·), not normalised."""
    first = np.concatenate(([0], np.flatnonzero(data.ends)[:-1] + 1))
    if len(first) > config.starts:
        first = np.random.default_rng(config.seed).choice(first, config.starts, replace=False)
    return torch.from_numpy(data.observations[np.sort(first)])


def _act_everywhere(rule: Rule, parts: Parts, observations: Tensor, seed: int) -> Tensor:
    """One action of ``rule`` at each of ``observations`` (R, S); the noise of a row is the same for every rule."""
    generator = torch.Generator(parts.device).manual_seed(seed)
    actions = []
    for rows in observations.split(AT_ONCE):
        noise = draw_noise(len(rows), rule.particles, parts.action_dim, generator, rule.extra_draws())
        actions.append(act(rule, parts, rows, noise))
    return torch.cat(actions)
