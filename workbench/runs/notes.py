"""What a training that a page started notes of itself, checked before it is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.engine.data.records import Count, Name, Record, checked
from workbench.engine.data.regular import open_regular
from workbench.engine.data.strict_json import parse_json

PROGRESS = "progress.jsonl"  # in a run's folder
MOST_READ = 2**28  # bytes of the progress that are read at once


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
    steps_per_second: float = 0.0


def reports_in(block: bytes) -> Iterator[dict[str, Any]]:
    """The lines that are reports; all others are left out."""
    for line in block.splitlines():
        try:
            report = parse_json(line)
            checked(Report, report)
        except ValueError:
            continue
        yield report


def read_reports(folder: Path) -> list[dict[str, Any]]:
    """All reports of a run's folder; none where it has no log."""
    path = folder / PROGRESS
    if not path.is_file():
        return []
    with open_regular(path) as file:
        return list(reports_in(file.read(MOST_READ)))


def seconds_of(reports: list[dict[str, Any]]) -> float | None:
    """Wall time of the updates that were reported, also over several sessions; None where there is no log of them.

    Seeds that were trained together each have the time of all.
    """
    seconds, before = 0.0, 0
    for report in reports:
        speed, done = report.get("steps_per_second", 0.0), report["step"] - before
        if speed > 0.0 and done > 0:
            seconds += done / speed
        before = report["step"]
    return seconds or None
