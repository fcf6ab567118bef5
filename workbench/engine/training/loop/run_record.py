"""What ``run.json`` says, field by field."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from workbench.engine.data.records import Count, Name, Record
from workbench.engine.models.described import NetDescription
from workbench.engine.models.described_diffusion import DiffusionDescription

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=1, le=2**24)]


class DataNote(Record):
    """The data that the run was trained on."""

    fingerprint: Digest


class FileNote(Record):
    """A file beside ``run.json``, and its SHA-256."""

    file: Name
    sha256: Digest


class ImportNote(Record):
    """What a run that was imported from another code notes of where it comes from, and its networks by part."""

    family: Name
    source: Name
    sha256: Digest
    networks: Annotated[dict[Name, NetDescription | DiffusionDescription], Field(min_length=1, max_length=100)]


class RunRecord(Record):
    """A checkpoint's record; ``config`` and ``online`` are checked by the settings that they are."""

    task: Name
    step: Count
    total_steps: Count
    trained: Annotated[list[Name], Field(min_length=1, max_length=1000)]
    observation_dim: Size | None = None
    action_dim: Size | None = None
    config: dict[str, Any]
    data: DataNote | None = None
    device: Literal["cpu", "cuda", "mps", "xpu"]
    state: FileNote
    online: dict[str, Any] | None = None
    imported: ImportNote | None = None
    compiled: dict[Name, bool] | None = None
