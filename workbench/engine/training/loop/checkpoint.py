"""Checkpoints: safetensors for the arrays, JSON for everything else; atomic, hashed, resumable bit for bit.

A run folder holds ``run.json`` and the one state file it names. A save writes the new state file first, then swaps
``run.json``, then removes the old state file, so that a process killed at any moment leaves a complete checkpoint. A
state file's name ends in its hash, so that no save writes over the file that ``run.json`` names.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as save_arrays
from torch import Tensor

from workbench.engine.data.arrays_file import read_arrays_file
from workbench.engine.data.atomic import remove_leftovers, write_atomic
from workbench.engine.data.records import checked, read_json
from workbench.engine.data.transitions import Transitions
from workbench.engine.models.mlp import layout
from workbench.engine.models.parts import Parts
from workbench.engine.models.rounded import Weights, with_rounded_weights
from workbench.engine.showing import Shown
from workbench.engine.training.build import build_networks
from workbench.engine.training.config import FitConfig, make_config
from workbench.engine.training.loop.imported import check_imported, imported_parts
from workbench.engine.training.loop.run_record import ImportNote, RunRecord
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import BEHAVIOURS, CRITICS
from workbench.engine.training.networks import Networks, check_picture
from workbench.engine.training.written import written
from workbench.engine.words import UserError, shown

FORMAT = 1
IMPORTED = 2  # the format of runs that were imported: their networks are described one by one
RUN_FILE = "run.json"


class CheckpointError(UserError):
    """A run folder that cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Run(Shown):
    """A run folder, read and checked.

    Attributes
    ----------
    folder : Path
    task : str
    config : FitConfig
    step, total_steps : int
    fingerprint : str
        Of the training data.
    device : str
        Kind of device it was trained on, "cpu" or "cuda".
    trained : tuple of str
        Networks that hold something learned.
    arrays : dict of str to Tensor
    online : dict or None
        What a run that went on with environment steps notes of itself.
    imported : ImportNote or None
        Where an imported run comes from; None for one that was trained here.
    compiled : dict of str to bool or None
        Whether the compiled update was the faster one, by the names of the losses; None where it was not asked.
    """

    folder: Path
    task: str
    config: FitConfig
    step: int
    total_steps: int
    fingerprint: str
    device: str
    trained: tuple[str, ...]
    arrays: dict[str, Tensor]
    online: dict[str, Any] | None = None
    imported: ImportNote | None = None
    compiled: dict[str, bool] | None = None

    @property
    def finished(self) -> bool:
        """Training ran to its end."""
        return self.step >= self.total_steps

    @property
    def probes(self) -> Tensor:
        """(256, S) dataset observations for measuring shift, not normalised."""
        return self.arrays["probes"]

    def parts(self, device: torch.device | str = "cpu", weights: Weights | None = None) -> Parts:
        """The trained networks as `Parts` on ``device``, with dataset states at which shift is measured.

        ``weights`` "bf16" or "int8" rounds their matrices (`with_rounded_weights`); on a CPU a decision at one to six states is
        faster with "bf16". The run itself keeps what it has.
        """
        if self.imported is not None:
            parts = imported_parts(self.imported, self.arrays, self.config, device)
        else:
            parts = _networks(self).to(torch.device(device)).parts(self.config, self.trained)
        if weights is not None:
            parts = with_rounded_weights(parts, weights)
        if not self.fingerprint:  # imported without its data: what its probes are is what the behaviour flow visits
            return parts
        return replace(parts, behaviour_states=self.probes.to(device))


def save_checkpoint(trainer: Trainer, folder: Path, task: str, online: Mapping[str, Any] | None = None) -> None:
    """Store ``trainer`` in ``folder`` (which exists).

    ``online`` is what training that went on with environment steps notes of itself, in plain types.

    Raises
    ------
    OSError
        Disk full and the like; the checkpoint that was there stays.
    """
    arrays = weights_of(trainer) | {"rng": trainer.generator.get_state()}
    arrays |= {f"adam.{name}": array for name, array in trainer.adam.arrays().items()}
    arrays["probes"] = trainer.data.sample_states(trainer.config.seed)
    record = {
        "format": FORMAT,
        "task": task,
        "step": trainer.step_number,
        "total_steps": trainer.total_steps,
        "trained": list(trainer.trained),
        "observation_dim": trainer.data.observation_dim,
        "action_dim": trainer.data.action_dim,
        "config": written(trainer.config),
        "data": {"fingerprint": trainer.data.fingerprint(), "rows": len(trainer.data)},
        "device": trainer.device.type,
    }
    if trainer.compiled:
        record["compiled"] = trainer.compiled
    if online is not None:
        record["online"] = dict(online)
    write_run(folder, record, arrays)


def write_run(folder: Path, record: dict[str, Any], arrays: Mapping[str, Tensor]) -> None:
    """Store what ``record`` says and its ``arrays`` in ``folder``; the versions and the state file's name are added."""
    content = save_arrays({name: array.detach().cpu().contiguous() for name, array in arrays.items()})
    digest = hashlib.sha256(content).hexdigest()
    state = f"state-{record['step']:09d}-{digest[:8]}.safetensors"
    versions = {name: version(name) for name in ("torch", "numpy", "safetensors")}
    record |= {
        "versions": versions | {"python": platform.python_version()},
        "state": {"file": state, "sha256": digest},
    }
    write_atomic(folder / state, content)
    write_atomic(folder / RUN_FILE, _seal(record))
    for old in folder.glob("state-*.safetensors"):
        if old.name != state:
            old.unlink(missing_ok=True)
    remove_leftovers(folder)


def weights_of(trainer: Trainer) -> dict[str, Tensor]:
    """All weights and the observation normalisation by name: what steering needs of a run."""
    networks = trainer.networks
    arrays = {"normalizer.mean": networks.mean, "normalizer.std": networks.std}
    for name in networks.modules():
        arrays |= {f"{name}.{key}": array for key, array in networks.net(name).arrays().items()}
    return arrays


def load_run(folder: str | Path, task: str | None = None) -> Run:
    """Read and check a run folder.

    Parameters
    ----------
    folder : str or Path
    task : str, optional
        The task that the run must be of; not checked without it.

    Returns
    -------
    Run
        Its ``parts`` are ready to steer with.

    Raises
    ------
    CheckpointError
        No run there, truncated or edited files, another format version, or another task.
    """
    folder = Path(folder)
    record = read_record(folder)
    if task is not None and record.task != task:
        raise CheckpointError(
            f"{folder} was trained on task '{record.task}', not on '{task}'; name its own task, or another folder"
        )
    try:
        config = make_config(**record.config)
        state = folder / Path(record.state.file).name  # never outside the run's folder
        arrays = read_arrays_file(state, record.state.sha256, RUN_FILE)
        if record.imported is None:
            _check_arrays(arrays, config)
        else:
            check_imported(record.imported, arrays)
    except UserError as error:
        raise CheckpointError(f"{folder / RUN_FILE}: {error}") from None
    return Run(
        folder=folder,
        task=record.task,
        config=config,
        step=record.step,
        total_steps=record.total_steps,
        fingerprint="" if record.data is None else record.data.fingerprint,
        device=record.device,
        trained=tuple(record.trained),
        arrays=arrays,
        online=record.online,
        imported=record.imported,
        compiled=record.compiled,
    )


def read_record(folder: Path) -> RunRecord:
    """What ``run.json`` of a run folder says, checked; nothing else is read.

    Raises
    ------
    CheckpointError
        No run there, a truncated or edited file, or another format version.
    """
    path = folder / RUN_FILE
    try:
        record = checked(RunRecord, _unseal(path))
        if record.data is None and record.imported is None:
            raise CheckpointError(f"{path}: 'data' is missing; train again or restore a copy")
        return record
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(
            f"{folder} holds no run (no {RUN_FILE} there); make one: workbench fit TASK --out FOLDER"
        ) from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); restore a copy or train again") from None
    except CheckpointError:
        raise
    except UserError as error:
        raise CheckpointError(f"{path}: {error}; train again or restore a copy") from None


def resume(run: Run, data: Transitions, device: torch.device | str = "cpu") -> Trainer:
    """Rebuild the trainer of ``run`` as it was when saved.

    Raises
    ------
    CheckpointError
        The data, or the kind of device, are not those of the run.
    """
    if run.imported is not None:
        raise CheckpointError(
            f"{run.folder} was imported, without what an optimiser needs to go on; begin a new run: workbench fit {run.task}"
        )
    mark, kind = data.fingerprint(), torch.device(device).type
    if mark != run.fingerprint:
        raise CheckpointError(
            f"{run.folder} was trained on other data (fingerprint {run.fingerprint[:12]}…, these have {mark[:12]}…); "
            "give it the data it began with, or begin a new run"
        )
    if kind != run.device:
        raise CheckpointError(
            f"{run.folder} was trained on {run.device} and goes on only there, not on {kind}; its random numbers differ"
        )
    trainer = Trainer(data, run.config, device)
    networks = _networks(run)
    held = {name: _array(run, f"adam.{name}", array.shape) for name, array in trainer.adam.arrays().items()}
    try:
        with torch.no_grad():
            for name in networks.modules():
                trainer.networks.net(name).theta.copy_(networks.net(name).theta)
        trainer.generator.set_state(run.arrays["rng"].ravel())
    except (KeyError, RuntimeError, TypeError) as error:
        raise CheckpointError(
            f"the state file in {run.folder} does not fit {RUN_FILE} ({error}); train again"
        ) from None
    trainer.step_number = run.step
    # before there was a choice every update was compiled that should be
    always = {", ".join(phase.losses): True for phase in trainer.phases} if run.config.compile and run.step else {}
    trainer.compiled = dict(always if run.compiled is None else run.compiled)
    trainer.adam.load(held)
    return trainer


def _networks(run: Run) -> Networks:
    mean, last = run.arrays["normalizer.mean"], run.arrays[f"reference.{len(run.config.hidden)}.bias"]
    action_dim = last.shape[-1] // BEHAVIOURS[run.config.behaviour].outputs_per_action
    networks = build_networks(run.config, mean.shape[0], action_dim)
    for name in networks.modules():
        for key, view in networks.net(name).arrays().items():
            view.copy_(_array(run, f"{name}.{key}", view.shape))
    networks.mean, networks.std = mean.clone(), _array(run, "normalizer.std", mean.shape).clone()
    unknown = set(run.trained) - set(networks.modules())
    if unknown or "reference" not in run.trained:
        raise CheckpointError(
            f"{run.folder / RUN_FILE} says that {shown(run.trained)} are trained, its settings make "
            f"{', '.join(networks.modules())}; train again or restore a copy"
        )
    return networks


def _array(run: Run, name: str, shape: tuple[int, ...]) -> Tensor:
    """The array ``name`` of the state file, of this shape; CheckpointError when it is not."""
    array = run.arrays.get(name)
    if array is None:
        raise CheckpointError(f"the state file in {run.folder} lacks the array '{name}'; train again or restore a copy")
    if array.shape != shape or not array.is_floating_point():
        raise CheckpointError(
            f"the state file in {run.folder}: '{name}' has shape {shown(tuple(array.shape))} of {array.dtype}, "
            f"{RUN_FILE} asks for {shown(tuple(shape))} of numbers; they are of different runs, train again or restore a copy"
        )
    return array


def _check_arrays(arrays: dict[str, Tensor], config: FitConfig) -> None:
    """Raise `CheckpointError` unless flow and critic are as large as ``config`` says: then the networks may be made.

    What a run.json alone asks for could take any amount of memory.
    """
    last = f"reference.{len(config.hidden)}.bias"
    missing = [name for name in ("normalizer.mean", "probes", last) if name not in arrays]
    if missing:
        raise CheckpointError(f"the state file lacks the array '{missing[0]}'; train again or restore a copy")
    mean, probes, bias = (arrays[name] for name in ("normalizer.mean", "probes", last))
    numbers = mean.is_floating_point() and probes.is_floating_point()
    if (
        not numbers
        or mean.dim() != 1
        or not mean.numel()
        or probes.dim() != 2
        or probes.shape[1:] != mean.shape
        or not len(probes)
    ):
        raise CheckpointError(
            f"the state file's 'probes' {shown(tuple(probes.shape))} and 'normalizer.mean' {shown(tuple(mean.shape))} "
            "are no rows of observations and their mean; train again or restore a copy"
        )
    each = BEHAVIOURS[config.behaviour].outputs_per_action
    if bias.dim() != 3 or not bias.numel() or bias.shape[-1] % each:
        raise CheckpointError(f"the state file's '{last}' has shape {shown(tuple(bias.shape))}; train again")
    observation_dim, action_dim = mean.shape[0], bias.shape[-1] // each
    check_picture(config, observation_dim)
    wanted = layout(CRITICS[config.critic].shape(config, observation_dim, action_dim))
    for name, shape in wanted.items():
        array = arrays.get(f"critic.{name}")
        if array is None or tuple(array.shape) != shape:
            has = "is missing" if array is None else f"has shape {shown(tuple(array.shape))}"
            raise CheckpointError(
                f"the state file's 'critic.{name}' {has}, {RUN_FILE} asks for {shown(shape)}; "
                "they are of different runs, train again or restore a copy"
            )


def _digest(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _seal(record: dict[str, Any]) -> bytes:
    return (json.dumps(record | {"seal": _digest(record)}, indent=1, sort_keys=True) + "\n").encode()


def _unseal(path: Path) -> dict[str, Any]:
    record = read_json(path)
    known = (FORMAT, IMPORTED)
    if not isinstance(record, dict) or type(record.get("format")) is not int or record["format"] not in known:
        version = shown(record.get("format")) if isinstance(record, dict) else None
        raise CheckpointError(
            f"{path} has format version {version}, this workbench reads {FORMAT} and {IMPORTED}; "
            "use the version that wrote it, or train again"
        )
    seal = record.pop("seal", None)
    if seal != _digest(record):
        raise CheckpointError(
            f"{path} was edited after it was written (its seal does not match); train again or restore a copy"
        )
    return record
