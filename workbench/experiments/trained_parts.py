"""Trained parts in the store: every training is done once, whichever worker and sweep asks first."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from workbench.engine.data.records import Count, Name, Record, checked, read_json
from workbench.engine.data.transitions import Transitions
from workbench.engine.training.loop.checkpoint import RUN_FILE, CheckpointError, Run, load_run, read_record
from workbench.engine.training.loop.fit import Progress
from workbench.engine.training.loop.together import fit_together
from workbench.engine.words import UserError
from workbench.experiments.imported_runs import absent
from workbench.experiments.job import IMPORTED, Job
from workbench.experiments.place import Stopped, never
from workbench.experiments.store import TRAINED, Store
from workbench.runs.training import TrainingRun, training_data

SAVE_EVERY = 2000  # updates between two checkpoints, from which a killed training goes on


@dataclass(frozen=True)
class Trained:
    """A finished training of the store.

    Attributes
    ----------
    name : str
        Its folder below the store.
    run : Run
    seconds : float or None
        Wall time of training here and now; None when it was found.
    """

    name: str
    run: Run
    seconds: float | None


@dataclass(frozen=True)
class Found:
    """A finished training of a store, as a list shows it; nothing but its record was read.

    Attributes
    ----------
    name : str
        Of its folder below the store's trainings.
    folder : Path
    task : str
    action_dim : int
        D of a whole decision, all steps of a chunk.
    seed : int
    """

    name: str
    folder: Path
    task: str
    action_dim: int
    seed: int


class ListedConfig(Record):
    """Of a training's settings what a list shows."""

    seed: Count
    chunk: Annotated[Count, Field(ge=1, le=100)] = 1


class Listed(Record):
    """Of a training's record what a list shows; its seal is checked when it is chosen."""

    task: Name
    step: Count
    total_steps: Count
    action_dim: Annotated[Count, Field(ge=1, le=2**24)]
    config: ListedConfig


def newest_trainings(store: Path, most: int = 20) -> list[Found]:
    """The ``most`` newest finished trainings in the folder ``store``, newest first; those that cannot be read are left out."""
    records = [path for path in (store / TRAINED).glob(f"*/{RUN_FILE}") if path.is_file()]
    trainings = []
    for path in sorted(records, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            record = checked(Listed, read_json(path))
        except (UserError, OSError):
            continue
        if record.step < record.total_steps:
            continue
        dim = record.action_dim * record.config.chunk
        trainings.append(Found(path.parent.name, path.parent, record.task, dim, record.config.seed))
        if len(trainings) == most:
            break
    return trainings


def data_of(run: Run) -> Transitions:
    """The data that ``run`` was trained on, read or made again; UserError or OSError when they cannot be had."""
    return training_data(run)


def folder_of(job: Job, parts: tuple[str, ...]) -> str:
    """The folder of the training of ``job`` with these further ``parts``, relative to the store."""
    return "-".join((f"{TRAINED}/{job.training_key}", *sorted(parts)))


def find_trained(store: Store, job: Job) -> Trained | None:
    """A finished training that serves ``job``, with the parts its rule needs or more; None when there is none.

    Raises
    ------
    CheckpointError
        It is damaged.
    """
    names = store.place.listing(TRAINED)
    for name in sorted(names, key=len):
        key, *parts = name.split("-")
        if key == job.training_key and set(job.parts) <= set(parts) and RUN_FILE in names[name]:
            trained = _finished(store, f"{TRAINED}/{name}")
            if trained is not None:
                return Trained(f"{TRAINED}/{name}", trained, None)
    return None


def ensure_trained(
    store: Store,
    job: Job,
    parts: tuple[str, ...] = (),
    *,
    device: str = "cpu",
    should_stop: Callable[[], bool] = never,
    tell: Callable[[Progress], None] | None = None,
) -> Trained:
    """Find the training that ``job`` needs, or do it, or wait for the worker that does.

    Parameters
    ----------
    store, job
    parts : tuple of str
        Parts that other jobs of the sweep need of the same training; those of the job's own rule are added.
    device : str
        As for ``workbench fit``.
    should_stop : callable
        Asked before every update; the training is saved and goes on another time.
    tell : callable, optional
        Called with the progress.

    Raises
    ------
    Stopped
        ``should_stop`` said so.
    UserError, OSError
        As `workbench.runs.training.TrainingRun`.
    """
    trained = find_trained(store, job)
    if trained is not None:
        return trained
    if IMPORTED in job.training:
        raise UserError(absent(store, job))
    wanted = tuple(dict.fromkeys((*parts, *job.parts)))
    name = folder_of(job, wanted)
    with store.lock_training(name, should_stop):
        trained = find_trained(store, job)
        if trained is not None:
            return trained
        seconds = _train(store.place.working_folder(name), job, wanted, device, should_stop, tell)
        store.place.publish(name, RUN_FILE)
        run = _finished(store, name)
        assert run is not None
        return Trained(name, run, seconds)


def ensure_trained_together(
    store: Store,
    jobs: list[Job],
    parts: tuple[str, ...] = (),
    *,
    device: str = "cpu",
    should_stop: Callable[[], bool] = never,
    tell: Callable[[Progress], None] | None = None,
) -> None:
    """`ensure_trained` for jobs whose trainings differ in their seed alone, all of them in one computation.

    When one of the seeds cannot be trained the others are trained by themselves; the error is raised when none can.
    """
    wanted = tuple(dict.fromkeys((*parts, *(name for job in jobs for name in job.parts))))
    named = {folder_of(job, wanted): job for job in jobs}
    with ExitStack() as locks:
        for name in sorted(named):  # always in the same order, so that two workers never wait for each other
            locks.enter_context(store.lock_training(name, should_stop))
        left = {name: job for name, job in named.items() if find_trained(store, job) is None}
        folders = {name: store.place.working_folder(name) for name in left}
        errors: list[UserError] = []
        try:
            runs = [_open(folders[name], job, wanted, device) for name, job in left.items()]
            _train_together(runs, should_stop, tell)
        except UserError:
            for name, job in left.items():
                try:
                    _train(folders[name], job, wanted, device, should_stop, tell)
                except UserError as error:
                    errors.append(error)
                    folders.pop(name)
            if errors and not folders:
                raise errors[0] from None
        for name in folders:
            store.place.publish(name, RUN_FILE)


def _train_together(
    runs: list[TrainingRun], should_stop: Callable[[], bool], tell: Callable[[Progress], None] | None
) -> None:
    """Train what is at the same update at once; a group that was killed while it saved may have left two kinds."""
    by_trainer = {id(run.trainer): run for run in runs}
    try:
        for step in sorted({run.trainer.step_number for run in runs}):
            trainers = [run.trainer for run in runs if run.trainer.step_number == step]
            for run in runs:
                run.trim_log()
            reports = fit_together(
                trainers,
                save=lambda trainer: by_trainer[id(trainer)].save(trainer),
                save_every=SAVE_EVERY,
                should_stop=should_stop,
                tell=lambda trainer, report: by_trainer[id(trainer)].write_log(report),
            )
            for report in reports:
                if report.stopped:
                    raise Stopped
                if tell is not None:
                    tell(report)
    finally:
        for run in runs:
            run.close()


def _open(folder: Path, job: Job, parts: tuple[str, ...], device: str) -> TrainingRun:
    settings: dict[str, Any] = job.training | {"seed": job.seed, "parts": list(parts)}
    run = TrainingRun.open(
        job.task,
        folder,
        settings,
        data=None if job.data.folder is None else Path(job.data.folder),
        device=device,
        resume=folder.exists(),
        clip_actions=job.data.clip_actions,
    )
    check_data(run.trainer.data.fingerprint(), job)
    return run


def _train(
    folder: Path,
    job: Job,
    parts: tuple[str, ...],
    device: str,
    should_stop: Callable[[], bool],
    tell: Callable[[Progress], None] | None,
) -> float:
    run = _open(folder, job, parts, device)
    started = time.perf_counter()
    for report in run.progress(should_stop=should_stop, save_every=SAVE_EVERY):
        if report.stopped:
            raise Stopped
        if tell is not None:
            tell(report)
    return time.perf_counter() - started


def check_data(fingerprint: str, job: Job) -> None:
    """Raise UserError when a folder no longer holds the data that the job names."""
    if job.data.fingerprint not in (None, fingerprint):
        raise UserError(
            f"{job.data.folder} holds other data now than when the sweep was planned "
            f"(fingerprint {fingerprint[:12]}…, was {str(job.data.fingerprint)[:12]}…); run the sweep's command again"
        )


def _finished(store: Store, name: str) -> Run | None:
    if not store.place.fetch(name, RUN_FILE):
        return None
    folder = store.place.working_folder(name)
    try:
        record = read_record(folder)
        if record.step < record.total_steps:
            return None  # somebody trains it, or was stopped
        return load_run(folder)
    except CheckpointError as error:
        error.add_note(f"remove {store.where}/{name} and start the sweep again: it trains anew")
        raise
