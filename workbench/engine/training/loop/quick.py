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
    yield 0.0
    stored = stored_parts(task, seed, folder)
    if stored is not None:
        yield 1.0
        return stored
    config = make_config(**task.training_defaults(), seed=seed)
    trainer = Trainer(task.generate(None, seed), config)
    for progress in fit(trainer):
        yield progress.step / progress.total
    _store(trainer, _place(task, config, folder), task.info.name)
    return trainer.parts()


def stored_parts(task: Trainable, seed: int = 0, folder: Path | None = None) -> Parts | None:
    """What `quick_parts` trained before; None where nothing is stored, or it is damaged."""
    place = _place(task, make_config(**task.training_defaults(), seed=seed), folder)
    try:
        run = load_run(place, task.info.name)
    except CheckpointError:
        return None
    return run.parts() if run.finished else None


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
    stored = stored_part(parts, name, config, folder)
    if stored is not None:
        return stored
    learned = LearnedPart(parts, config, name)
    yield from fit(LearnedPartTrainer(data(), learned), report_every=50)
    place = _place_of_part(parts, name, config, folder)
    if place is not None:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(place, save_arrays({n: a.contiguous() for n, a in learned.arrays().items()}))
        except OSError:
            pass  # a cache that cannot be written is not an error
    return learned.parts()


def stored_part(parts: Parts, name: str, config: FitConfig, folder: Path | None = None) -> Parts | None:
    """What `quick_part` trained before for the same parts; None where nothing is stored, or it is damaged."""
    place = _place_of_part(parts, name, config, folder)
    if place is None or not place.is_file():
        return None
    learned = LearnedPart(parts, config, name)
    try:
        learned.load(read_arrays_file(place))
    except (UserError, OSError):
        return None
    return learned.parts()


def quick_folder() -> Path:
    """Where policies and learned parts are stored, in the user's cache folder."""
    return user_cache_path("workbench") / "quick"


def _place(task: Trainable, config: FitConfig, folder: Path | None) -> Path:
    """Where a task's run is stored."""
    key = hashlib.sha256(json.dumps([FORMAT, task.info.name, written(config)]).encode()).hexdigest()
    return (folder or quick_folder()) / f"{task.info.name.replace('/', '-')}-{key[:16]}"


def _place_of_part(parts: Parts, name: str, config: FitConfig, folder: Path | None) -> Path | None:
    """Where a learned part is stored; None for parts that are no torch modules, of which there is no fingerprint."""
    mark = fingerprint(parts)
    key = hashlib.sha256(json.dumps([FORMAT, mark, name, written(config)]).encode()).hexdigest()
    return (folder or quick_folder()) / f"{name}-{key[:24]}.safetensors" if mark else None


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
