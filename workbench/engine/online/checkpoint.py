"""Storing a run that goes on with environment steps: the trainer's checkpoint, and the new rows as an npz file beside it.

The rows' file is written first and named by its hash, ``run.json`` names both files, and what it does not name is removed
after that: a process killed at any moment leaves a complete checkpoint.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field

from workbench.engine.data.npz import PLAIN, plain_transitions, read_arrays, write_arrays
from workbench.engine.data.records import LARGEST, Count, Record, checked
from workbench.engine.data.transitions import Transitions
from workbench.engine.online.config import OnlineConfig, make_online_config
from workbench.engine.online.learner import Counts, Learner
from workbench.engine.online.recent import Recent
from workbench.engine.tasks.protocol import Task
from workbench.engine.training.loop.checkpoint import CheckpointError, Run, resume, save_checkpoint
from workbench.engine.training.loop.run_record import FileNote
from workbench.engine.words import UserError

DRAFT = "online-new.npz"


class CountsNote(Record):
    """`Counts` as they are stored."""

    env_steps: Count
    updates: Count
    rounds: Count
    owed: Annotated[float, Field(ge=-1e15, le=1e15)]
    evaluated: Annotated[int, Field(ge=-1, le=LARGEST)]
    events: Count


class RowsNote(FileNote):
    """Which file holds the new rows, and how many older rows were dropped before them."""

    before: Count


class OnlineRecord(Record):
    """What ``run.json`` says of a run that went on with environment steps."""

    config: dict[str, Any]
    counts: CountsNote
    rows: RowsNote | None


def save_online(learner: Learner, folder: Path) -> None:
    """Store ``learner`` in ``folder`` (which exists).

    Raises
    ------
    OSError
        Disk full and the like; the checkpoint that was there stays.
    """
    rows = _write_rows(learner.recent, folder)
    record = {
        "config": learner.config.model_dump(mode="json"),
        "counts": asdict(learner.counts),
        "rows": rows,
    }
    save_checkpoint(learner.trainer, folder, learner.task.info.name, online=record)
    for old in folder.glob("online-*.npz"):
        if rows is None or old.name != rows["file"]:
            old.unlink(missing_ok=True)


def _write_rows(recent: Recent, folder: Path) -> dict[str, str | int] | None:
    if not recent.added:
        return None
    rows = recent.latest()
    arrays = {name: getattr(rows.data, name) for name in PLAIN}
    if rows.samples is not None:
        arrays["samples"] = rows.samples.flatten(1).numpy()
    name = f"online-{recent.added:09d}-{rows.data.fingerprint()[:8]}.npz"
    if not (folder / name).exists():  # between two rounds nothing is new
        write_arrays(folder / DRAFT, arrays)
        (folder / DRAFT).replace(folder / name)
    return {"file": name, "sha256": _sha256(folder / name), "before": rows.before}


def load_online(run: Run, data: Transitions, task: Task, device: torch.device | str, config: OnlineConfig) -> Learner:
    """Rebuild the learner of ``run`` as it was when saved, with its offline ``data``.

    ``config`` is the run's own (`online_config`), or the same with more steps.

    Raises
    ------
    CheckpointError
        Not a run that went on with environment steps, other data or device, or a damaged file of rows.
    """
    record = _record(run)
    counts = Counts(**record.counts.model_dump())
    recent = None if record.rows is None else _read_rows(run, record.rows)
    return Learner(resume(run, data, device), task, config, counts, recent)


def online_config(run: Run) -> OnlineConfig:
    """The settings with which ``run`` went on; CheckpointError when it did not."""
    return make_online_config(**_record(run).config)


def _record(run: Run) -> OnlineRecord:
    if run.online is None:
        raise CheckpointError(
            f"{run.folder} is an offline run; begin online training with it: "
            "workbench online RUN --rule RULE --out NEW, and resume that one"
        )
    try:
        return checked(OnlineRecord, run.online)
    except UserError as error:
        raise CheckpointError(f"{run.folder}: its note of online training: {error}; begin a new run") from None


def _read_rows(run: Run, rows: RowsNote) -> Recent:
    path = run.folder / Path(rows.file).name  # never outside the run's folder
    if not path.is_file():
        raise CheckpointError(f"{path} is missing; restore it, or begin online training anew")
    if _sha256(path) != rows.sha256:
        raise CheckpointError(
            f"{path} is truncated or was edited (its SHA-256 is not the one in run.json); restore a copy"
        )
    try:
        arrays = read_arrays(path, (*PLAIN, "samples"))
        data = plain_transitions(arrays, str(path))
    except UserError as error:
        raise CheckpointError(str(error)) from None
    samples = None
    if "samples" in arrays:
        width = data.action_dim * run.config.chunk
        if arrays["samples"].ndim != 2 or arrays["samples"].shape[1] % width or not arrays["samples"].size:
            raise CheckpointError(
                f"{path}: 'samples' has shape {arrays['samples'].shape}, not rows of actions of {width}"
            )
        samples = torch.from_numpy(np.array(arrays["samples"], dtype=np.float32)).view(len(data), -1, width)
    recent = Recent(len(data))
    recent.add(data, samples, before=rows.before)
    return recent


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
