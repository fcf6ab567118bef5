"""Settings of a training run: those that every run has, and those of the registered losses, in one flat model.

The model is made from the registry of losses (`workbench.engine.training.losses`): a loss declares its settings in its own
file, and nothing here names them.
"""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import create_model

from workbench.engine.settings import make
from workbench.engine.training.losses import BEHAVIOURS, CRITICS, LOSSES
from workbench.engine.training.losses.loss import Loss
from workbench.engine.training.run_settings import RunSettings


def make_config(**settings: Any) -> FitConfig:
    """Build the settings of a run; UserError says which setting is wrong, its bounds, and the nearest name.

    The result has the settings of every registered loss: it is an instance of each loss's own class of settings.
    """
    return make(config_class(), settings, "training", "training setting '{}'")


def config_class() -> type[FitConfig]:
    """`FitConfig` with what the losses that are registered now declare: one that a notebook has just added too."""
    composed: type[FitConfig] = _composed(tuple(LOSSES.values()), tuple(CRITICS), tuple(BEHAVIOURS))
    return composed


@lru_cache
def _composed(losses: tuple[type[Loss[Any]], ...], critics: tuple[str, ...], behaviours: tuple[str, ...]) -> Any:
    declared = dict.fromkeys(loss.settings for loss in losses)
    bases = tuple(
        kind for kind in declared if not any(other is not kind and issubclass(other, kind) for other in declared)
    )
    owners: dict[str, type] = {}
    for owner in dict.fromkeys(owner for base in bases for owner in base.__mro__ if issubclass(owner, RunSettings)):
        for name in inspect.get_annotations(owner):
            if owners.setdefault(name, owner) is not owner:
                raise TypeError(
                    f"{owners[name].__name__} and {owner.__name__} both declare the training setting '{name}'; "
                    "rename one, or let both inherit it from one class"
                )
    one_of_critics: Any = Literal[critics]
    one_of_behaviours: Any = Literal[behaviours]
    return create_model(
        "FitConfig",
        __base__=bases,
        __module__=__name__,
        __doc__="All settings of a training run.",
        critic=(one_of_critics, RunSettings.model_fields["critic"]),
        behaviour=(one_of_behaviours, RunSettings.model_fields["behaviour"]),
    )


if TYPE_CHECKING:

    class FitConfig(RunSettings):
        """All settings of a training run: an instance of the settings of every registered loss."""

else:
    FitConfig = config_class()
