"""The networks of a run, and how they are handed to steering as `Parts`."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workbench.engine.models.average_velocity import AverageVelocity
from workbench.engine.models.critic import CriticEnsemble, StateValue
from workbench.engine.models.flow_critic import FlowCritic
from workbench.engine.models.mlp import Mlp, MlpShape
from workbench.engine.models.parts import Normalizer, Parts
from workbench.engine.models.velocity import TimeInput, VelocityField
from workbench.engine.training.run_settings import RunSettings

OF_EVERY_POLICY = ("reference", "critic", "target_critic", "value")  # fields of `Parts`; others are learned parts


@dataclass
class Networks:
    """Everything that training changes.

    Attributes
    ----------
    reference : VelocityField or AverageVelocity
    critic, target_critic : CriticEnsemble or FlowCritic
    value : StateValue
    mean, std : Tensor
        (S,), the observation normalisation.
    extra : dict of str to Module
        Learned parts, and their EMA targets ("target_…").
    """

    reference: VelocityField | AverageVelocity
    critic: CriticEnsemble | FlowCritic
    target_critic: CriticEnsemble | FlowCritic
    value: StateValue
    mean: Tensor
    std: Tensor
    extra: dict[str, nn.Module]

    @classmethod
    def of(cls, modules: Mapping[str, Any], mean: Tensor, std: Tensor) -> Networks:
        """Those that ``modules`` hold by name."""
        return cls(mean=mean, std=std, **fields_of(modules))

    def modules(self) -> dict[str, nn.Module]:
        """All networks by name."""
        return {name: getattr(self, name) for name in OF_EVERY_POLICY} | self.extra

    def net(self, name: str) -> Mlp:
        """The MLP inside the network ``name``."""
        net = self.modules()[name].net
        assert isinstance(net, Mlp)
        return net

    def to(self, device: torch.device) -> Networks:
        """Move everything to ``device``."""
        for module in self.modules().values():
            module.to(device)
        self.mean, self.std = self.mean.to(device), self.std.to(device)
        return self

    def parts(self, config: RunSettings, trained: tuple[str, ...]) -> Parts:
        """Copies of the ``trained`` networks as `Parts`: a later update does not change them."""
        return Parts(
            observation_dim=self.reference.observation_dim,
            action_dim=self.reference.action_dim,
            normalizer=Normalizer(self.mean.clone(), self.std.clone()),
            reward_scale=config.reward_scale,
            discount=config.discount,
            chunk=config.chunk,
            **fields_of(self.frozen(trained)),
        )

    def frozen(self, names: tuple[str, ...]) -> dict[str, nn.Module]:
        """Copies of the networks ``names`` that nobody trains."""
        return {
            name: copy.deepcopy(module).requires_grad_(False)
            for name, module in self.modules().items()
            if name in names
        }


def fields_of(modules: Mapping[str, Any]) -> dict[str, Any]:
    """Sort ``modules`` into the fields of `Parts` and of `Networks`: its own by name, all others into ``extra``."""
    own = {name: module for name, module in modules.items() if name in OF_EVERY_POLICY}
    return own | {"extra": {name: module for name, module in modules.items() if name not in own}}


def shape_of(config: RunSettings, inputs: int, outputs: int, members: int = 1) -> MlpShape:
    """The shape of every network but the flows: the run's hidden layers, each with LayerNorm and its activation."""
    return MlpShape(inputs, outputs, config.hidden, "gelu" if config.family == "qgf" else "relu", "all", members)


def shape_of_flow(config: RunSettings, inputs: int, outputs: int) -> MlpShape:
    """The shape of every flow: the run's hidden layers, with LayerNorm in QGF's family alone."""
    gelu = config.family == "qgf"
    return MlpShape(inputs, outputs, config.hidden, "gelu" if gelu else "relu", "all" if gelu else "none")


def velocity_field(
    config: RunSettings, observation_dim: int, action_dim: int, generator: torch.Generator
) -> VelocityField:
    """A fresh velocity field of the run's family, for the behaviour flow and for every other flow."""
    time: TimeInput = "sinusoidal" if config.family == "qgf" else "raw"
    shape = shape_of_flow(config, VelocityField.inputs(observation_dim, action_dim, time), action_dim)
    return VelocityField(observation_dim, action_dim, shape, time, generator)


def seed_of(seed: int, *names: str | int) -> int:
    """A seed below 2^63 that is a function of ``seed`` and ``names`` alone, the same on every machine."""
    text = ":".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1
