"""Snapshots: the weights at chosen moments of a run, so that its course can be looked at afterwards.

A run has one checkpoint, from which training goes on, and any number of snapshots: these hold the weights alone.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save as save_arrays

from workbench.engine.data.arrays_file import read_arrays_file
from workbench.engine.data.atomic import remove_leftovers, write_atomic
from workbench.engine.models.parts import Parts
from workbench.engine.training.loop.checkpoint import CheckpointError, Run, weights_of
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.words import UserError

FOLDER = "snapshots"
NAME = re.compile(r"step-(\d{9})-([0-9a-f]{8})\.safetensors")


def snapshot_steps(total: int, count: int) -> frozenset[int]:
    """The steps at which ``count`` + 1 snapshots are taken: evenly from 0 to ``total``; none for a ``count`` of 0.

    Raises
    ------
    UserError
        ``count`` is negative.
    """
    if count < 0:
        raise UserError(f"snapshots must be 0 or more, got {count}")
    return frozenset(total * k // count for k in range(count + 1)) if count else frozenset()


def save_snapshot(trainer: Trainer, folder: Path) -> None:
    """Store the weights of ``trainer`` in the run's ``folder``; a snapshot of the same step is replaced."""
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
    content = save_arrays({name: array.detach().cpu().contiguous() for name, array in weights_of(trainer).items()})
    step = f"step-{trainer.step_number:09d}"
    name = f"{step}-{hashlib.sha256(content).hexdigest()[:8]}.safetensors"
    write_atomic(place / name, content)
    for old in place.glob(f"{step}-*.safetensors"):
        if old.name != name:
            old.unlink(missing_ok=True)
    remove_leftovers(place)


def list_snapshots(folder: Path) -> list[int]:
    """The steps of the snapshots in a run's ``folder``, ascending; a file still being written is not among them."""
    return sorted(_files(folder))


def load_snapshot(run: Run, step: int) -> Parts:
    """The parts of ``run`` as they were at ``step``.

    Raises
    ------
    CheckpointError
        No snapshot of that step, or a damaged one.
    """
    path = _files(run.folder).get(step)
    if path is None:
        known = ", ".join(map(str, list_snapshots(run.folder))) or "none; take some: workbench fit … --snapshots 20"
        raise CheckpointError(f"{run.folder} has no snapshot of step {step}; it has {known}")
    named = NAME.fullmatch(path.name)
    assert named is not None
    try:
        arrays = read_arrays_file(path, named[2])
    except UserError as error:
        raise CheckpointError(f"{error}; or delete it, the run itself does not need it") from None
    return replace(run, arrays=run.arrays | arrays, step=step).parts()


def _files(folder: Path) -> dict[int, Path]:
    place = folder / FOLDER
    if not place.is_dir():
        return {}
    named = ((NAME.fullmatch(path.name), path) for path in place.iterdir())
    return {int(name[1]): path for name, path in named if name}
