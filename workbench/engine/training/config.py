"""Settings of a training run: those that every run has, and those of the registered losses, in one flat model.

The model is made from the registry of losses (`workbench.engine.training.losses`): a loss declares its settings in its own
file, and nothing here names them.
"""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError, create_model

from workbench.engine.steering.protocol import in_words, nearest
from workbench.engine.training.losses import CRITICS, LOSSES
from workbench.engine.training.losses.loss import Loss
from workbench.engine.training.run_settings import RunSettings
from workbench.engine.words import SaidError, shown


def make_config(**settings: Any) -> FitConfig:
    """Build the settings of a run; ValueError says which setting is wrong, its bounds, and the nearest name.

    The result has the settings of every registered loss: it is an instance of each loss's own class of settings.
    """
    kind = config_class()
    try:
        return kind(**settings)
    except ValidationError as error:
        lines, reported = [], set()
        for item in error.errors():
            where = str(item["loc"][0])
            if where in reported:
                continue  # a wrong entry also makes its list one too short
            reported.add(where)
            if item["type"] == "extra_forbidden":
                known = list(kind.model_fields)
                lines.append(f"training has no setting '{where}'{nearest(where, known)} It has: {', '.join(known)}")
            else:
                lines.append(
                    f"training setting '{where}': {in_words(item['msg'])}, got {shown(item['input'])}{_bounds(where)}"
                )
        raise SaidError("\n".join(lines)) from None


def config_class() -> type[FitConfig]:
    """`FitConfig` with what the losses that are registered now declare: one that a notebook has just added too."""
    composed: type[FitConfig] = _composed(tuple(LOSSES.values()), tuple(CRITICS))
    return composed


@lru_cache
def _composed(losses: tuple[type[Loss[Any]], ...], critics: tuple[str, ...]) -> Any:
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
    return create_model(
        "FitConfig",
        __base__=bases,
        __module__=__name__,
        __doc__="All settings of a training run.",
        critic=(one_of_critics, RunSettings.model_fields["critic"]),
    )


def _bounds(where: str) -> str:
    """Return `` (allowed: above 0, at most 1)`` for a bounded setting, else nothing."""
    schema = config_class().model_json_schema()["properties"][where]
    schema = schema.get("items", schema)  # of a list: what each entry may be
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    limits = [f"{word} {schema[key]:g}" for key, word in words.items() if key in schema]
    return f" (allowed: {', '.join(limits)})" if limits else ""


if TYPE_CHECKING:

    class FitConfig(RunSettings):
        """All settings of a training run: an instance of the settings of every registered loss."""

else:
    FitConfig = config_class()
