"""Imported runs in a store: the copy that jobs steer, under a name that is made of its content.

They can be listed, and put away as other runs (`workbench.experiments.store.Store.put_back` puts them back).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from workbench.engine.data.records import Count, Name, Record, checked
from workbench.engine.models.described import CORE
from workbench.engine.training.loop.checkpoint import RUN_FILE, load_run
from workbench.engine.words import UserError
from workbench.experiments.files import INDEX, TRAINED, TRASH, StoreError
from workbench.experiments.job import IMPORTED, Job
from workbench.experiments.reading import parsed
from workbench.experiments.store import Store, trash_name
from workbench.runs.training import SOURCE

DIGITS = 20


@dataclass(frozen=True)
class ImportedRun:
    """An imported run of a store, as a list shows it; nothing but its record was read.

    Attributes
    ----------
    name : str
        Of its folder below the store's trainings.
    task : str
    action_dim : int
        D of a whole decision, all steps of a chunk.
    critic : bool
        Whether it has a critic.
    size : int
        Bytes.
    digest : str
        As jobs name it.
    """

    name: str
    task: str
    action_dim: int
    critic: bool
    size: int
    digest: str

    @property
    def key(self) -> str:
        """By which its owner is known."""
        return self.name.partition("-")[0]


class _Config(Record):
    chunk: Annotated[Count, Field(ge=1, le=100)] = 1


class _Listed(Record):
    """The part of a training's record that tells an imported one."""

    task: Name
    action_dim: Annotated[Count, Field(ge=1, le=2**24)]
    config: _Config
    trained: list[Name] = []
    imported: Any = None


def imported_runs(store: Store) -> list[ImportedRun]:
    """The imported runs of a store, the newest first; those that cannot be read are left out."""
    there = {name: files for name, files in store.place.listing(TRAINED).items() if RUN_FILE in files}
    found = []
    for name in sorted(there, key=lambda name: there[name][RUN_FILE], reverse=True):
        content = store.place.read(f"{TRAINED}/{name}/{RUN_FILE}")
        try:
            record = checked(_Listed, parsed(content or b""))
        except UserError:
            continue
        if record.imported is None:
            continue
        folder = store.place.working_folder(f"{TRAINED}/{name}")
        size = sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
        digest = hashlib.sha256(content or b"").hexdigest()[:DIGITS]
        dim = record.action_dim * record.config.chunk
        found.append(ImportedRun(name, record.task, dim, "critic" in record.trained, size, digest))
    return found


def put_away(store: Store, runs: Iterable[ImportedRun]) -> list[str]:
    """Move imported runs to the trash; what was measured of them stays.

    Returns
    -------
    list of str
        Their names in the trash, for `Store.put_back`.

    Raises
    ------
    StoreError
        A sweep steers one of them just now; none is moved then.
    """
    wanted = list(runs)
    busy = {str(row.training.get(IMPORTED)) for row in store.rows() if row.status == "running" and row.training}
    if any(run.digest in busy for run in wanted):
        raise StoreError("a sweep steers this run just now; wait for it, or cancel it first")
    names = []
    for run in wanted:
        name = trash_name(f"{TRAINED}.{run.name}")
        if store.place.move(f"{TRAINED}/{run.name}", f"{TRASH}/{name}"):
            store.place.append(INDEX, json.dumps({"removed": run.name}))  # changes the stamp
            names.append(name)
    return names


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
