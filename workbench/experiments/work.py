"""One item of work, as every executor does it: train parts, or evaluate a job on the two sets of episodes."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from workbench.engine.data.transitions import Transitions
from workbench.engine.metrics.evaluate import Evaluation, evaluate
from workbench.engine.metrics.support import DataSupport
from workbench.engine.models.parts import Parts
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.recorded import RecordedTask
from workbench.engine.tasks.registry import make_task
from workbench.engine.words import UserError, refusal
from workbench.experiments.items import Event, Item, Tell
from workbench.experiments.job import Job, job_of
from workbench.experiments.offline import measure_offline
from workbench.experiments.place import Stopped
from workbench.experiments.store import Store
from workbench.experiments.trained_parts import Trained, ensure_trained, ensure_trained_together
from workbench.runs.devices import choose_device, evaluation_work
from workbench.runs.notes import read_reports, seconds_of
from workbench.runs.training import training_data

EVERY = 0.25  # seconds between two reports of progress
SIGN = 15.0  # seconds between two signs of life in a run's metrics.jsonl
KEPT = ("returns", "discounted", "q_first", "success", "lengths")  # of each episode


class Bench:
    """A worker's bench: it holds parts and data of the latest training, so that jobs that share them load them once."""

    def __init__(self) -> None:
        self._name, self._parts = "", None  # type: tuple[str, Parts | None]
        self._data: tuple[str, Transitions, DataSupport] | tuple[str, str] | None = None
        self._task: Task | None = None

    def parts(self, trained: Trained, device: torch.device) -> Parts:
        """The parts of a training on ``device``."""
        name = f"{trained.run.folder} {device}"
        if self._parts is None or self._name != name:
            self._name, self._parts = name, trained.run.parts(device)
        return self._parts

    def task(self, name: str) -> Task:
        """The task: the same object while its name stays, so that jobs share the behaviour policy's episodes."""
        if self._task is None or self._task.info.name != name:
            self._task = make_task(name)
        return self._task

    def data(self, trained: Trained) -> tuple[Transitions, DataSupport] | str:
        """The data of a training, and ready to be asked how near its actions are; where they are lost, why."""
        name = str(trained.run.folder)
        if self._data is None or self._data[0] != name:
            self._data = None  # two datasets at a time may be more than fits
            try:
                data = training_data(trained.run)
                self._data = name, data, DataSupport(data)
            except (UserError, OSError) as error:
                self._data = name, str(error)
        return self._data[1] if len(self._data) == 2 else self._data[1:]


def work(store: Store, item: Item, bench: Bench, should_stop: Callable[[], bool], tell: Tell) -> Event:
    """Do ``item`` and say how it ended; an error of a job or training is an answer here, not an exception.

    Raises
    ------
    OSError
        The store itself cannot be written (a full disk): nothing more can be kept.
    """
    tell(Event(item.name, "begun"))
    started = time.perf_counter()
    try:
        job = job_of(item.record)
    except UserError as error:
        return _failed(store, item, error)
    try:
        if item.beside:
            ensure_trained_together(
                store,
                [job, *map(job_of, item.beside)],
                item.parts,
                device=item.device,
                should_stop=should_stop,
                tell=_steps(item.name, tell),
            )
            facts: dict[str, Any] = {"trainings": item.trainings}
        elif item.kind == "train":
            trained = ensure_trained(
                store,
                job,
                item.parts,
                device=item.device,
                should_stop=should_stop,
                tell=_steps(item.name, tell),
            )
            facts = {"seconds": trained.seconds, "folder": trained.name}
        else:
            facts = {"new": _do_job(store, job, item, bench, should_stop, tell)}
    except Stopped:
        if item.kind == "job" and store.job(item.name) is not None:
            store.note(item.name, "stopped")
        return Event(item.name, "stopped")
    except Exception as error:
        return _failed(store, item, error)
    return Event(item.name, "done", 1.0, time.perf_counter() - started, facts=facts)


def _do_job(store: Store, job: Job, item: Item, bench: Bench, should_stop: Callable[[], bool], tell: Tell) -> bool:
    """Evaluate; False when the result was there already."""
    if store.result(job.key) is not None:
        return False
    store.describe(item.record)
    with store.lock_job(job.key, should_stop):
        if store.result(job.key) is not None:  # another worker was quicker
            return False
        store.begin(job.key)
        started = time.perf_counter()
        trained = ensure_trained(store, job, item.parts, device=item.device, should_stop=should_stop)
        store.note(job.key, "trained", folder=trained.name, seconds=trained.seconds)
        task, rule = bench.task(job.task), job.make_rule()
        size = evaluation_work(rule, trained.run, job.episodes, task.info.horizon)
        parts = bench.parts(trained, choose_device(item.device, size))
        data = bench.data(trained)
        if isinstance(data, str):
            if isinstance(task, RecordedTask):
                raise UserError(f"{job.task} has no environment, and its data cannot be read: {data}")
            store.note(job.key, "support not measured", reason=data)
        results: dict[str, Any] = {}
        episodes: dict[str, np.ndarray] = {}
        seeds = job.evaluation_seeds()
        for number, (name, seed) in enumerate(seeds.items()):
            tick = _ticks(store, job.key, number / len(seeds), 1.0 / len(seeds), should_stop, tell)
            if isinstance(task, RecordedTask) and not isinstance(data, str):
                alone, values = measure_offline(
                    rule,
                    replace(parts, data=data[1]),
                    job.task,
                    seed,
                    data[0],
                    hidden=tuple(trained.run.config.hidden),
                    tick=tick,
                )
                results[name] = finite(alone.as_dict())
                episodes[f"{name}.values"] = values.astype(np.float32)
                store.note(job.key, "measured offline", set=name, fitted_q=results[name]["fitted_q"])
                continue
            near = None if isinstance(data, str) else data[1]
            measured = evaluate(rule, parts, task, job.episodes, seed, tick=tick, data=near)
            results[name] = finite(measured.as_dict())
            episodes |= {f"{name}.{item}": array for item, array in kept(measured).items()}
            store.note(job.key, "evaluated", set=name, **{"return": results[name]["return"]})
        spent = time.perf_counter() - started - (trained.seconds or 0.0)
        training = {
            "folder": trained.name,
            "fingerprint": trained.run.fingerprint,
            "device": trained.run.device,
            "steps": trained.run.total_steps,
            "seconds": seconds_of(read_reports(trained.run.folder)),
        }
        seen = {"training": training, "device": parts.device.type, "evaluation_seeds": seeds, "seconds": spent}
        return store.finish(item.record, results | seen, episodes)


def kept(measured: Evaluation) -> dict[str, np.ndarray]:
    """What is kept of each episode, (E,) each."""
    arrays = {name: getattr(measured.record, name) for name in KEPT}
    return {name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in arrays.items()}


def finite(value: object) -> Any:
    """``value`` with null where a number is NaN or infinite: JSON has no word for these."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _failed(store: Store, item: Item, error: Exception) -> Event:
    words = "\n".join([f"{error}" or type(error).__name__, *getattr(error, "__notes__", ())])
    if refusal(error) is None:
        words = f"{type(error).__name__}: {words}"
    if item.kind == "job":
        store.fail(item.record, words, "".join(traceback.format_exception(error)))
    return Event(item.name, "failed", error=words)


def _steps(name: str, tell: Tell) -> Callable[[Any], None]:
    last = 0.0

    def heard(report: Any) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= EVERY:
            last = now
            tell(Event(name, "progress", report.step / report.total, facts=asdict(report)))

    return heard


def _ticks(
    store: Store, key: str, start: float, span: float, should_stop: Callable[[], bool], tell: Tell
) -> Callable[[int, int], None]:
    told, signed = 0.0, time.monotonic()

    def tick(done: int, total: int) -> None:
        nonlocal told, signed
        if should_stop():
            raise Stopped
        now = time.monotonic()
        if now - told >= EVERY:
            told = now
            tell(Event(key, "progress", start + span * done / total))
        if now - signed >= SIGN:
            signed = now
            store.note(key, "evaluating", share=start + span * done / total)

    return tick
