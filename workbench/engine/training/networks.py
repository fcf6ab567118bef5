"""The networks of a run, built from its settings and handed to steering as `Parts`."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.engine.models.critic import CriticEnsemble, StateValue
from workbench.engine.models.mlp import Activation, Mlp, MlpShape
from workbench.engine.models.parts import Normalizer, Parts
from workbench.engine.models.velocity import TimeInput, VelocityField
from workbench.engine.training.config import FitConfig


@dataclass
class Networks:
    """Everything that training changes.

    Attributes
    ----------
    reference : VelocityField
    critic, target_critic : CriticEnsemble
    value : StateValue
    mean, std : Tensor
        (S,), the observation normalisation.
    """

    reference: VelocityField
    critic: CriticEnsemble
    target_critic: CriticEnsemble
    value: StateValue
    mean: Tensor
    std: Tensor

    def modules(self) -> dict[str, nn.Module]:
        """All networks by name."""
        return {name: getattr(self, name) for name in ("reference", "critic", "target_critic", "value")}

    def net(self, name: str) -> Mlp:
        """The MLP inside the network ``name``."""
        net = getattr(self, name).net
        assert isinstance(net, Mlp)
        return net

    def to(self, device: torch.device) -> Networks:
        """Move everything to ``device``."""
        for module in self.modules().values():
            module.to(device)
        self.mean, self.std = self.mean.to(device), self.std.to(device)
        return self

    def parts(self, config: FitConfig, trained: tuple[str, ...]) -> Parts:
        """Copies of the ``trained`` networks as `Parts`: a later update does not change them."""
        frozen = {
            name: copy.deepcopy(module).requires_grad_(False)
            for name, module in self.modules().items()
            if name in trained
        }
        return Parts(
            observation_dim=self.reference.observation_dim,
            action_dim=self.reference.action_dim,
            normalizer=Normalizer(self.mean.clone(), self.std.clone()),
            reward_scale=config.reward_scale,
            discount=config.discount,
            **frozen,
        )


def build_networks(config: FitConfig, observation_dim: int, action_dim: int) -> Networks:
    """Make fresh networks, their weights fixed by ``config.seed``; the target starts as a copy of the critic."""
    generator = torch.Generator().manual_seed(config.seed)
    gelu = config.family == "qgf"
    activation: Activation = "gelu" if gelu else "relu"
    time: TimeInput = "sinusoidal" if gelu else "raw"
    width = VelocityField.inputs(observation_dim, action_dim, time)
    flow = MlpShape(width, action_dim, config.hidden, activation, "all" if gelu else "none")
    q = MlpShape(observation_dim + action_dim, 1, config.hidden, activation, "all", config.members)
    v = MlpShape(observation_dim, 1, config.hidden, activation, "all")
    reference = VelocityField(observation_dim, action_dim, flow, time, generator)
    critic = CriticEnsemble(observation_dim, action_dim, q, generator)
    target = copy.deepcopy(critic).requires_grad_(False)
    value = StateValue(observation_dim, v, generator)
    return Networks(reference, critic, target, value, torch.zeros(observation_dim), torch.ones(observation_dim))
