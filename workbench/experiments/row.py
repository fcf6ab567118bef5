"""A row of the list of runs: what is known of a job without opening its results."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from workbench.engine.glossary import VERSION
from workbench.engine.words import plain
from workbench.experiments.upgrade import version_of

Status = Literal["planned", "running", "done", "failed", "stopped", "damaged"]


@dataclass(frozen=True)
class Row:
    """One job of a store.

    Attributes
    ----------
    key : str
    status : {"planned", "running", "done", "failed", "stopped", "damaged"}
        ``stopped``: it was begun and nobody works on it now; the next sweep does it again. ``damaged``: a file of it is no
        record of a run, as ``error`` says; the next sweep puts it away and does it again.
    task, rule : str
    settings, training : dict
        Those that differ from the defaults.
    seed, episodes : int
    returns, success : dict or None
        ``mean``, ``low``, ``high`` on the reporting episodes.
    fitted_q : dict or None
        The same of the value by fitted-Q evaluation, where no episode could be played.
    shift, transport, gap : float or None
        On the reporting episodes; `workbench.engine.glossary` says what they are.
    measured_by : int
        Version of the measurements: those of version 1 lack own-way shift, occupancy and gain.
    seconds : float or None
        Wall time of the job, without shared training.
    finished : str or None
        UTC, ISO 8601.
    error : str or None
        Of the last attempt, for failed jobs.
    """

    key: str
    status: Status
    task: str = ""
    rule: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    episodes: int = 0
    returns: dict[str, float] | None = None
    success: dict[str, float] | None = None
    shift: float | None = None
    transport: float | None = None
    gap: float | None = None
    fitted_q: dict[str, float] | None = None
    measured_by: int = VERSION
    seconds: float | None = None
    finished: str | None = None
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return asdict(self)

    @property
    def label(self) -> str:
        """Rule and changed settings, as a person would say it."""
        changed = {**self.settings, **{f"fit.{name}": value for name, value in self.training.items()}}
        return " ".join([self.rule, *(f"{name}={spell(value)}" for name, value in changed.items())])


def described(record: dict[str, Any]) -> dict[str, Any]:
    """The fields of a `Row` that the record of a job gives (job.json)."""
    job, changed = record["job"], record["changed"]
    return {
        "key": record["key"],
        "task": job["task"],
        "rule": job["rule"],
        "settings": changed["settings"],
        "training": changed["training"],
        "seed": job["seed"],
        "episodes": job["episodes"],
    }


def row_of_result(result: dict[str, Any]) -> Row:
    """The row of a finished job, from its result.json with today's names (`upgrade_result`)."""
    report = result["report"]
    return Row(
        **described(result),
        status="done",
        returns=report["return"],
        success=report.get("success"),
        shift=_number(report["shift"].get("w2")),
        transport=_number(report.get("transport")),
        gap=_number((report.get("gap") or {}).get("mean")),
        fitted_q=report.get("fitted_q"),
        measured_by=version_of(result),
        seconds=result["seconds"],
        finished=result["finished"],
    )


def spell(value: Any) -> str:
    """A value as short as it can be read back."""
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else plain(str(value))


def _number(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
