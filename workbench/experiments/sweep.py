"""A sweep: the jobs of a grid that have no result yet, through an executor, with progress; it can be stopped at any moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.engine.training.config import make_config
from workbench.engine.training.loop.together import pays_together
from workbench.engine.words import UserError
from workbench.experiments.damage import damaged_runs
from workbench.experiments.grid import Grid
from workbench.experiments.items import Event, Executor, Item
from workbench.experiments.job import IMPORTED, Data, Job
from workbench.experiments.place import never
from workbench.experiments.row import Row, row_of_result
from workbench.experiments.store import Store


@dataclass(frozen=True)
class SweepProgress:
    """What a progress bar shows.

    Attributes
    ----------
    done, total : int
        Jobs with a result, those found in the store among them; and in all.
    failed : int
        Jobs and trainings that failed in this sweep.
    training, trainings : int
        Trainings that are done, and in all, in this sweep.
    running : dict of str to float
        What is worked on now, by name, and its share done.
    eta_seconds : float or None
        None until something has been done.
    row : Row or None
        The result that just came.
    errors : dict of str to str
        By name, of what failed.
    stopped : bool
        Somebody asked to stop; the sweep's command goes on.
    again : dict of str to str
        Runs that were damaged: they were moved to the trash and are done again. By key, what was wrong.
    """

    done: int
    total: int
    failed: int = 0
    training: int = 0
    trainings: int = 0
    running: dict[str, float] = field(default_factory=dict)
    eta_seconds: float | None = None
    row: Row | None = None
    errors: dict[str, str] = field(default_factory=dict)
    stopped: bool = False
    again: dict[str, str] = field(default_factory=dict)


def record_of(job: Job) -> dict[str, Any]:
    """What a store keeps of a job: its key, itself, and what differs from the defaults."""
    return {"key": job.key, "job": job.model_dump(mode="json"), "changed": job.changed()}


def sweep(
    grid: Grid,
    store: Store,
    executor: Executor,
    *,
    should_stop: Callable[[], bool] = never,
    retry_failed: bool = True,
    device: str = "cpu",
    together: bool = True,
) -> Iterator[SweepProgress]:
    """Run the jobs of ``grid`` that have no result in ``store``; starting again loses nothing and repeats nothing.

    Parameters
    ----------
    grid : Grid
    store : Store
    executor : Executor
    should_stop : callable
        Asked all the time; what is being trained is saved, what is being evaluated is begun again another time.
    retry_failed : bool
        Try jobs again that failed in an earlier sweep.
    device : str
        As for ``workbench fit``.
    together : bool
        Train the seeds of small networks at once: faster, and equal to each seed's own run up to float rounding.

    Yields
    ------
    SweepProgress

    Raises
    ------
    UserError
        A grid with unknown names or values out of bounds: raised before anything is run.
    """
    jobs = grid.jobs()
    store.note_sweep(grid.model_dump(mode="json"), grid.command(store.where), map(record_of, jobs))
    yield from sweep_jobs(
        jobs,
        store,
        executor,
        should_stop=should_stop,
        retry_failed=retry_failed,
        device=device,
        together=together,
    )


def sweep_jobs(
    jobs: list[Job],
    store: Store,
    executor: Executor,
    *,
    should_stop: Callable[[], bool] = never,
    retry_failed: bool = True,
    device: str = "cpu",
    together: bool = True,
) -> Iterator[SweepProgress]:
    """As `sweep`, of jobs that need be no single grid; what was asked for is noted by the caller."""
    records = {job.key: record_of(job) for job in jobs}
    damaged = damaged_runs(store, records)
    store.put_away(damaged)
    missing = set(store.unfinished(records))
    if not retry_failed:
        missing -= {key for key in missing if store.failure(key) is not None}
    groups = executor.workers if together else None
    items = items_of([job for job in jobs if job.key in missing], records, device, groups)
    again = {key: str(error) for key, error in damaged.items()}
    for state in _follow(store, executor, items, len(records) - len(missing), len(records), should_stop):
        yield replace(state, again=again)


def items_of(
    jobs: list[Job], records: dict[str, dict[str, Any]], device: str = "cpu", groups: int | None = None
) -> list[Item]:
    """Trainings first, each once and with all the parts that its jobs need, then the jobs.

    With ``groups`` the trainings that differ in their seed alone are dealt out to that many items, where they are done at once.
    """
    parts: dict[str, dict[str, None]] = {}
    first: dict[str, Job] = {}
    for job in jobs:
        first.setdefault(job.training_key, job)
        parts.setdefault(job.training_key, {}).update(dict.fromkeys(job.parts))
    alike: dict[str, list[str]] = {}
    for key, job in first.items():
        wanted = sorted({*parts[key], *job.parts})
        trains = groups is not None and IMPORTED not in job.training
        small = trains and pays_together(make_config(**job.training))
        alike.setdefault(job.family_key(wanted) if small else key, []).append(key)
    trainings: list[Item] = []
    done_by: dict[str, str] = {}
    for keys in alike.values():
        for number in range(min(groups or 1, len(keys))):
            head, *beside = keys[number :: groups or 1]
            others = tuple(records[first[key].key] for key in beside)
            trainings.append(Item("train", head, records[first[head].key], tuple(parts[head]), None, device, others))
            done_by |= dict.fromkeys((head, *beside), head)
    return trainings + [
        Item("job", job.key, records[job.key], tuple(parts[job.training_key]), done_by[job.training_key], device)
        for job in jobs
    ]


def check_data(data: Data, task: str) -> Data:
    """Read the dataset in ``data.folder`` once and note its fingerprint, so that jobs are named after the data.

    Raises
    ------
    UserError
        As `load_saved`, or the task needs a folder and none is named.
    """
    from pathlib import Path

    from workbench.engine.tasks.registry import make_task
    from workbench.engine.tasks.storage import OwnDataTask
    from workbench.runs.training import Source

    known = make_task(task)
    if data.folder is None:
        if isinstance(known, OwnDataTask):
            own = known.own_data("clip" if data.clip_actions else "refuse")
            return Data(fingerprint=own.fingerprint(), clip_actions=data.clip_actions)
        if known.info.extra:
            raise UserError(f"task '{task}' needs a dataset: workbench generate {task} --out DIR, then add --data DIR")
        return data
    source = Source.of(Path(data.folder), 0, data.clip_actions)
    return Data(fingerprint=source.load(known).fingerprint(), folder=source.folder, clip_actions=data.clip_actions)


def _follow(
    store: Store, executor: Executor, items: list[Item], done: int, total: int, should_stop: Callable[[], bool]
) -> Iterator[SweepProgress]:
    names: dict[str, str] = {item.name: item.kind for item in items}
    weights = {item.name: item.trainings for item in items}
    trainings = sum(weights.values())
    trained = 0
    running: dict[str, float] = {}
    errors: dict[str, str] = {}
    pace = _Pace(executor)
    left = {kind: sum(item.kind == kind for item in items) for kind in ("train", "job")}
    stopped = False

    def state(row: Row | None = None) -> SweepProgress:
        eta = None if stopped else pace.eta(left, running, names)
        return SweepProgress(
            done, total, len(errors), trained, trainings, dict(running), eta, row, dict(errors), stopped
        )

    yield state()
    for event in executor.run(store, items, should_stop) if items else ():
        row = None
        if event is not None:
            kind = names[event.name]
            if event.happened in ("begun", "progress"):
                running[event.name] = event.share
            else:
                running.pop(event.name, None)
                left[kind] -= 1
                stopped |= event.happened == "stopped"
                if event.happened == "failed":
                    errors[event.name] = event.error
                if event.happened == "done":
                    pace.note(kind, event)
                    trained += weights[event.name]
                    if kind == "job":
                        done += 1
                        result = store.result(event.name)
                        row = None if result is None else row_of_result(result)
        yield state(row)
    yield state()


class _Pace:
    """How long things take, and so how long the rest will."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._recent: dict[str, deque[float]] = {"train": deque(maxlen=50), "job": deque(maxlen=50)}

    def note(self, kind: str, event: Event) -> None:
        if event.seconds > 0.01:  # what was found in the store says nothing about the rest
            self._recent[kind].append(event.seconds)

    def eta(self, left: dict[str, int], running: dict[str, float], names: dict[str, str]) -> float | None:
        whole = 0.0
        for kind, count in left.items():
            if count == 0:
                continue
            recent = self._recent[kind]
            if not recent:
                return None
            begun = sum(share for name, share in running.items() if names[name] == kind)
            whole += (count - begun) * sum(recent) / len(recent)
        return whole / min(self._executor.workers, max(sum(left.values()), 1))
