"""The peer: the QGF update as one would write it with torch.nn, autograd and torch.optim, one network a module."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn


def mlp(inputs: int, outputs: int, hidden: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.LayerNorm(width, eps=1e-6), nn.GELU(approximate="tanh")]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class PlainUpdate:
    def __init__(self, observation_dim: int, action_dim: int, hidden: tuple[int, ...]) -> None:
        self.flow = mlp(observation_dim + action_dim + 16, action_dim, hidden)
        self.critics = nn.ModuleList(mlp(observation_dim + action_dim, 1, hidden) for _ in range(2))
        self.targets = copy.deepcopy(self.critics).requires_grad_(False)
        self.value = mlp(observation_dim, 1, hidden)
        self.frequencies = torch.exp(-math.log(10000.0) / 8 * torch.arange(8))
        trained = [*self.flow.parameters(), *self.critics.parameters(), *self.value.parameters()]
        self.optimizer = torch.optim.Adam(trained, lr=3e-4)

    def step(self, s: Tensor, a: Tensor, r: Tensor, discount: Tensor, s_next: Tensor) -> None:
        start, t = torch.randn_like(a), torch.rand(len(a), 1)
        angle = 10000.0 * t * self.frequencies
        x_t = (1 - t) * start + t * a
        v = self.flow(torch.cat((s, x_t, angle.cos(), angle.sin()), 1))
        flow_loss = ((v - (a - start)) ** 2).mean()
        both = torch.cat((s, a), 1)
        with torch.no_grad():
            target = r + discount * self.value(s_next)[:, 0]
            q_target = torch.stack([critic(both)[:, 0] for critic in self.targets]).amin(0)
        critic_loss = sum(((critic(both)[:, 0] - target) ** 2).mean() for critic in self.critics) / 2
        u = q_target - self.value(s)[:, 0]
        value_loss = (torch.where(u < 0, 0.1, 0.9) * u**2).mean()
        self.optimizer.zero_grad()
        (flow_loss + critic_loss + value_loss).backward()
        with torch.no_grad():
            for mine, theirs in zip(self.targets.parameters(), self.critics.parameters(), strict=True):
                mine.lerp_(theirs, 0.005)
        self.optimizer.step()
