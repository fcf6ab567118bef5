"""The loop of offline-to-online training: play some episodes, then learn from them, in turns.

The policy is fixed while a round of episodes is played, and the updates that the round's steps pay for come after it. So
no environment is in the middle of an episode while anything is saved, and a stopped run goes on bit for bit wherever an
environment's episode depends on its seed and the actions alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
from torch import Tensor

from workbench.engine.data.transitions import Transitions
from workbench.engine.metrics.intervals import Interval, bootstrap_mean
from workbench.engine.online.config import OnlineConfig
from workbench.engine.online.recent import Recent
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.recorder import Recorder
from workbench.engine.tasks.rollout import Episodes, rollout
from workbench.engine.training.loop.fit import check_finite
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.networks import seed_of
from workbench.engine.words import UserError

REPORT_EVERY = 100  # updates
Tick = Callable[[str, int, int], None]


@dataclass
class Counts:
    """Where a run is; everything that a checkpoint needs beside the trainer and the new rows.

    Attributes
    ----------
    env_steps, updates, rounds : int
        Done so far.
    owed : float
        Updates that the steps played so far still pay for.
    evaluated : int
        Environment steps at the latest evaluation, -1 before the first.
    events : int
        Rounds and evaluations so far: the length of the log.
    """

    env_steps: int = 0
    updates: int = 0
    rounds: int = 0
    owed: float = 0.0
    evaluated: int = -1
    events: int = 0


@dataclass(frozen=True)
class Event:
    """What happened: ``played`` (a round), ``learned`` (some updates), ``evaluated``, or ``stopped``.

    Attributes
    ----------
    kind : str
    env_steps, updates : int
    returns, success : Interval or None
        Of the round's episodes, or of the evaluation's, whose starts and noise no round shares.
    losses : dict of str to float
        Of the latest update.
    """

    kind: Literal["played", "learned", "evaluated", "stopped"]
    env_steps: int
    updates: int
    returns: Interval | None = None
    success: Interval | None = None
    losses: dict[str, float] = field(default_factory=dict)


class Learner:
    """A trained run that goes on with environment steps.

    Parameters
    ----------
    trainer : Trainer
        At the end of its offline training.
    task : Task
    config : OnlineConfig
    counts : Counts, optional
        Where a stopped run was.
    recent : Recent, optional
        The new rows of a stopped run.

    Raises
    ------
    UserError
        The offline training is not finished, the rule is unknown, or it needs a part that the run did not train.
    """

    def __init__(
        self,
        trainer: Trainer,
        task: Task,
        config: OnlineConfig,
        counts: Counts | None = None,
        recent: Recent | None = None,
    ) -> None:
        if not trainer.finished:
            raise UserError(
                f"the offline training has done {trainer.step_number} of {trainer.total_steps} updates; finish it first "
                "(workbench fit … --resume)"
            )
        self.trainer, self.task, self.config = trainer, task, config
        self.rule = make_rule(config.rule, **config.settings)
        self._check_parts(self.rule)
        self.counts = Counts() if counts is None else counts
        room = min(config.capacity, config.steps + config.episodes * task.info.horizon)
        trainer.make_room(room)
        self.recent = Recent(room)
        if recent is not None:
            self._restore(recent)
        self._losses: dict[str, Tensor] = {}

    def _check_parts(self, rule: Rule) -> None:
        parts = self.trainer.parts()
        for name in rule.needs:
            if name not in parts.available():
                raise UserError(
                    f"rule '{rule.name}' needs part '{name}'; this run has {', '.join(parts.available())}. "
                    f"Train it: workbench fit {self.task.info.name} --out RUN --rule {rule.name}"
                )

    def _restore(self, recent: Recent) -> None:
        rows = recent.latest(self.recent.room)
        self.trainer.replay.appended = rows.before
        self.trainer.append(rows.data, rows.samples)
        self.recent.add(rows.data, rows.samples, before=rows.before)

    @property
    def finished(self) -> bool:
        """All steps are played, learned from and evaluated."""
        done = self.counts.env_steps >= self.config.steps and self.counts.owed < 1.0
        return done and self.counts.evaluated == self.counts.env_steps

    def acting_seed(self, number: int) -> int:
        """Seed of round ``number``: even, below 2^31."""
        return seed_of(self.config.seed, "act", number) % 2**30 * 2

    @property
    def evaluation_seed(self) -> int:
        """Seed of every evaluation: odd, so that no round has it."""
        return seed_of(self.config.seed, "evaluate") % 2**30 * 2 + 1

    def run(
        self,
        save: Callable[[], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        tick: Tick | None = None,
    ) -> Iterator[Event]:
        """Go on until done.

        Parameters
        ----------
        save : callable, optional
            Stores this learner: called after each evaluation, when stopped, and at the end.
        should_stop : callable, optional
            Asked before every update and before every round; the place for a Cancel button or Ctrl-C.
        tick : callable, optional
            Called as ``tick(what, finished, episodes)`` while episodes are played; ``what`` is "playing" or "evaluating".

        Yields
        ------
        Event

        Raises
        ------
        FloatingPointError
            A loss is no longer finite.
        """
        while not self.finished:
            if should_stop is not None and should_stop():
                if save is not None:
                    save()
                yield Event("stopped", self.counts.env_steps, self.counts.updates)
                return
            if self.counts.owed >= 1.0:
                if self._learn():
                    yield Event("learned", self.counts.env_steps, self.counts.updates, losses=self._read())
            elif self._evaluation_due():
                yield self._evaluate(tick)
                if save is not None:
                    save()
            else:
                yield self._play(tick)

    def _evaluation_due(self) -> bool:
        now, before, every = self.counts.env_steps, self.counts.evaluated, self.config.eval_every
        return before < 0 or now // every > before // every or now >= self.config.steps

    def _play(self, tick: Tick | None) -> Event:
        """One round: all environments play an episode each with the policy as it is, and the rows join the data."""
        counts, record = self.counts, Recorder()
        seed = self.acting_seed(counts.rounds)
        played = rollout(
            self.rule, self.trainer.parts(), self.task, self.config.episodes, seed, _for("playing", tick), record=record
        )
        data = record.transitions(f"round {counts.rounds} of {self.task.info.name}")
        self._add(data)
        counts.rounds += 1
        counts.env_steps += len(data)
        if counts.env_steps >= self.config.warmup:
            counts.owed += len(data) * self.config.updates_per_step
        return self._event("played", played)

    def _add(self, data: Transitions) -> None:
        self.recent.add(data, self.trainer.append(data))

    def _evaluate(self, tick: Tick | None) -> Event:
        played = rollout(
            self.rule,
            self.trainer.parts(),
            self.task,
            self.config.eval_episodes,
            self.evaluation_seed,
            _for("evaluating", tick),
        )
        self.counts.evaluated = self.counts.env_steps
        return self._event("evaluated", played)

    def _event(self, kind: Literal["played", "evaluated"], played: Episodes) -> Event:
        self.counts.events += 1
        returns = bootstrap_mean(played.returns, self.config.seed)
        success = bootstrap_mean(played.success.astype(np.float64), self.config.seed)
        return Event(kind, self.counts.env_steps, self.counts.updates, returns, success, self._read())

    def _learn(self) -> bool:
        """One update; say whether to report it."""
        trainer, config = self.trainer, self.config
        share = config.online_share if config.sampling == "share" else None
        index = trainer.replay.draw(trainer.config.batch_size, trainer.generator, share)
        rate = trainer.config.learning_rate if config.learning_rate is None else config.learning_rate
        self._losses = trainer.learn(index, rate)
        self.counts.updates += 1
        self.counts.owed -= 1.0
        report = self.counts.updates % REPORT_EVERY == 0 or self.counts.owed < 1.0
        if report:
            check_finite(trainer, self._read())
        return report

    def _read(self) -> dict[str, float]:
        return {name: float(loss) for name, loss in self._losses.items()}


def _for(what: str, tick: Tick | None) -> Callable[[int, int], None] | None:
    return None if tick is None else partial(tick, what)
