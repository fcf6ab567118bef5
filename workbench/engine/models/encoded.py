"""Encoding the pictures of a decision once, however many particles and steps it has."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from workbench.engine.models.mlp import Mlp
from workbench.engine.models.parts import Parts
from workbench.engine.models.picture_mlp import Looked, PictureMlp

N = TypeVar("N")


def encoded_once(parts: Parts, observations: Tensor) -> tuple[Parts, Tensor]:
    """Parts and observations of one decision at B states: of pictures, states by their numbers (B, 1), encoded when first asked.

    Parts that see no pictures, or not all of which are ours, come back as they are.
    """
    networks = {name: parts.part(name) for name in parts.available()}
    seeing = {name: net for name, net in networks.items() if _sees(net)}
    if "reference" not in seeing or any(name not in seeing and not _is_blind(net) for name, net in networks.items()):
        return parts, observations
    looked = {name: _at(net, observations) for name, net in seeing.items()}
    own = {name: net for name, net in looked.items() if name not in parts.extra}
    extra = dict(parts.extra) | {name: net for name, net in looked.items() if name in parts.extra}
    known = replace(parts, observation_dim=1, behaviour_states=None, normalizer=None, extra=extra, **own)
    return known, numbers_of(observations)


def encoded_alone(network: N, observations: Tensor) -> tuple[N, Tensor]:
    """As `encoded_once`, of one network."""
    return (_at(network, observations), numbers_of(observations)) if _sees(network) else (network, observations)


def numbers_of(observations: Tensor) -> Tensor:
    """0, 1, …, (B, 1), on the device of ``observations`` (B, S) and of their type."""
    return torch.arange(len(observations), device=observations.device, dtype=observations.dtype)[:, None]


def _net(module: Any) -> Any:
    return vars(module).get("_modules", {}).get("net") if isinstance(module, nn.Module) else None


def _sees(module: Any) -> bool:
    return isinstance(_net(module), PictureMlp)


def _is_blind(module: Any) -> bool:
    """Whether it does not read the observation at all: numbers that are the same everywhere."""
    net = _net(module)
    return isinstance(net, Mlp) and net.shape.inputs == 0


def _at(module: Any, pixels: Tensor) -> Any:
    """``module`` with its network at the states ``pixels`` (B, S)."""
    twin = copy.copy(module)
    twin._modules = dict(module._modules)
    twin.net = Looked(module.net, pixels)
    if "observation_dim" in vars(twin):
        twin.observation_dim = 1
    return twin
