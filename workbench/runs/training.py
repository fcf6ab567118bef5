"""Training into a run folder: data in, checkpoints and a log of progress out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from workbench.engine.data.atomic import explained, folder_at_once, write_atomic
from workbench.engine.data.hold import Hold, held_until_made
from workbench.engine.data.records import Count, Record, checked, read_json
from workbench.engine.data.regular import read_regular
from workbench.engine.data.strict_json import parse_json
from workbench.engine.data.transitions import OutOfBounds, Transitions
from workbench.engine.steering.rules import find_rule
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import OwnDataTask, StoredTask, load_saved
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.checkpoint import Run, load_run, read_record, save_checkpoint
from workbench.engine.training.loop.checkpoint import resume as resume_trainer
from workbench.engine.training.loop.fit import Progress, fit
from workbench.engine.training.loop.snapshots import save_snapshot, snapshot_steps
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.plan import extra_parts
from workbench.engine.words import UserError
from workbench.runs.devices import choose_device, named_device, training_work
from workbench.runs.notes import PROGRESS

SOURCE = "source.json"
MOST_LOG = 2**30  # bytes of a log


def settings_for(rules: Sequence[str], settings: Mapping[str, object]) -> dict[str, Any]:
    """``settings``, and the learned parts that ``rules`` need.

    With the critic "td_actor" a single rule is the actor too, unless the settings name one.

    Raises
    ------
    ValueError
        No such rule, or the settings name parts that rules ask for in another way.
    """
    wanted: dict[str, Any] = dict(settings)
    parts = [part for name in rules for part in extra_parts(find_rule(name).needs)]
    if parts:
        if "parts" in wanted:
            raise UserError(
                f"learned parts are given twice: by the rules {', '.join(rules)} and by parts={wanted['parts']}; leave one out"
            )
        wanted["parts"] = list(dict.fromkeys(parts))
    if wanted.get("critic") == "td_actor" and len(rules) == 1:
        wanted.setdefault("actor", rules[0])
    return wanted


class SourceNote(Record):
    """What ``source.json`` says."""

    folder: Annotated[str, Field(max_length=10_000)] | None
    seed: Count
    clip_actions: bool


@dataclass(frozen=True)
class Source:
    """Where a run's data come from, so that it can be resumed without saying so again.

    Attributes
    ----------
    folder : str or None
        Absolute path of a dataset's folder; None for data that the task makes itself.
    seed : int
        Of data that the task makes.
    clip_actions : bool
    """

    folder: str | None
    seed: int
    clip_actions: bool

    @classmethod
    def of(cls, data: Path | None, seed: int, clip_actions: bool) -> Source:
        """The source that the flags of ``workbench fit`` name."""
        return cls(None if data is None else str(data.expanduser().resolve()), seed, clip_actions)

    @classmethod
    def read(cls, path: Path, default: Source) -> Source:
        """What a run noted; ``default`` when its note is lost (the data's fingerprint is checked in any case)."""
        try:
            return cls(**checked(SourceNote, read_json(path)).model_dump())
        except (OSError, UserError):
            return default

    def load(self, task: Task) -> Transitions:
        """Read or make the data."""
        out_of_bounds: OutOfBounds = "clip" if self.clip_actions else "refuse"
        if self.folder is not None:
            return load_saved(task, Path(self.folder), out_of_bounds=out_of_bounds)
        if isinstance(task, OwnDataTask):
            return task.own_data(out_of_bounds)
        if isinstance(task, StoredTask):
            name = task.info.name
            raise UserError(
                f"task '{name}' needs a dataset: workbench generate {name} --out DIR, "
                f"then workbench fit {name} --data DIR --out RUN"
            )
        return task.generate(None, self.seed)


@dataclass(frozen=True)
class TrainingRun:
    """A trainer and the folder it saves to, which this process holds until `close`, or until `progress` has ended."""

    task: Task
    folder: Path
    trainer: Trainer
    hold: Hold

    @classmethod
    def open(
        cls,
        task: str | Task,
        folder: Path,
        settings: dict[str, Any],
        *,
        data: Path | None = None,
        device: str = "auto",
        resume: bool = False,
        clip_actions: bool = False,
    ) -> TrainingRun:
        """Start a run in a new folder, or take up the one that is there.

        Everything is checked before the folder is made, and the folder appears together with its first checkpoint: a
        refused run leaves nothing behind, and a folder that is there can be resumed.

        Raises
        ------
        UserError
            Unknown task or setting, bad data, no CUDA, the folder exists (or, to resume, does not), another process works
            in it, or settings that differ from those of the run to resume.
        OSError
            The folder cannot be written.
        """
        task = make_task(task) if isinstance(task, str) else task
        if resume:
            return cls._resume(task, folder, settings, data, device, clip_actions)
        if folder.exists():
            cure = "go on with the run in it: --resume" if (folder / SOURCE).exists() else "it is never written over"
            raise UserError(f"{folder} exists; choose another --out ({cure})")
        defaults = task.training_defaults(str(settings.get("critic", "iql")))
        config = make_config(**(defaults | settings))
        source = Source.of(data, config.seed, clip_actions)
        where = choose_device(device, training_work(config, task.info.observation_dim, task.info.action_dim))
        trainer = Trainer(source.load(task), config, where)
        with folder_at_once(folder) as draft:
            write_atomic(draft / SOURCE, (json.dumps(asdict(source), indent=1) + "\n").encode())
            save_checkpoint(trainer, draft, task.info.name)
        return cls(task, folder, trainer, Hold(folder))

    @classmethod
    def _resume(
        cls, task: Task, folder: Path, settings: dict[str, Any], data: Path | None, device: str, clip_actions: bool
    ) -> TrainingRun:
        read_record(folder)
        # held before the checkpoint is read: another process may be writing the next one
        with held_until_made(folder) as hold:
            loaded = load_run(folder, task.info.name)
            if loaded.online is not None:
                raise UserError(
                    f"{folder} is an online run; go on with: workbench online {folder} --out {folder} --resume"
                )
            where = named_device(loaded.device if device == "auto" else device)
            held = loaded.config.model_dump()
            for name, value in make_config(**(held | settings)).model_dump().items():
                if value is not None and value != held[name]:  # None: left to the data, which the run has seen
                    raise UserError(
                        f"the run in {folder} has {name} = {held[name]}, not {value}; "
                        f"a resumed run keeps its settings, so leave {name} out, or begin a new run"
                    )
            named = Source.of(data, loaded.config.seed, clip_actions)
            source = named if data is not None else Source.read(folder / SOURCE, named)
            return cls(task, folder, resume_trainer(loaded, source.load(task), where), hold)

    def save(self, trainer: Trainer) -> None:
        """Store a checkpoint."""
        save_checkpoint(trainer, self.folder, self.task.info.name)

    def progress(
        self, *, should_stop: Callable[[], bool] | None = None, save_every: int = 1000, snapshots: int = 0
    ) -> Iterator[Progress]:
        """Train, yielding what is also written to ``progress.jsonl``, one line a report; ``snapshots`` along the way."""
        try:
            self.trim_log()
            reports = fit(
                self.trainer,
                save=self.save,
                save_every=save_every,
                should_stop=should_stop,
                snapshot=lambda trainer: save_snapshot(trainer, self.folder),
                snapshot_steps=snapshot_steps(self.trainer.total_steps, snapshots),
            )
            for report in reports:
                if not report.stopped:
                    self.write_log(report)
                yield report
        finally:
            self.close()

    def close(self) -> None:
        """Let other processes work in the folder."""
        self.hold.release()

    def trim_log(self) -> None:
        """Drop from ``progress.jsonl`` the steps that a killed run reported and did not save."""
        log = self.folder / PROGRESS
        if log.exists():
            write_atomic(log, "".join(f"{line}\n" for line in _lines(log, self.trainer.step_number)).encode())

    def write_log(self, report: Progress) -> None:
        """Append ``report`` to ``progress.jsonl``."""
        log, line = self.folder / PROGRESS, json.dumps(asdict(report)) + "\n"
        with explained(log, len(line)), log.open("a", encoding="utf-8") as file:
            file.write(line)


def training_data(run: Run) -> Transitions:
    """The data that a saved run was trained on, read or made again.

    Raises
    ------
    UserError, OSError
        They are not where they were, or no longer the same.
    """
    if run.imported is not None and not run.fingerprint:
        raise UserError(f"{run.folder} was imported without its dataset; import it again with --data DIR")
    task = make_task(run.task)
    data = Source.read(run.folder / SOURCE, Source(None, run.config.seed, False)).load(task)
    if data.fingerprint() != run.fingerprint:
        raise UserError(f"the data have changed since {run.folder} was trained on them")
    return data


def _lines(log: Path, until: int) -> Iterator[str]:
    """The complete lines of a log (the last one may be half written) up to the step ``until``."""
    for text in read_regular(log, MOST_LOG).decode(errors="replace").splitlines():
        try:
            if parse_json(text)["step"] <= until:
                yield text
        except (ValueError, TypeError, KeyError):
            continue


__all__ = ["PROGRESS", "SOURCE", "Source", "TrainingRun", "training_data"]
