"""What a participant did: ``course.json`` beside the notebooks, plain JSON, written atomically."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from workbench.course.names import new_token
from workbench.engine.data.atomic import write_atomic
from workbench.engine.data.records import Record, checked, read_json
from workbench.engine.words import UserError

FILE = "course.json"
PARTS: dict[str, type] = {"exercises": dict, "predictions": dict, "scores": list}


class Kept(Record):
    """What of a record the scoreboard reads; each try is checked by who reads it (`read_submission`, `read_result`)."""

    participant: Annotated[str, Field(max_length=200)]
    scores: Annotated[list[dict[str, Any]], Field(max_length=10_000)]


def empty(participant: str = "") -> dict[str, Any]:
    """The record of somebody who has done nothing yet."""
    return {"format": 1, "participant": participant} | {name: kind() for name, kind in PARTS.items()}


def read(folder: str | Path = ".") -> dict[str, Any]:
    """Read the record in ``folder``; an empty one where there is none.

    Raises
    ------
    UserError
        The file is not a record of the course.
    """
    path = Path(folder) / FILE
    if not path.exists():
        return empty()
    try:
        record = read_json(path)
    except UserError as error:
        raise UserError(f"{error}; move it away, and a new one is begun") from None
    if not isinstance(record, dict) or any(
        not isinstance(record.get(name, kind()), kind) for name, kind in PARTS.items()
    ):
        raise UserError(f"{path} is not a record of this course; move it away, and a new one is begun")
    try:
        checked(Kept, empty() | record)
    except UserError as error:
        raise UserError(f"{path}: {error}; move it away, and a new one is begun") from None
    return empty() | record


def token_of(record: dict[str, Any]) -> str:
    """The token that shows the board whose tries these are; made here for a record that has none yet."""
    if not (isinstance(record.get("token"), str) and len(record["token"]) >= 32):
        record["token"] = new_token()
    return str(record["token"])


def write(record: dict[str, Any], folder: str | Path = ".") -> None:
    """Replace the record in ``folder``."""
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomic(Path(folder) / FILE, (text + "\n").encode())
