"""What a training that a page started notes of itself, checked before it is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.engine.data.records import Count, Name, Record, checked
from workbench.engine.data.strict_json import parse_json


class About(Record):
    """What ``about.json`` says."""

    task: Name
    settings: dict[Name, Any]
    rules: list[Name] = []
    owner: Name
    shared: bool
    created: float
    data: bool = False


class Report(Record):
    """What every line of a training's progress says, beside its losses."""

    step: Count
    total: Count
    losses: dict[Name, float]


def reports_in(block: bytes) -> Iterator[dict[str, Any]]:
    """The lines that are reports; all others are left out."""
    for line in block.splitlines():
        try:
            report = parse_json(line)
            checked(Report, report)
        except ValueError:
            continue
        yield report
