"""Flags that several commands share, and how their values are read."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from workbench.engine.words import UserError

Device = Literal["auto", "cpu", "cuda"]
Json = Annotated[bool, tyro.conf.arg(name="json", help="Print one JSON value instead of a table.")]
Settings = Annotated[
    tuple[tuple[str, ...], ...],
    tyro.conf.UseAppendAction,  # --set a=1 b=2 and --set a=1 --set b=2 mean the same
    tyro.conf.arg(name="set", metavar="KEY=VALUE ...", help="One or more settings, such as weight=3."),
]
RowsIn = Literal["auto", "memory", "disk"]
ClipActions = Annotated[bool, tyro.conf.arg(help="Clip actions of the data to [-1, 1] instead of refusing them.")]
Named = Annotated[str | None, tyro.conf.arg(metavar="NAME")]
Whole = Annotated[int | None, tyro.conf.arg(metavar="INT")]
TaskName = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="TASK")]
Folder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
SEEDS = 2**31


def parse_settings(groups: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
    """Read groups of ``key=value`` pairs: numbers, true and false and lists as JSON has them, anything else as text."""
    found: dict[str, Any] = {}
    for pair in (pair for group in groups for pair in group):
        key, equals, text = pair.partition("=")
        if not equals or not key or not text:
            raise UserError(f"--set takes key=value, such as --set steps=3; got '{pair}'")
        if key in found:
            raise UserError(f"--set gives {key} twice, {found[key]} and {text}; leave one out")
        try:
            found[key] = json.loads(text)
        except ValueError:
            found[key] = text
    return found


def check_range(flag: str, value: float, low: float, high: float | None) -> None:
    """Raise UserError unless ``value`` lies in ``low`` to ``high`` (None: no upper bound)."""
    if not low <= value or (high is not None and value > high):
        allowed = f"at least {low}" if high is None else f"{low} to {high}"
        raise UserError(f"{flag} must be {allowed}, got {value}")


def quoted(path: Path) -> str:
    """``path`` as one word of a shell command."""
    return shlex.quote(str(path))
