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
from safetensors import SafetensorError
from safetensors.torch import load as load_arrays
from safetensors.torch import save as save_arrays
from torch import Tensor

from workbench.engine.data.atomic import remove_leftovers, write_atomic
from workbench.engine.data.transitions import Transitions
from workbench.engine.models.parts import Parts
from workbench.engine.training.build import build_networks
from workbench.engine.training.config import FitConfig, make_config
from workbench.engine.training.networks import Networks
from workbench.engine.training.trainer import Trainer

FORMAT = 1
RUN_FILE = "run.json"


class CheckpointError(ValueError):
    """A run folder that cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Run:
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

    @property
    def finished(self) -> bool:
        """Training ran to its end."""
        return self.step >= self.total_steps

    @property
    def probes(self) -> Tensor:
        """(256, S) dataset observations for measuring shift, not normalised."""
        return self.arrays["probes"]

    def parts(self, device: torch.device | str = "cpu") -> Parts:
        """The trained networks as `Parts` on ``device``, with dataset states at which shift is measured."""
        made = _networks(self).to(torch.device(device)).parts(self.config, self.trained)
        return replace(made, behaviour_states=self.probes.to(device))


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
    content = save_arrays({name: array.detach().cpu().contiguous() for name, array in arrays.items()})
    digest = hashlib.sha256(content).hexdigest()
    state = f"state-{trainer.step_number:09d}-{digest[:8]}.safetensors"
    record = {
        "format": FORMAT,
        "task": task,
        "step": trainer.step_number,
        "total_steps": trainer.total_steps,
        "trained": list(trainer.trained),
        "observation_dim": trainer.data.observation_dim,
        "action_dim": trainer.data.action_dim,
        "config": trainer.config.model_dump(mode="json"),
        "data": {"fingerprint": trainer.data.fingerprint(), "rows": len(trainer.data)},
        "device": trainer.device.type,
        "versions": {name: version(name) for name in ("torch", "numpy", "safetensors")}
        | {"python": platform.python_version()},
        "state": {"file": state, "sha256": digest},
    }
    if online is not None:
        record["online"] = dict(online)
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
    folder : path
    task : str, optional
        The task it must be for.

    Raises
    ------
    CheckpointError
        No run there, truncated or edited files, another format version, or another task.
    """
    folder = Path(folder)
    if not (folder / RUN_FILE).is_file():
        raise CheckpointError(f"{folder} holds no run (no {RUN_FILE} there); make one: workbench fit TASK --out FOLDER")
    record = _unseal(folder / RUN_FILE)
    if task is not None and record.get("task") != task:
        raise CheckpointError(
            f"{folder} was trained on task '{record.get('task')}', not on '{task}'; "
            "name its own task, or another folder"
        )
    try:
        return Run(
            folder=folder,
            task=record["task"],
            config=make_config(**record["config"]),
            step=record["step"],
            total_steps=record["total_steps"],
            fingerprint=record["data"]["fingerprint"],
            device=record["device"],
            trained=tuple(record["trained"]),
            arrays=_read_state(folder, record["state"]["file"], record["state"]["sha256"]),
            online=record.get("online"),
        )
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / RUN_FILE} lacks what this workbench needs ({error}); train again") from None


def resume(run: Run, data: Transitions, device: torch.device | str = "cpu") -> Trainer:
    """Rebuild the trainer of ``run`` as it was when saved.

    Raises
    ------
    CheckpointError
        The data, or the kind of device, are not those of the run.
    """
    found, kind = data.fingerprint(), torch.device(device).type
    if found != run.fingerprint:
        raise CheckpointError(
            f"{run.folder} was trained on other data (fingerprint {run.fingerprint[:12]}…, these have {found[:12]}…); "
            "give it the data it began with, or begin a new run"
        )
    if kind != run.device:
        raise CheckpointError(
            f"{run.folder} was trained on {run.device} and goes on only there, not on {kind}; its random numbers differ"
        )
    trainer = Trainer(data, run.config, device)
    networks = _networks(run)
    with torch.no_grad():
        for name in networks.modules():
            trainer.networks.net(name).theta.copy_(networks.net(name).theta)
    trainer.generator.set_state(run.arrays["rng"])
    trainer.step_number = run.step
    prefix = "adam."
    trainer.adam.load({key[len(prefix) :]: array for key, array in run.arrays.items() if key.startswith(prefix)})
    return trainer


def _networks(run: Run) -> Networks:
    try:
        mean = run.arrays["normalizer.mean"]
        action_dim = run.arrays[f"reference.{len(run.config.hidden)}.bias"].shape[-1]
        networks = build_networks(run.config, mean.shape[0], action_dim)
        for name in networks.modules():
            for key, view in networks.net(name).arrays().items():
                view.copy_(run.arrays[f"{name}.{key}"])
        networks.mean, networks.std = mean.clone(), run.arrays["normalizer.std"].clone()
    except KeyError as error:
        raise CheckpointError(
            f"the state file in {run.folder} lacks the array {error}; train again or restore a copy"
        ) from None
    return networks


def _digest(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _seal(record: dict[str, Any]) -> bytes:
    return (json.dumps(record | {"seal": _digest(record)}, indent=1, sort_keys=True) + "\n").encode()


def _unseal(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise CheckpointError(
            f"{path} is not valid JSON: it is truncated or was edited; train again or restore a copy"
        ) from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else None
        raise CheckpointError(
            f"{path} has format version {found}, this workbench reads {FORMAT}; "
            "use the version that wrote it, or train again"
        )
    seal = record.pop("seal", None)
    if seal != _digest(record):
        raise CheckpointError(
            f"{path} was edited after it was written (its seal does not match); train again or restore a copy"
        )
    return record


def _read_state(folder: Path, name: str, digest: str) -> dict[str, Tensor]:
    path = folder / Path(name).name  # never outside the run's folder
    if not path.is_file():
        raise CheckpointError(f"{path} is missing; restore it or train again")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise CheckpointError(
            f"{path} is truncated or was edited (its SHA-256 is not the one in {RUN_FILE}); "
            "restore a copy or train again"
        )
    try:
        return load_arrays(content)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is no valid safetensors file: {error}") from None
