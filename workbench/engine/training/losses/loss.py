"""What a loss is: which networks it trains, the noise it needs, and its value; pure in between."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.training.config import FitConfig
from workbench.engine.training.networks import Networks

Losses = dict[str, Tensor]


@dataclass
class Scene:
    """What a loss may read: the networks, and cached samples of the frozen reference flow.

    Attributes
    ----------
    networks : Networks
    cache : Tensor or None
        (R, N, D), reference samples at every row's next observation.
    """

    networks: Networks
    cache: Tensor | None = None


class Loss(ABC):
    """One loss file holds one of these; `workbench.engine.training.plan.LOSSES` lists them.

    ``trains`` names the networks that get gradients, ``targets`` those that have an EMA target, ``reads`` those that others
    must train for this one to make sense. Networks beyond the behaviour flow, the critic and the state value are made by
    ``build``. A loss must not send gradients into networks that it does not name in ``trains``.

    Parameters
    ----------
    config : FitConfig
    """

    trains: tuple[str, ...]
    targets: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()

    def __init__(self, config: FitConfig) -> None:
        self.config = config

    @classmethod
    def parts(cls, config: FitConfig) -> tuple[str, ...]:
        """Names of the parts that must be trained beside this loss."""
        return ()

    @classmethod
    def build(
        cls, config: FitConfig, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """The networks that this loss brings along, by name; each holds its weights in an `Mlp` called ``net``."""
        return {}

    @abstractmethod
    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw the noise of one update."""

    @abstractmethod
    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """Scalars by name; the update follows the gradient of their sum."""


def weighted_mean(loss: Tensor, valid: Tensor | None) -> Tensor:
    """Mean of ``loss`` (..., M) with rows weighted by ``valid`` (M,), as the published code does: mean(loss · valid)."""
    return loss.mean() if valid is None else (loss * valid).mean()
