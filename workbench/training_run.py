"""Training into a run folder: data in, checkpoints and a log of progress out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from workbench.engine.data.atomic import write_atomic
from workbench.engine.data.transitions import Transitions
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import load_saved
from workbench.engine.training.checkpoint import RUN_FILE, Run, load_run, save_checkpoint
from workbench.engine.training.checkpoint import resume as resume_trainer
from workbench.engine.training.config import make_config
from workbench.engine.training.fit import Progress, fit
from workbench.engine.training.trainer import Trainer

LOG = "progress.jsonl"
SOURCE = "source.json"


def choose_device(name: str) -> torch.device:
    """``auto``, ``cpu`` or ``cuda``; ValueError when CUDA is asked for and missing."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device here (torch.cuda.is_available() is False); use --device cpu, or install torch for CUDA")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def open_run(folder: Path) -> Run:
    """Load a run for steering; CheckpointError when it cannot be used."""
    return load_run(folder)


@dataclass(frozen=True)
class TrainingRun:
    """A trainer and the folder it saves to."""

    task: Task
    folder: Path
    trainer: Trainer

    @classmethod
    def open(
        cls,
        task_name: str,
        folder: Path,
        settings: dict[str, Any],
        *,
        data: Path | None = None,
        device: str = "auto",
        resume: bool = False,
        clip_actions: bool = False,
    ) -> TrainingRun:
        """Start a run in a new folder, or take up the one that is there.

        Everything is checked before the folder is made: a refused run leaves nothing behind.

        Raises
        ------
        ValueError
            Unknown task or setting, bad data, no CUDA, the folder exists (or, to resume, does not), or settings that
            differ from those of the run to resume.
        """
        task, where = make_task(task_name), choose_device(device)
        if resume:
            return cls._resume(task, folder, settings, data, where, clip_actions)
        if folder.exists():
            raise ValueError(f"{folder} exists; choose another --out, or go on with the run in it: --resume")
        defaults = task.training_defaults(str(settings.get("critic", "iql")))
        config = make_config(**(defaults | settings))
        source = {"folder": None if data is None else str(data), "seed": config.seed, "clip_actions": clip_actions}
        trainer = Trainer(_load(task, source), config, where)
        folder.mkdir(parents=True)
        run = cls(task, folder, trainer)
        try:
            write_atomic(folder / SOURCE, (json.dumps(source, indent=1) + "\n").encode())
            run.save(trainer)
        except OSError:
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
            raise
        return run

    @classmethod
    def _resume(
        cls, task: Task, folder: Path, settings: dict[str, Any], data: Path | None, where: torch.device, clip: bool
    ) -> TrainingRun:
        loaded = load_run(folder, task.info.name)
        held = loaded.config.model_dump()
        for name, value in make_config(**(held | settings)).model_dump().items():
            if value != held[name]:
                raise ValueError(f"the run in {folder} has {name} = {held[name]}, not {value}; a resumed run keeps its settings")
        try:
            source = json.loads((folder / SOURCE).read_bytes())
        except (OSError, ValueError):
            source = {"folder": None, "seed": loaded.config.seed, "clip_actions": clip}
        if data is not None:
            source["folder"] = str(data)
        return cls(task, folder, resume_trainer(loaded, _load(task, source), where))

    def save(self, trainer: Trainer) -> None:
        """Store a checkpoint."""
        save_checkpoint(trainer, self.folder, self.task.info.name)

    def progress(self, *, should_stop: Callable[[], bool] | None = None, save_every: int = 1000) -> Iterator[Progress]:
        """Train, yielding what is also written to ``progress.jsonl``, one line a report."""
        log = self.folder / LOG
        kept = [line for line in _lines(log) if line["step"] <= self.trainer.step_number]
        if log.exists():  # a killed run may have reported steps that it did not save
            write_atomic(log, "".join(json.dumps(line) + "\n" for line in kept).encode())
        with log.open("a", encoding="utf-8") as file:
            for report in fit(self.trainer, save=self.save, save_every=save_every, should_stop=should_stop):
                if not report.stopped:
                    file.write(json.dumps(asdict(report)) + "\n")
                    file.flush()
                yield report


def _lines(log: Path) -> list[dict[str, Any]]:
    """The complete lines of a log (the last one may be half written)."""
    found = []
    for text in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        try:
            found.append(json.loads(text))
        except ValueError:
            break
    return found


def _load(task: Task, source: dict[str, Any]) -> Transitions:
    if source["folder"] is not None:
        return load_saved(task, Path(source["folder"]), out_of_bounds="clip" if source["clip_actions"] else "refuse")
    if task.info.extra:
        name = task.info.name
        raise ValueError(
            f"task '{name}' needs a dataset: workbench generate {name} --out DIR, then workbench fit {name} --data DIR --out RUN"
        )
    return task.generate(None, source["seed"])


__all__ = ["LOG", "RUN_FILE", "TrainingRun", "choose_device", "open_run"]
