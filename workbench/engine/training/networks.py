"""The networks of a run, and how they are handed to steering as `Parts`."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from workbench.engine.models.average_velocity import AverageVelocity
from workbench.engine.models.critic import CriticEnsemble, StateValue
from workbench.engine.models.flow_critic import FlowCritic
from workbench.engine.models.gaussian_flow import GaussianFlow
from workbench.engine.models.impala import ENCODERS, Picture
from workbench.engine.models.mlp import Activation, Mlp, MlpShape, Normed
from workbench.engine.models.parts import Normalizer, Parts
from workbench.engine.models.velocity import TimeInput, VelocityField
from workbench.engine.training.run_settings import RunSettings
from workbench.engine.words import UserError

OF_EVERY_POLICY = ("reference", "critic", "target_critic", "value")  # fields of `Parts`; others are learned parts


@dataclass
class Networks:
    """Everything that training changes.

    Attributes
    ----------
    reference : VelocityField, AverageVelocity or GaussianFlow
    critic, target_critic : CriticEnsemble or FlowCritic
    value : StateValue
    mean, std : Tensor
        (S,), the observation normalisation.
    extra : dict of str to Module
        Learned parts, and their EMA targets ("target_…").
    """

    reference: VelocityField | AverageVelocity | GaussianFlow
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


class Style(NamedTuple):
    """How a code makes its networks.

    Attributes
    ----------
    activation : {"relu", "gelu", "mish"}
    time : {"raw", "sinusoidal"}
        How a flow is told the time.
    flow_norm : bool
        Flows have LayerNorm, as all other networks have.
    norm_after : bool
        LayerNorm stands after the activation.
    """

    activation: Activation
    time: TimeInput
    flow_norm: bool
    norm_after: bool


STYLES: dict[str, Style] = {
    "qgf": Style("gelu", "sinusoidal", True, False),
    "vgf": Style("relu", "raw", False, False),
    "fql": Style("gelu", "raw", False, True),
}


def shape_of(config: RunSettings, inputs: int, outputs: int, members: int = 1) -> MlpShape:
    """The shape of every network but the flows: the run's hidden layers, each with LayerNorm and its activation."""
    return _shape(config, inputs, outputs, members, normed=True)


def flow_shape(config: RunSettings, inputs: int, outputs: int) -> MlpShape:
    """The shape of the networks that make actions: as `shape_of`, with LayerNorm where the family's flows have it."""
    return _shape(config, inputs, outputs, 1, normed=STYLES[config.family].flow_norm)


def _shape(config: RunSettings, inputs: int, outputs: int, members: int, normed: bool) -> MlpShape:
    style, normed = STYLES[config.family], normed and config.norm != "none"
    after = normed and (style.norm_after if config.norm == "family" else config.norm == "after")
    layers: Normed = "all" if normed else "none"
    return MlpShape(inputs, outputs, config.hidden, style.activation, layers, members, after, picture_of(config))


def picture_of(config: RunSettings) -> Picture | None:
    """What the networks see, and through which encoder; None where observations are no pictures."""
    if config.encoder == "none":
        return None
    height, width, channels = config.picture
    return Picture(height, width, channels, ENCODERS[config.encoder], STYLES[config.family].activation)


def check_picture(config: RunSettings, observation_dim: int) -> None:
    """Raise UserError unless observations of S numbers are the pictures that the settings say."""
    picture = picture_of(config)
    if picture is not None and picture.size != observation_dim:
        raise UserError(
            f"picture = {config.picture} has {picture.size:,} numbers, the observations have {observation_dim:,}; set picture to "
            "their height, width and channels, or encoder=none"
        )


def time_input(config: RunSettings) -> TimeInput:
    """How the run's flows are told the time."""
    return STYLES[config.family].time


def velocity_field(
    config: RunSettings, observation_dim: int, action_dim: int, generator: torch.Generator
) -> VelocityField:
    """A fresh velocity field of the run's family, for the behaviour flow and for every other flow."""
    time = time_input(config)
    width = VelocityField.inputs(observation_dim, action_dim, time)
    return VelocityField(observation_dim, action_dim, flow_shape(config, width, action_dim), time, generator)


def seed_of(seed: int, *names: str | int) -> int:
    """A seed below 2^63 that is a function of ``seed`` and ``names`` alone, the same on every machine."""
    text = ":".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1
