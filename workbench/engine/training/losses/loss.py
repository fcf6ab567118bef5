"""What a loss is: its settings, the networks that it makes and trains, the noise it needs, and its value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

import torch
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.training.networks import Networks
from workbench.engine.training.run_settings import RunSettings

Losses = dict[str, Tensor]
C = TypeVar("C", bound=RunSettings)


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


class Loss(ABC, Generic[C]):
    """One loss file holds one of these; `workbench.engine.training.losses` lists them.

    A loss with settings of its own declares them in a class that inherits from `RunSettings` and names it:
    ``class OneStep(Loss[OneStepSettings])``; one without is a ``Loss[RunSettings]``. Settings that several losses share stand
    in a class that their settings inherit from.

    A loss must not send gradients into networks that it does not name in ``trains``.

    Parameters
    ----------
    config : RunSettings
        With the loss's own settings, as `workbench.engine.training.config.make_config` makes it.

    Attributes
    ----------
    settings : type of RunSettings
        The class in the brackets.
    trains : tuple of str
        Networks that get gradients.
    targets : tuple of str
        Networks that have an EMA target, called ``target_`` and the network's name, where they are trained beside this loss:
        mostly its own.
    reads : tuple of str
        Networks that other losses must train for this one to make sense.
    needs_mean : bool
        It is right only where x + (1 - t) v of the behaviour policy is the mean of all actions that x may become.
    sees_pictures : bool
        Its networks can stand behind an encoder.
    """

    settings: ClassVar[type[RunSettings]] = RunSettings
    trains: ClassVar[tuple[str, ...]]
    targets: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()
    needs_mean: ClassVar[bool] = False
    sees_pictures: ClassVar[bool] = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for base in cls.__dict__.get("__orig_bases__", ()):
            kinds = [kind for kind in get_args(base) if isinstance(kind, type) and issubclass(kind, RunSettings)]
            if kinds and issubclass(get_origin(base), Loss):
                cls.settings = kinds[0]

    def __init__(self, config: C) -> None:
        self.config = config

    @classmethod
    def build(
        cls, config: C, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """Make the networks that this loss brings along, by name, without EMA targets.

        Each holds its weights in an `Mlp` called ``net``. A network called as a field of `Parts` fills that field, any other
        is found under its name in ``Parts.extra``.
        """
        return {}

    @abstractmethod
    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw the noise of one update."""

    @abstractmethod
    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """Scalars by name; the update follows the gradient of their sum."""


def followed(losses: Iterable[type[Loss[Any]] | Loss[Any]]) -> tuple[str, ...]:
    """Names of the networks whose EMA copies follow them where these losses are trained together."""
    together = tuple(losses)
    trained = {name for loss in together for name in loss.trains}
    return tuple(dict.fromkeys(name for loss in together for name in loss.targets if name in trained))


def weighted_mean(loss: Tensor, valid: Tensor | None) -> Tensor:
    """Mean of ``loss`` (..., M) with rows weighted by ``valid`` (M,), as the published code does: mean(loss · valid)."""
    return loss.mean() if valid is None else (loss * valid).mean()
