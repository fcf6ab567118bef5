"""Policies, and learned parts for them, trained in seconds the first time and read from the user's cache afterwards."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Protocol

from platformdirs import user_cache_path
from safetensors.torch import save as save_arrays

from workbench.engine.data.arrays_file import read_arrays_file
from workbench.engine.data.atomic import write_atomic
from workbench.engine.data.transitions import Transitions
from workbench.engine.models.parts import Parts
from workbench.engine.training.config import FitConfig, make_config
from workbench.engine.training.loop.checkpoint import FORMAT, CheckpointError, load_run, save_checkpoint
from workbench.engine.training.loop.fit import Progress, fit
from workbench.engine.training.loop.learned_part import LearnedPart, LearnedPartTrainer, fingerprint
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.written import written
from workbench.engine.words import UserError


class Trainable(Protocol):
    """A task that makes its own data and has settings that work."""

    @property
    def info(self) -> Any: ...

    def training_defaults(self, critic: str = "iql") -> dict[str, Any]:
        """Settings that work."""
        ...

    def generate(self, rows: int | None, seed: int) -> Transitions:
        """Its data."""
        ...


def quick_parts(task: Trainable, seed: int = 0, folder: Path | None = None) -> Generator[float, None, Parts]:
    """Train ``task`` with its own settings, or read the run that did so before.

    Parameters
    ----------
    task : Task
    seed : int
    folder : Path, optional
        Where finished runs are stored; without it, the user's cache folder.

    Yields
    ------
    float
        Share done, 0 to 1. The generator returns the `Parts`.
    """
    config = make_config(**task.training_defaults(), seed=seed)
    key = hashlib.sha256(json.dumps([FORMAT, task.info.name, written(config)]).encode()).hexdigest()
    home = user_cache_path("workbench") / "quick" if folder is None else folder
    place = home / f"{task.info.name.replace('/', '-')}-{key[:16]}"
    yield 0.0
    try:
        run = load_run(place, task.info.name)
        if run.finished:
            yield 1.0
            return run.parts()
    except CheckpointError:
        pass  # nothing there yet, or damaged: train again
    trainer = Trainer(task.generate(None, seed), config)
    for progress in fit(trainer):
        yield progress.step / progress.total
    _store(trainer, place, task.info.name)
    return trainer.parts()


def quick_part(
    parts: Parts, name: str, data: Callable[[], Transitions], config: FitConfig, folder: Path | None = None
) -> Generator[Progress | None, None, Parts]:
    """Train the part ``name`` for ``parts``, or read what was trained for the same ones before.

    Parameters
    ----------
    parts, name, config
        As for `LearnedPart`, which says what is raised.
    data : callable
        Makes the data when they are needed: ``data() -> Transitions``.
    folder : Path, optional
        Where trained parts are stored; without it, the user's cache folder. What was trained for parts that are no torch modules
        is not stored.

    Yields
    ------
    Progress or None
        None before the first report. The generator returns `Parts` with the part among them.
    """
    yield None
    mark = fingerprint(parts)
    key = hashlib.sha256(json.dumps([FORMAT, mark, name, written(config)]).encode()).hexdigest()
    place = (user_cache_path("workbench") / "quick" if folder is None else folder) / f"{name}-{key[:24]}.safetensors"
    learned = LearnedPart(parts, config, name)
    if mark and place.is_file():
        try:
            learned.load(read_arrays_file(place))
            return learned.parts()
        except (UserError, OSError):
            pass  # damaged: train again
    yield from fit(LearnedPartTrainer(data(), learned), report_every=50)
    if mark:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(place, save_arrays({n: a.contiguous() for n, a in learned.arrays().items()}))
        except OSError:
            pass  # a cache that cannot be written is not an error
    return learned.parts()


def _store(trainer: Trainer, place: Path, task: str) -> None:
    """Store the run under its final name in one step; a cache that cannot be written is not an error."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as name:
            draft = Path(name) / "run"
            draft.mkdir()
            save_checkpoint(trainer, draft, task)
            shutil.rmtree(place, ignore_errors=True)
            draft.rename(place)
    except OSError:
        return
