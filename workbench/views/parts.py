"""The parts of a policy from the list: in closed form, read from disk, or trained in some seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from weakref import WeakKeyDictionary

import torch

from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import find_rule
from workbench.engine.tasks.abilities import HasParts
from workbench.engine.tasks.protocol import Task
from workbench.engine.training.plan import extra_parts
from workbench.views.caller import Caller, go_on
from workbench.views.policies import SEED, Source, find

Report = Callable[[float, float], None]  # share done, seconds left (NaN while unknown)
_made: WeakKeyDictionary[Source, tuple[Parts, Parts]] = WeakKeyDictionary()  # as they were made; with learned parts
_lock = threading.RLock()


def parts_for(name: str, *rules: str) -> Parts:
    """The parts of a policy of the list, with the learned parts that ``rules`` need.

    What is not on disk yet is trained now, which takes some seconds for each part; later calls in this process return the same
    parts.

    Parameters
    ----------
    name : str
        A built-in task, or ``run:NAME`` for a training of the store.
    *rules : str

    Raises
    ------
    ValueError
        There is no such policy or rule, or its data are not here any more; the message says what to do.
    """
    source = find(name)
    needs = tuple(need for rule in rules for need in find_rule(rule).needs)
    with _lock, one_thread():
        if source not in _made:
            parts = built_in_parts(source.task) if source.run is None else source.parts()
            parts = replace(parts, data=source.near())
            _made[source] = parts, parts
        first, parts = _made[source]
        for part in extra_parts(needs):
            if part not in parts.available():
                # Always from the policy as it was made, so that what is found on disk does not depend on the order.
                parts = with_part(parts, train_part(source, replace(first, extra={}), part))
        _made[source] = first, parts
    return parts


def built_in_parts(
    task: Task, report: Callable[[float], None] = lambda share: None, folder: Path | None = None
) -> Parts:
    """The parts of a built-in task: closed form where it has them, else trained in some seconds and kept in ``folder``."""
    if isinstance(task, HasParts):
        return task.parts()
    # Imported here: a page on a closed-form task never pays for the training code.
    from workbench.engine.training.loop.quick import quick_parts

    training = quick_parts(task, SEED, folder)
    while True:
        try:
            report(float(next(training)))
        except StopIteration as end:
            trained: Parts = end.value
            return trained


def train_part(
    source: Source, parts: Parts, part: str, report: Report = lambda share, left: None, folder: Path | None = None
) -> Parts:
    """``parts`` of a source with one part more, trained against them on the source's own data, or read from ``folder``."""
    from workbench.engine.training.loop.quick import quick_part

    training = quick_part(parts, part, source.data, source.config(), folder)
    while True:
        try:
            progress = next(training)
        except StopIteration as end:
            trained: Parts = end.value
            return trained
        report(*(0.0, float("nan")) if progress is None else (progress.step / progress.total, progress.eta_seconds))


def build_elsewhere(folder: Path, parts: None, task: Task, caller: Caller) -> Parts:
    """`built_in_parts`, as work for a process of its own; the caller hears the share done."""
    return built_in_parts(task, partial(go_on, caller), folder)


def train_elsewhere(asked: tuple[Source, str, Path], parts: Parts, task: Task, caller: Caller) -> Parts:
    """`train_part`, as work for a process of its own; the caller hears the share done and the seconds left."""
    source, part, folder = asked
    return train_part(source, parts, part, partial(go_on, caller), folder)


def with_part(parts: Parts, trained: Parts) -> Parts:
    """``parts`` with the learned parts of ``trained`` beside their own, and its state value where they have none."""
    value = trained.value if parts.value is None else parts.value
    return replace(parts, value=value, extra=dict(parts.extra) | dict(trained.extra))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread: with networks of 64 units a second one on a busy machine is seven times slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
