"""What the losses that train the critic have in common."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from workbench.engine.data.transitions import Transitions
from workbench.engine.models.critic import CriticEnsemble
from workbench.engine.models.mlp import MlpShape
from workbench.engine.training.losses.loss import C, Loss
from workbench.engine.training.networks import Networks, shape_of

CACHE_ROWS = 8192  # rows of the dataset whose samples are drawn at a time


class CriticLoss(Loss[C]):
    """A way to train the critic: a value of the setting ``critic``."""

    trains: ClassVar[tuple[str, ...]] = ("critic",)
    targets: ClassVar[tuple[str, ...]] = ("critic",)

    @classmethod
    def build(
        cls, config: C, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """The ensemble of K critics."""
        shape = cls.shape(config, observation_dim, action_dim)
        return {"critic": CriticEnsemble(observation_dim, action_dim, shape, generator)}

    @classmethod
    def shape(cls, config: C, observation_dim: int, action_dim: int) -> MlpShape:
        """What the critic's networks look like."""
        return shape_of(config, observation_dim + action_dim, 1, config.members)

    @classmethod
    def suited(cls, config: C, data: Transitions) -> C:
        """The settings, with what they leave to the data; UserError, with the cure, where they do not suit the data."""
        return config

    @classmethod
    def needs(cls, config: C) -> tuple[str, ...]:
        """Names of the learned parts that are trained beside the critic, because it asks for their actions."""
        return ()

    @classmethod
    def flow_first(cls, config: C) -> int:
        """Updates of the behaviour flow alone before the critic begins and the flow stays as it is; 0: both learn together."""
        return 0

    @property
    def next_actions(self) -> bool:
        """Whether batches must hold the data's action at the bootstrap state."""
        return False

    @property
    def long_chunk(self) -> int:
        """Actions of the chunks that batches must hold beside those of the policy; 1: none."""
        return 1

    def samples(self, networks: Networks, observations: Tensor, generator: torch.Generator) -> Tensor:
        """Draw what is cached of the finished flow at ``observations`` (R, S), next ones of a block of rows: (R, N, D).

        Asked only of a critic whose `flow_first` is above 0.
        """
        raise NotImplementedError(f"{type(self).__name__} caches nothing")
