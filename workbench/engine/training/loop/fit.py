"""The loop: a generator of progress that can be stopped at any step and resumed bit for bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch

from workbench.engine.training.plan import Phase
from workbench.engine.words import DivergedError, UserError


@dataclass(frozen=True)
class Progress:
    """One report of a training: what a progress bar shows.

    Attributes
    ----------
    step, total : int
        Updates done, and in all.
    phase : str
    losses : dict of str to float
        Of the latest update.
    steps_per_second : float
        Over the stretch since the last report.
    eta_seconds : float
        At the average speed of this phase so far.
    stopped : bool
        The caller asked to stop; the state was saved if there is a place for it.
    """

    step: int
    total: int
    phase: str
    losses: dict[str, float]
    steps_per_second: float
    eta_seconds: float
    stopped: bool = False


class Trains(Protocol):
    """What the loop needs: a `Trainer`, or a group of them that takes its steps together."""

    weights: dict[str, torch.Tensor]

    @property
    def step_number(self) -> int: ...

    @property
    def total_steps(self) -> int: ...

    @property
    def finished(self) -> bool: ...

    def phase(self) -> tuple[Phase, int]: ...

    def step(self, most: int = 1) -> dict[str, torch.Tensor]: ...


T = TypeVar("T", bound=Trains)


def fit(
    trainer: T,
    *,
    save: Callable[[T], None] | None = None,
    save_every: int = 1000,
    report_every: int = 100,
    should_stop: Callable[[], bool] | None = None,
    snapshot: Callable[[T], None] | None = None,
    snapshot_steps: frozenset[int] = frozenset(),
) -> Iterator[Progress]:
    """Train until done, yielding progress.

    Parameters
    ----------
    trainer : Trainer or TrainerGroup
        Fresh, or loaded from a checkpoint.
    save : callable, optional
        Stores the trainer: called every ``save_every`` updates, when stopped, and at the end.
    report_every : int
        Updates between two reports.
    should_stop : callable, optional
        Asked before every update, or before every launch of some on a GPU; the place for a Cancel button or Ctrl-C.
    snapshot : callable, optional
        Called with the trainer when it has done a number of updates that is in ``snapshot_steps`` (0 among them).

    Raises
    ------
    FloatingPointError
        A loss or a weight is no longer finite; nothing of that state is saved.
    UserError
        ``save_every`` or ``report_every`` is less than 1.
    """
    if save_every < 1 or report_every < 1:
        raise UserError(f"save_every and report_every must be at least 1, got {save_every} and {report_every}")
    phase_now, _ = trainer.phase()
    first = trainer.step_number  # of this phase, in this call
    started = time.perf_counter()
    reported = first  # updates done at the last report
    since = started
    speed = 0.0
    losses: dict[str, torch.Tensor] = {}
    if snapshot is not None and first in snapshot_steps:
        snapshot(trainer)
    while not trainer.finished:
        if should_stop is not None and should_stop():
            if save is not None:
                check_finite(trainer, _read(losses))
                save(trainer)
            yield Progress(
                trainer.step_number, trainer.total_steps, phase_now.name, _read(losses), speed, math.inf, True
            )
            return
        phase, _ = trainer.phase()
        if phase is not phase_now:
            phase_now = phase
            first = trainer.step_number
            started = time.perf_counter()
        losses = trainer.step(_until(trainer.step_number, report_every, save_every, snapshot_steps))
        number = trainer.step_number
        report_now = number % report_every == 0 or trainer.finished
        save_now = save is not None and (number % save_every == 0 or trainer.finished)
        if report_now or save_now:
            values = _read(losses)
            check_finite(trainer, values)
        if save is not None and save_now:
            save(trainer)
        if snapshot is not None and number in snapshot_steps:
            snapshot(trainer)
        if report_now:
            now = time.perf_counter()
            speed = (number - reported) / max(now - since, 1e-9)
            since = now
            reported = number
            pace = (now - started) / max(number - first, 1)
            yield Progress(
                number, trainer.total_steps, phase.name, values, speed, pace * (trainer.total_steps - number)
            )


def _until(number: int, report_every: int, save_every: int, snapshots: frozenset[int]) -> int:
    """Updates from ``number`` to the next one after which there is something to do."""
    next_ones = [every - number % every for every in (report_every, save_every)]
    return min(next_ones + [step - number for step in snapshots if step > number])


def _read(losses: dict[str, torch.Tensor]) -> dict[str, float]:
    return {name: float(loss.mean()) for name, loss in losses.items()}  # over the seeds of a group


def check_finite(trainer: Trains, losses: dict[str, float]) -> None:
    """Raise FloatingPointError, with the cure, when one of ``losses`` or a weight is not finite."""
    cure = "lower learning_rate or reward_scale, or check the data's rewards"
    for name, value in losses.items():
        if not math.isfinite(value):
            raise DivergedError(f"the loss '{name}' is {value} at step {trainer.step_number}; {cure}")
    for name, theta in trainer.weights.items():
        if not torch.isfinite(theta).all():  # a finite loss may have had an infinite gradient
            raise DivergedError(f"weights of '{name}' are no longer finite at step {trainer.step_number}; {cure}")
