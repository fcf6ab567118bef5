"""Imported runs in a store: the copy that jobs steer, under a name that is made of its content."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from workbench.engine.models.described import CORE
from workbench.engine.training.loop.checkpoint import RUN_FILE, load_run
from workbench.engine.words import UserError
from workbench.experiments.job import IMPORTED, Job
from workbench.experiments.store import TRAINED, Store
from workbench.runs.training import SOURCE

DIGITS = 20


def axis_of(folder: Path, tasks: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The axis of a grid whose jobs are all on the imported run in ``folder``.

    Raises
    ------
    ValueError
        No such run, one that was trained here, or one for another task than ``tasks``.
    """
    run = load_run(folder)
    if run.imported is None:
        raise UserError(
            f"{folder} was trained here; a sweep trains its own runs, so leave --run out (it is for workbench import)"
        )
    if set(tasks) != {run.task}:
        raise UserError(
            f"{folder} is for task '{run.task}', the sweep is of {', '.join(tasks)}; give --task {run.task}"
        )
    return {f"fit.{IMPORTED}": (digest_of(folder),)}


def digest_of(folder: Path) -> str:
    """The name of an imported run: a hash of its record, which holds those of its files."""
    return hashlib.sha256((folder / RUN_FILE).read_bytes()).hexdigest()[:DIGITS]


def keep_run(store: Store, folder: Path, job: Job) -> str:
    """Copy the run in ``folder`` into the store, where ``job`` looks for it; nothing is done when it is there.

    Returns
    -------
    str
        Its name among the store's trainings.
    """
    run = load_run(folder)
    extra = sorted(set(run.trained) - set(CORE))
    name = "-".join((f"{TRAINED}/{job.training_key}", *extra))
    with store.lock_training(name):
        if store.place.fetch(name, RUN_FILE):
            return name.removeprefix(f"{TRAINED}/")
        place = store.place.working_folder(name)
        place.mkdir(parents=True, exist_ok=True)
        state = next(folder.glob("state-*.safetensors")).name
        for file in (SOURCE, state, RUN_FILE):  # the record last: it marks a complete copy
            if (folder / file).is_file():
                shutil.copyfile(folder / file, place / file)
        store.place.publish(name, RUN_FILE)
    return name.removeprefix(f"{TRAINED}/")


def absent(store: Store, job: Job) -> str:
    """Why ``job`` finds no imported run that serves it."""
    there = [name for name in store.place.listing(TRAINED) if name.partition("-")[0] == job.training_key]
    if there and job.parts:
        return f"the imported run {job.training[IMPORTED]} lacks {', '.join(job.parts)}, which rule '{job.rule}' needs"
    return f"{store.where} has no imported run {job.training[IMPORTED]}; give it: workbench sweep --run RUN …"
