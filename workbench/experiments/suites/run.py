"""A suite: the sweep of a protocol into a store, how long it takes, and the table that comes of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import DatasetExistsError, ShardedTask, dataset_files, save_generated
from workbench.engine.words import UserError
from workbench.experiments.items import Executor
from workbench.experiments.job import Data, Job
from workbench.experiments.scores import Board, Scale, board_of
from workbench.experiments.store import Store
from workbench.experiments.suites.protocol import Protocol, TaskEntry
from workbench.experiments.summary import Curve, curves_of
from workbench.experiments.sweep import SweepProgress, check_data, record_of, sweep_jobs

DATA = "data"  # folder below the store for datasets that are generated
SEED = 0  # of those datasets

Plan = dict[tuple[str, str], list[Job]]  # jobs by labels of method and task


class Estimate(NamedTuple):
    """How much a suite is.

    Attributes
    ----------
    jobs, trainings : int
        Each once; jobs of the same training share it.
    seconds : float or None
        On one core; None where the protocol says no times for a task.
    """

    jobs: int
    trainings: int
    seconds: float | None


def plan_of(protocol: Protocol, data: Mapping[str, Data] = {}) -> Plan:
    """The jobs of a protocol; ``data`` are the datasets, by label of their task.

    Raises
    ------
    UserError
        Unknown tasks, rules or settings, in words that say where they stand.
    """
    plan: Plan = {}
    for task, method in itertools.product(protocol.tasks, protocol.methods):
        try:
            plan[method.label, task.label] = protocol.grid(method, task, data.get(task.label, Data())).jobs()
        except UserError as error:
            error.add_note(f"in protocol '{protocol.name}', method '{method.label}' on task '{task.label}'")
            raise
    return plan


def estimate_of(protocol: Protocol) -> Estimate:
    """How many jobs and trainings a protocol has, and how long they take by the times that it says."""
    times = len(protocol.seeds)  # every seed has the same jobs
    plan = plan_of(protocol.model_copy(update={"seeds": protocol.seeds[:1]}))
    costs = {method.label: method.cost for method in protocol.methods}
    keys: dict[str, None] = {}
    trainings: dict[str, None] = {}
    seconds: float | None = 0.0
    for task in protocol.tasks:
        mine = {label: jobs for (label, of), jobs in plan.items() if of == task.label}
        own = {job.training_key for jobs in mine.values() for job in jobs}
        keys |= dict.fromkeys(job.key for jobs in mine.values() for job in jobs)
        trainings |= dict.fromkeys(own)
        if seconds is None or task.times is None:
            seconds = None
            continue
        played = sum(costs[label] * len(jobs) for label, jobs in mine.items())
        seconds += task.times.generate + times * (task.times.training * len(own) + task.times.job * played)
    return Estimate(times * len(keys), times * len(trainings), seconds)


def needs_data(task: Task) -> bool:
    """Whether its data are a file that is made once, and not made anew from every seed."""
    return bool(task.info.extra)


def generate_data(
    protocol: Protocol, folder: Path, tell: Callable[[TaskEntry, int, int], None] = lambda task, done, total: None
) -> dict[str, Data]:
    """Make the datasets of a protocol in ``folder``, those that are not there yet, and note their fingerprints.

    Parameters
    ----------
    protocol : Protocol
    folder : Path
        Each dataset has a folder of its own in it.
    tell : callable
        ``tell(task, done, rows)`` now and then.

    Returns
    -------
    dict of str to Data
        By label of the task.

    Raises
    ------
    UserError
        Data that cannot be made here and are not there.
    """
    found = {}
    for entry in protocol.tasks:
        task = make_task(entry.task)
        if not needs_data(task):
            continue
        files = dataset_files(task, folder)
        where = folder / f"{files[0].stem}{'' if entry.rows is None else f'-{entry.rows}'}"
        brought = isinstance(task, ShardedTask) and bool(task.shards(where))
        try:
            if not brought:
                save_generated(task, where, entry.rows, SEED, partial(tell, entry))
        except DatasetExistsError:
            pass  # it was made before
        except UserError as error:
            error.add_note(f"task '{entry.label}' of protocol '{protocol.name}'; data of your own go to {where}")
            raise
        found[entry.label] = check_data(Data(folder=str(where)), entry.task)
    return found


def run_suite(
    protocol: Protocol,
    plan: Plan,
    store: Store,
    executor: Executor,
    command: str,
    should_stop: Callable[[], bool],
    device: str = "cpu",
) -> Iterator[SweepProgress]:
    """Do the jobs of ``plan`` that have no result in ``store``; as `workbench.sweep`, and with its progress.

    ``command`` is what the store notes as the line that makes it again.
    """
    jobs = {job.key: job for found in plan.values() for job in found}
    note = {"suite": protocol.model_dump(mode="json"), "data": Data().model_dump(mode="json")}
    store.note_sweep(note, command, map(record_of, jobs.values()))
    yield from sweep_jobs(list(jobs.values()), store, executor, should_stop=should_stop, device=device)


def curves_of_plan(plan: Plan, store: Store) -> dict[tuple[str, str], Curve]:
    """What is measured of a plan: a curve for each method and task, by their labels.

    One of which jobs are still to be done has none: a strength that nobody has played yet cannot be chosen, and a seed that has
    not been trained is missing from the mean. Jobs that failed are not waited for.
    """
    found: dict[tuple[str, str], Curve] = {}
    left = set(store.unfinished(job.key for jobs in plan.values() for job in jobs))
    for labels, jobs in plan.items():
        keys = [job.key for job in jobs]
        if any(store.failure(key) is None for key in left.intersection(keys)):
            continue
        measured, _ = store.measured(keys)
        for curve in curves_of(measured):  # one, or none yet: the jobs differ in strength and seed alone
            found[labels] = curve
    return found


def board_of_suite(protocol: Protocol, plan: Plan, store: Store) -> Board:
    """The table of a protocol; what is not measured yet is left out.

    Raises
    ------
    UserError
        Nothing is measured.
    """
    scales = {task.label: Scale(task.measure, task.low, task.high) for task in protocol.tasks}
    return board_of(curves_of_plan(plan, store), scales, protocol.reference)


def summary_of(protocol: Protocol) -> dict[str, Any]:
    """A line of ``workbench suite --list``."""
    found = estimate_of(protocol)
    return {
        "name": protocol.name,
        "title": protocol.title,
        "methods": len(protocol.methods),
        "tasks": len(protocol.tasks),
        "seeds": len(protocol.seeds),
        "jobs": found.jobs,
        "trainings": found.trainings,
        "core_seconds": found.seconds,
    }
