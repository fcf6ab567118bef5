"""What each loss is and which settings it has, in plain types: what ``workbench losses`` prints."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from workbench.engine.training.losses import BASIC, BEHAVIOURS, CRITICS, LEARNED_PARTS
from workbench.engine.training.losses.loss import Loss
from workbench.engine.training.run_settings import RunSettings


def list_losses() -> list[dict[str, Any]]:
    """All losses with what they are for, the networks that they train and read, and their own settings."""
    kinds: dict[str, Mapping[str, type[Loss[Any]]]] = {
        "every policy": BASIC,
        "behaviour policy": BEHAVIOURS,
        "critic": CRITICS,
        "learned part": LEARNED_PARTS,
    }
    return [
        {
            "name": name,
            "kind": kind,
            "summary": (inspect.getdoc(loss) or "").partition("\n")[0].replace("``", ""),
            "trains": list(loss.trains),
            "reads": list(loss.reads),
            "settings": _settings(loss.settings, without=RunSettings),
        }
        for kind, table in kinds.items()
        for name, loss in table.items()
    ]


def list_run_settings() -> list[dict[str, Any]]:
    """The settings of every run."""
    return _settings(RunSettings)


def _settings(kind: type[RunSettings], without: type[RunSettings] | None = None) -> list[dict[str, Any]]:
    left_out = {} if without is None else without.model_fields
    return [
        {"name": name, "default": field.get_default(), "meaning": field.description}
        for name, field in kind.model_fields.items()
        if name not in left_out
    ]
