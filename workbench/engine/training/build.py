"""Making the networks of a run from its settings: each loss brings its own."""

from __future__ import annotations

import copy

import torch
from torch import nn

from workbench.engine.training.losses import LOSSES
from workbench.engine.training.networks import Networks, check_picture, seed_of
from workbench.engine.training.plan import averaged, plan
from workbench.engine.training.run_settings import RunSettings


def build_networks(config: RunSettings, observation_dim: int, action_dim: int) -> Networks:
    """Make fresh networks, their weights fixed by ``config.seed``; targets start as copies.

    ``action_dim`` is that of the whole action: h·D with action chunks.

    A learned part draws its weights from a generator of its own, so that training it too leaves the other networks as they
    would be without it.
    """
    check_picture(config, observation_dim)
    every_policy = (config.behaviour, config.critic, "state_value")
    generator = torch.Generator().manual_seed(config.seed)
    modules: dict[str, nn.Module] = {}
    for key in every_policy:
        modules |= build(key, config, observation_dim, action_dim, generator)
    for key in dict.fromkeys(key for phase in plan(config) for key in phase.losses):
        if key not in every_policy:
            modules |= build(key, config, observation_dim, action_dim, own_generator(key, config))
    for name in averaged(config):
        if f"target_{name}" not in modules:  # of a network that another loss brings
            modules[f"target_{name}"] = copy.deepcopy(modules[name]).requires_grad_(False)
    return Networks.of(modules, torch.zeros(observation_dim), torch.ones(observation_dim))


def build(
    key: str, config: RunSettings, observation_dim: int, action_dim: int, generator: torch.Generator
) -> dict[str, nn.Module]:
    """The networks that the loss ``key`` of `LOSSES` brings along, and their EMA targets."""
    loss = LOSSES[key]
    modules = loss.build(config, observation_dim, action_dim, generator)
    targets = {
        f"target_{name}": copy.deepcopy(modules[name]).requires_grad_(False) for name in loss.targets if name in modules
    }
    return modules | targets


def own_generator(key: str, config: RunSettings) -> torch.Generator:
    """What the networks of the loss ``key`` are drawn from where no other loss shares it."""
    return torch.Generator().manual_seed(seed_of(config.seed, key))
