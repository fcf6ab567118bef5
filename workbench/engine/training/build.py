"""Making the networks of a run from its settings."""

from __future__ import annotations

import copy

import torch
from torch import nn

from workbench.engine.models.critic import CriticEnsemble, StateValue
from workbench.engine.training.config import FitConfig
from workbench.engine.training.networks import Networks, seed_of, shape_of, velocity_field
from workbench.engine.training.plan import LOSSES, plan


def build_networks(config: FitConfig, observation_dim: int, action_dim: int) -> Networks:
    """Make fresh networks, their weights fixed by ``config.seed``; targets start as copies.

    ``action_dim`` is that of the whole action: h·D with action chunks.

    A part beyond the flow, the critic and the state value draws its weights from a generator of its own, so that training
    it too leaves the other networks as they would be without it.
    """
    generator = torch.Generator().manual_seed(config.seed)
    reference = velocity_field(config, observation_dim, action_dim, generator)
    q = shape_of(config, observation_dim + action_dim, 1, config.members)
    critic = CriticEnsemble(observation_dim, action_dim, q, generator)
    target = copy.deepcopy(critic).requires_grad_(False)
    value = StateValue(observation_dim, shape_of(config, observation_dim, 1), generator)
    extra: dict[str, nn.Module] = {}
    for key in dict.fromkeys(key for phase in plan(config) for key in phase.losses):
        own = torch.Generator().manual_seed(seed_of(config.seed, key))
        built = LOSSES[key].build(config, observation_dim, action_dim, own)
        extra |= built
        extra |= {
            f"target_{name}": copy.deepcopy(built[name]).requires_grad_(False)
            for name in LOSSES[key].targets
            if name in built
        }
    mean, std = torch.zeros(observation_dim), torch.ones(observation_dim)
    return Networks(reference, critic, target, value, mean, std, extra)
