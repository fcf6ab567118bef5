"""Settings from outside, checked: one place makes the models and words what is wrong with what was given.

A message names the setting, what is wrong with its value, what it may be, and the nearest name of one that is unknown.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from workbench.engine.words import UserError, shown

M = TypeVar("M", bound=BaseModel)
BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def make(model: type[M], given: Mapping[str, Any], owner: str, setting: str) -> M:
    """``model(**given)``.

    Parameters
    ----------
    model : type of BaseModel
    given : mapping
    owner : str
        Whose settings these are, as in "rule 'qgf'".
    setting : str
        How one of them is called, with ``{}`` for its name, as in "setting '{}' of rule 'qgf'".

    Raises
    ------
    UserError
        A line for each setting that is wrong.
    """
    try:
        return model(**given)
    except ValidationError as error:
        raise refused(error, model, owner, setting) from None


def refused(error: ValidationError, model: type[BaseModel], owner: str, setting: str) -> UserError:
    """What `make` raises for ``error``; a fault inside one of the model's own checks is raised as it is."""
    lines: dict[str, str] = {}  # by setting: a wrong entry of a list also makes the list too short
    for item in error.errors(include_url=False):
        name = str(item["loc"][0]) if item["loc"] else "settings"
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, UserError):
            words = str(cause)
        elif isinstance(cause, Exception):
            raise cause
        elif item["type"] == "extra_forbidden":
            known = list(model.model_fields)
            words = f"{owner} has no setting '{name}'{nearest(name, known)} It has: {', '.join(known)}"
        else:
            words = f"{setting.replace('{}', name, 1)}: {must(item['msg'])}, got {shown(item['input'])}{allowed(model, name)}"
        lines.setdefault(name, words)
    return UserError("\n".join(lines.values()))


def must(message: str) -> str:
    """Pydantic's "Input should be …" as "must be …"."""
    return message.replace("Input should", "must", 1)


def nearest(word: str, known: list[str]) -> str:
    """End a sentence about an unknown ``word``: ``; did you mean 'x'?`` when one is close, in any capitals, else a full stop."""
    names = {name.lower(): name for name in known}
    # Cut, for the work grows with the square of the length.
    close = difflib.get_close_matches(word[:80].lower(), names, n=1, cutoff=0.5)
    return f"; did you mean '{names[close[0]]}'?" if close else "."


def allowed(model: type[BaseModel], name: str) -> str:
    """`` (allowed: 0 to 10 steps)``, or `` (allowed: above 0, at most 1)``, for a setting with bounds; else nothing."""
    words = limits(model, name)
    return f" (allowed: {words})" if words else ""


def limits(model: type[BaseModel], name: str) -> str:
    """What a setting's value may be, as in "0 to 10 steps" or "above 0, at most 1"; "" where it has no bounds."""
    schema = model.model_json_schema()["properties"].get(name, {})
    schema = schema.get("items", schema)  # of a list: what each entry may be
    schema = next((kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"), schema)
    if "unit" in schema and "minimum" in schema:  # a setting of a rule, which has a slider
        unit = f" {schema['unit']}" if schema["unit"] else ""
        return f"{_number(schema['minimum'])} to {_number(schema['maximum'])}{unit}"
    return ", ".join(f"{word} {_number(schema[key])}" for key, word in BOUNDS.items() if key in schema)


def _number(value: float) -> str:
    """``value`` as short as it can be said exactly."""
    return f"{value:g}" if float(f"{value:g}") == value else f"{value:,}"
