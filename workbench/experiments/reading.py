"""What the files of a store must say: every one is checked in full before anything reads it.

A store may come from anyone, and a crash or a bad disk may have damaged it. Everything that the code reads is checked
strictly; other measures inside a result are passed on unchanged.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from workbench.engine.data.records import Count, Name, Record, Text, checked
from workbench.engine.data.strict_json import parse_json
from workbench.engine.words import UserError
from workbench.experiments.row import Row
from workbench.experiments.upgrade import upgrade_result

if TYPE_CHECKING:
    import numpy as np

MOST = 32 * 2**20  # bytes of one record; a sweep of 40,000 jobs has as many
KEY = re.compile(r"[0-9A-Za-z]{1,64}")
RETURNS = ("choose.returns", "report.returns")
MEASURED = ("report.q_first", "report.discounted")  # promised and earned of each episode, where they were kept
SUCCESS = "report.success"  # whether each episode reached the goal
VALUES = ("choose.values", "report.values")  # where no episode was played: fitted-Q values of the data's starts


def _when(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise UserError("a time needs its zone")
    return text


Key = Annotated[str, Field(pattern=f"^{KEY.pattern}$")]
When = Annotated[str, Field(max_length=40), AfterValidator(_when)]
Settings = dict[Name, Any]
Number = Annotated[float, Field(ge=-1e300, le=1e300)]


class Span(Record):
    """A mean and its interval."""

    mean: Number
    low: Number
    high: Number


class Estimate(Record):
    """A mean, and its interval where it was kept."""

    mean: Number
    low: Number | None
    high: Number | None


class Data(Record):
    """As `workbench.experiments.job.Data`."""

    fingerprint: Name | None
    folder: Text | None
    clip_actions: bool = False


class Job(Record):
    """As `workbench.experiments.job.Job`; whether the settings are those of the rule, the rule says."""

    task: Name
    rule: Name
    settings: Settings
    training: Settings
    episodes: Annotated[Count, Field(ge=1)]
    seed: Count
    data: Data


class Changed(Record):
    """Settings that differ from the defaults."""

    settings: Settings
    training: Settings


class JobRecord(Record):
    """job.json."""

    key: Key
    job: Job
    changed: Changed


class Code(Record):
    """The commit of a clone."""

    commit: Name
    changed: bool


class By(Record):
    """Versions and machine."""

    code: Code | None
    packages: dict[Name, Name]
    python: Name
    platform: Annotated[str, Field(max_length=1000)]
    processor: Annotated[str, Field(max_length=1000)]
    host: Name
    pid: Count


class Shift(Record):
    """Distances to the behaviour policy."""

    model_config = ConfigDict(extra="allow")
    w2: Number | None = None


class Report(Record):
    """The measures of one set of episodes; those that are not declared here may be anything that JSON has."""

    model_config = ConfigDict(extra="allow")
    version: Count | None = None
    measured_by: Annotated[Count, Field(ge=1)] | None = None
    returns: Span | None = Field(alias="return")
    fitted_q: Span | None = None
    success: Span | None = None
    shift: Shift
    transport: Number | None = None
    promised: Estimate | None = None
    earned: Estimate | None = None
    gap: Estimate | None = None
    gain: Estimate | None = None

    @model_validator(mode="after")
    def _measured(self) -> Report:
        if self.returns is None and self.fitted_q is None:
            raise UserError("neither a return nor a fitted-Q value was measured")
        return self


class Training(Record):
    """Where the networks lie, relative to the store."""

    folder: Name
    seconds: Annotated[Number, Field(ge=0)] | None = None


class Seeds(Record):
    """Of the two sets of episodes."""

    choose: Count
    report: Count


class Result(JobRecord):
    """result.json."""

    choose: Report
    report: Report
    training: Training
    evaluation_seeds: Seeds
    seconds: Annotated[Number, Field(ge=0)]
    episodes_file: Annotated[str, Field(pattern=r"^episodes-[0-9a-f]{1,64}\.npz$")]
    finished: When
    by: By


class Failure(Record):
    """failed.json."""

    error: Text
    traceback: Annotated[str, Field(max_length=10**7)]
    attempts: Annotated[Count, Field(ge=1)]
    by: By | None = None


class Event(Record):
    """A line of metrics.jsonl."""

    time: When
    event: Name
    by: By | None = None


class Grid(Record):
    """Of a sweep's grid what a report reads."""

    data: Data


class SweepJob(Record):
    """A job as a list shows it."""

    task: Name
    rule: Name
    settings: Settings
    training: Settings
    seed: Count
    episodes: Count


class Sweep(Record):
    """sweeps/ID.json."""

    grid: Grid
    command: Annotated[str, Field(max_length=10**6)]
    started: Annotated[list[When], Field(min_length=1)]
    jobs: dict[Key, SweepJob]


class IndexLine(SweepJob):
    """A finished run in the index, as `workbench.experiments.row.Row` has it."""

    key: Key
    status: Annotated[str, Field(pattern="^done$")]
    returns: Span | None
    success: Span | None
    shift: Number | None
    transport: Number | None
    gap: Number | None
    fitted_q: Span | None = None
    measured_by: Annotated[Count, Field(ge=1)]
    seconds: Number | None
    finished: When | None
    error: None = None


class OwnerLine(Record):
    """A line of owners.jsonl."""

    owner: Name
    keys: list[Name] = []
    shared: bool | None = None


def parsed(content: bytes | str) -> Any:
    """The value of a record; UserError when it is too large or no JSON."""
    if len(content) > MOST:
        raise UserError(f"it has {len(content):,} bytes, more than the {MOST:,} that a record may have")
    try:
        return parse_json(content)
    except ValueError as error:
        raise UserError(f"it is not valid JSON ({error}); it was cut off or edited") from None


def record(kind: type[Record], content: bytes | str, key: str | None = None) -> dict[str, Any]:
    """The record of this kind that ``content`` holds, as plain types.

    Parameters
    ----------
    kind : type
        `JobRecord`, `Result`, `Failure` or `Sweep`.
    content : bytes
    key : str, optional
        Of the run whose folder it lies in.

    Raises
    ------
    UserError
        It is no such record, that of another run, or of a later workbench.
    """
    value = parsed(content)
    if kind is Result and isinstance(value, dict):
        value = upgrade_result(value)
    checked(kind, value)
    if key is not None and value["key"] != key:
        raise UserError(f"it is the record of another run, {value['key']}")
    found: dict[str, Any] = value
    return found


def events(lines: Iterable[str]) -> tuple[list[dict[str, Any]], int]:
    """The events that the lines of metrics.jsonl tell, and how many lines cannot be read; a crash may cut one short."""
    return _kept(Event, lines)


def owner_lines(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The lines of owners.jsonl; lines that cannot be read are left out."""
    return _kept(OwnerLine, lines)[0]


def index_rows(lines: Iterable[str]) -> tuple[dict[str, Row], int]:
    """The rows that the index holds by key, and how many of its lines are no rows."""
    found: dict[str, Row] = {}
    odd = 0
    for line in lines:
        try:
            item = parsed(line)
            if isinstance(item, dict) and "removed" in item:
                found.pop(str(item["removed"]), None)
            elif not isinstance(item, dict) or not item.keys() & {"failed", "restored"}:
                checked(IndexLine, item)
                found[item["key"]] = Row(**item)
        except (UserError, TypeError):  # another version's line: the folder is read instead
            odd += 1
    return found, odd


def is_offline(result: dict[str, Any]) -> bool:
    """Whether a run was measured without an environment: fitted-Q values stand in the place of returns."""
    return result["report"]["return"] is None


def episodes(content: bytes, count: int | None) -> dict[str, np.ndarray]:
    """Every episode of a run that played ``count`` in each of its two sets; None for one that was measured offline.

    Raises
    ------
    UserError
        The archive is damaged, lacks the returns, or has another number of episodes.
    """
    import numpy as np  # here, so that lists of runs do without

    from workbench.engine.data.npz import read_archive

    found = read_archive(io.BytesIO(content), len(content), "it")
    if count is None:
        for name in VALUES:
            if name not in found or found[name].ndim != 1 or not found[name].size or not np.isfinite(found[name]).all():
                raise UserError(f"it does not hold the fitted-Q values of the data's starts ('{name}')")
        return found
    for name in RETURNS:
        if name not in found or found[name].shape != (count,) or not np.isfinite(found[name]).all():
            has = f"has shape {found[name].shape}" if name in found else "is missing"
            raise UserError(f"it does not hold the returns of {count} episodes ('{name}' {has}, or is not finite)")
    return found


def whole_lines(kind: type[Record], lines: Iterable[str]) -> list[str]:
    """Those lines that are records of this kind."""
    return [line for line in lines if _kept(kind, [line])[0]]


def _kept(kind: type[Record], lines: Iterable[str]) -> tuple[list[dict[str, Any]], int]:
    found: list[dict[str, Any]] = []
    odd = 0
    for line in lines:
        try:
            item = parsed(line)
            checked(kind, item)
            found.append(item)
        except UserError:
            odd += 1
    return found, odd
