"""A rule's settings as a list that any control can be made from: declared once in the rule, read here."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from workbench.engine.digits import exact
from workbench.engine.steering.protocol import Rule
from workbench.engine.words import UserError

Kind = Literal["whole", "number", "choice", "flag"]
# Ten stops a decade that read well; equal steps of the slider are then nearly equal ratios.
DECADE = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
LINEAR_STOPS = 100


@dataclass(frozen=True)
class Field:
    """One setting of a rule.

    Attributes
    ----------
    name, title : str
        ``title`` is ``name`` in words.
    kind : {"whole", "number", "choice", "flag"}
    default : Any
    unit, meaning : str
    stops : tuple
        The values that a slider stops at, or the choices.
    low, high : float or None
        The bounds of a number.
    """

    name: str
    title: str
    kind: Kind
    default: Any
    unit: str
    meaning: str
    stops: tuple[Any, ...]
    low: float | None = None
    high: float | None = None

    @property
    def symbol(self) -> str:
        """The symbol in the meaning, as in "guidance weight w = 1/β" or "transport steps L after"; "" without one."""
        head = self.meaning.split(":")[0].split("(")[0].split(",")[0]
        found = [word for word in head.replace("=", " ").split()[1:] if len(word) == 1 and word not in "aI"]
        return found[0] if found else ""

    def show(self, value: object) -> str:
        """``value`` in words, with its unit."""
        text = exact(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
        unit = self.unit.removesuffix("s") if value == 1 and self.unit in ("steps", "particles") else self.unit
        return f"{text} {unit}".strip()

    def with_stop(self, value: object) -> tuple[Any, ...]:
        """The stops, with ``value`` among them: a link may name a value between two stops."""
        if self.kind not in ("whole", "number") or value in self.stops:
            return self.stops
        return tuple(sorted((*self.stops, value)))

    def read(self, text: str) -> Any:
        """Turn ``text`` (from a link) into a value of this kind; UserError says what was expected."""
        if self.kind == "flag":
            if text.lower() not in ("true", "false"):
                raise UserError(f"{self.name} is true or false, got {text!r}")
            return text.lower() == "true"
        if self.kind == "choice":
            if text not in self.stops:
                raise UserError(f"{self.name} is one of {', '.join(self.stops)}, got {text!r}")
            return text
        try:
            value = int(text) if self.kind == "whole" else float(text)
        except ValueError:
            raise UserError(f"{self.name} is a {self.kind}, got {text!r}") from None
        assert self.low is not None
        assert self.high is not None
        if not self.low <= value <= self.high:  # refuses NaN too
            raise UserError(f"{self.name} goes from {exact(self.low)} to {self.show(self.high)}, got {text!r}")
        return value


def log_stops(low: float, high: float, default: float) -> tuple[float, ...]:
    """Stops of a logarithmic slider, ten a decade; a lower bound of 0 is kept, two decades under the default."""
    bottom = low if low > 0 else 10.0 ** (math.floor(math.log10(default if default > 0 else high)) - 2)
    decades = range(math.floor(math.log10(bottom)), math.ceil(math.log10(high)) + 1)
    stops = {float(f"{lead}e{decade}") for decade in decades for lead in DECADE}
    stops = {stop for stop in stops if bottom <= stop <= high} | {low, high, default}
    return tuple(sorted(stops))


def _stops(schema: dict[str, Any], kind: Kind) -> tuple[Any, ...]:
    if kind == "flag":
        return (False, True)
    if kind == "choice":
        return tuple(schema["enum"])
    low, high, default = schema["minimum"], schema["maximum"], schema["default"]
    if kind == "whole":
        if high - low <= LINEAR_STOPS // 2:
            return tuple(range(low, high + 1))
        # A wide count moves by one up to ten and then by ratios, or its usual small values would share one pixel.
        few = set(range(low, 11)) | {round(stop) for stop in log_stops(max(low, 1), high, max(default, 1))}
        return tuple(sorted(few | {low, default}))
    if schema.get("log"):
        return log_stops(low, high, default)
    return tuple(sorted({*np.linspace(low, high, LINEAR_STOPS + 1).round(9).tolist(), float(default)}))


def shared_settings(rule: type[Rule]) -> set[str]:
    """Names of the settings that ``rule`` has from its kind of rules, and not of its own."""
    return {name for kind in rule.__mro__[1:] if issubclass(kind, Rule) for name in kind.model_fields}


@functools.cache
def fields_of(rule: type[Rule]) -> tuple[Field, ...]:
    """List a rule's settings: what is its own first (its strength before all), then what every rule has."""
    fields = []
    for name, schema in rule.model_json_schema()["properties"].items():
        if "enum" in schema:
            kind: Kind = "choice"
        elif schema["type"] == "boolean":
            kind = "flag"
        else:
            kind = "whole" if schema["type"] == "integer" else "number"
        fields.append(
            Field(
                name,
                name.replace("_", " ").capitalize(),
                kind,
                schema["default"],
                schema.get("unit", ""),
                schema.get("description", ""),
                _stops(schema, kind),
                schema.get("minimum"),
                schema.get("maximum"),
            )
        )
    shared = shared_settings(rule)
    order = {name: place for place, name in enumerate(("flow_steps", "particles", "temperature"))}

    def place(field: Field) -> tuple[int, int]:
        if field.name == rule.strength:
            return (0, 0)
        if field.name not in shared:
            return (1, 0)
        return (2, order.get(field.name, len(order)))

    return tuple(sorted(fields, key=place))
