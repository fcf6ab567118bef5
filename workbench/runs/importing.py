"""Making a run of a checkpoint that was trained elsewhere, so that evaluate, steer, tune, pages and lessons take it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.engine.data.atomic import folder_at_once, write_atomic
from workbench.engine.data.transitions import Transitions
from workbench.engine.metrics.visited import behaviour_states
from workbench.engine.models.described import NetDescription
from workbench.engine.models.described_diffusion import DiffusionDescription
from workbench.engine.models.mlp import Activation
from workbench.engine.models.parts import Parts
from workbench.engine.models.published.families import Family
from workbench.engine.models.published.files import Weights, read_config, read_weights
from workbench.engine.models.published.found import Published
from workbench.engine.models.published.load import read_published
from workbench.engine.models.published.mapping import read_mapped
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import OwnDataTask
from workbench.engine.training.config import FitConfig, make_config
from workbench.engine.training.loop.checkpoint import IMPORTED, Run, load_run, write_run
from workbench.engine.training.networks import STYLES
from workbench.engine.words import UserError
from workbench.runs.training import SOURCE, Source

FLAGS = "flags.json"
PROBES = 256


@dataclass(frozen=True)
class Imported:
    """What was made of a checkpoint.

    Attributes
    ----------
    run : Run
    published : Published
        The checkpoint as it was read.
    notes : tuple of str
        What a reader of numbers should know: what was assumed, left out or rounded.
    """

    run: Run
    published: Published
    notes: tuple[str, ...]


def import_checkpoint(
    source: str | Path,
    task: str,
    out: str | Path,
    *,
    family: Family | None = None,
    config: str | Path | Mapping[str, object] | None = None,
    mapping: str | Path | None = None,
    data: str | Path | None = None,
    clip_actions: bool = False,
    activation: Activation | None = None,
    discount: float | None = None,
    chunk: int | None = None,
    reward_scale: float | None = None,
    flow_steps: int | None = None,
) -> Imported:
    """Make a run folder of a checkpoint of another code.

    Parameters
    ----------
    source : path
        ``params_N.pkl`` of the VGF, QGF and FQL codes, what ``workbench convert --script`` makes of it, or with ``mapping`` any
        ``.npz``, ``.safetensors`` or torch ``.pt`` of weights.
    task : str
        The task that it was trained for.
    out : path
        Folder of the run; it must not exist.
    family : {"vgf", "qgf", "fql"}, optional
        As for `workbench.engine.models.published.load_published`.
    config : path or mapping, optional
        The settings of the training; without it those in the file, else the flags.json beside it.
    mapping : path, optional
        JSON that says which array of the file is which layer (docs/bring_your_own.md).
    data : path, optional
        The dataset that it was trained on: shift is then measured at its states, and support is measured. Tasks of
        recorded data (``data/…``, ``minari/…``) bring their own.
    clip_actions : bool
        Clip actions of the data to [-1, 1] instead of refusing them.
    activation : {"relu", "gelu", "mish"}, optional
        As for `load_published`.
    discount, chunk, reward_scale, flow_steps : number, optional
        What it was trained with, where the settings do not say it.

    Returns
    -------
    Imported
        The run, what was read, and what a reader of its numbers should know.

    Raises
    ------
    UserError
        The file is refused, it does not fit the task, or ``out`` exists; nothing is written.
    OSError
        A file is missing or cannot be read or written.
    """
    path, folder = Path(source), Path(out)
    if folder.exists():
        raise UserError(f"{folder} exists; choose another --out (it is never written over)")
    played = make_task(task)
    weights = read_weights(path)
    settings = settings_of(path, weights, config)
    given: dict[str, Any] = {
        "discount": discount,
        "chunk": chunk,
        "reward_scale": reward_scale,
        "flow_steps": flow_steps,
    }
    if mapping is not None:
        published = read_mapped(weights, Path(mapping), settings, **given)
    else:
        published = read_published(weights, family, activation=activation, config=settings, **given)
    _check_task(published, played)
    origin = Source.of(None if data is None else Path(data), 0, clip_actions)
    rows = origin.load(played) if data is not None or isinstance(played, OwnDataTask) else None
    record, arrays = _record(path, published, played, rows)
    with folder_at_once(folder) as draft:
        write_atomic(draft / SOURCE, (json.dumps(asdict(origin), indent=1) + "\n").encode())
        write_run(draft, record, arrays)
        load_run(draft, task).parts()
    return Imported(load_run(folder, task), published, _notes(published, settings, task, rows))


def settings_of(path: Path, weights: Weights, config: str | Path | Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The settings that were given, else those in the file of weights, else those beside it; raises as `read_config`."""
    if config is None and weights.config.keys() - {"torch"}:
        return weights.config
    if isinstance(config, Mapping):
        return dict(config)
    beside = path.with_name(FLAGS) if config is None else Path(config)
    return read_config(beside) if config is not None or beside.is_file() else {}


def _check_task(published: Published, task: Task) -> None:
    """Raise `UserError` where the networks are of other observations or actions than the task's."""
    info, chunk = task.info, published.settings.chunk
    where, s, d = published.source, published.observation_dim, published.action_dim
    if s != info.observation_dim:
        raise UserError(
            f"{where}: its networks take observations of {s} numbers, task '{info.name}' has {info.observation_dim}; "
            "name the task that it was trained for"
        )
    if d != chunk * info.action_dim:
        steps, rest = divmod(d, info.action_dim)
        cure = f"give --chunk {steps}" if not rest else "name the task that it was trained for"
        raise UserError(
            f"{where}: its networks act with {d} numbers, task '{info.name}' with {info.action_dim} a step, and a chunk is "
            f"{chunk} step{'s' if chunk > 1 else ''}; {cure}"
        )


def _record(
    path: Path, published: Published, task: Task, rows: Transitions | None
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What ``run.json`` says, and the arrays."""
    parts = published.parts()
    s = published.observation_dim
    # copies: one network may be two parts, and a file holds no array twice
    arrays = {f"{part}.{name}": a.clone() for part, own in published.arrays.items() for name, a in own.items()}
    arrays["normalizer.mean"] = torch.zeros(s) if published.mean is None else published.mean
    arrays["normalizer.std"] = torch.ones(s) if published.std is None else published.std
    arrays["probes"] = _probes(parts, task) if rows is None else rows.sample_states(0, PROBES)
    step = max(published.step or _step_in(path.name), 1)
    record: dict[str, Any] = {
        "format": IMPORTED,
        "task": task.info.name,
        "step": step,
        "total_steps": step,
        "trained": list(published.descriptions),
        "observation_dim": s,
        "action_dim": task.info.action_dim,
        "config": _config(published, step).model_dump(mode="json"),
        "device": "cpu",
        "imported": {
            "family": published.family,
            "source": path.name[:200],
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "networks": {part: d.model_dump(mode="json") for part, d in published.descriptions.items()},
        },
    }
    if rows is not None:
        record["data"] = {"fingerprint": rows.fingerprint(), "rows": len(rows)}
    return record, arrays


def _probes(parts: Parts, task: Task) -> Tensor:
    """States (256, S) that the behaviour flow visits in the task: there is no dataset to take them from."""
    try:
        return behaviour_states(parts, task).rows.float()
    except ImportError as error:
        raise UserError(
            f"task '{task.info.name}' cannot be played here to find states that the policy visits ({error}); "
            "install what it needs, or give the dataset: --data DIR"
        ) from None


def _config(published: Published, step: int) -> FitConfig:
    """The training settings that are known; the networks themselves are described one by one."""
    first, critic = published.descriptions["reference"], published.descriptions.get("critic")
    said = published.settings
    return make_config(
        **style_of(first, first if critic is None else critic),
        hidden=tuple(first.hidden),
        members=min(critic.members, 16) if critic else 1,
        steps=step,
        discount=said.discount,
        reward_scale=said.reward_scale,
        flow_steps=said.flow_steps,
        chunk=said.chunk,
        normalize_observations=published.mean is not None,
    )


def style_of(*networks: NetDescription | DiffusionDescription) -> dict[str, str]:
    """The settings ``family`` and ``norm`` with which parts that are trained later look like these networks, flow first."""
    described = [network for network in networks if isinstance(network, NetDescription)]
    if not described:
        return {}
    flow, critic = described[0], described[-1]
    alike = (name for name, style in STYLES.items() if (style.activation, style.time) == (flow.activation, flow.time))
    usual = "vgf" if flow.activation == "relu" else "qgf"
    family = next(alike, usual) if flow.kind == "velocity" else usual
    norm = "none" if not any(critic.normed) else "after" if critic.after else "before"
    return {
        "family": family,
        "norm": "family" if norm == ("after" if STYLES[family].norm_after else "before") else norm,
    }


def _step_in(name: str) -> int:
    found = re.search(r"(\d{1,9})\.\w+$", name)
    return int(found[1]) if found else 0


def _notes(published: Published, config: Mapping[str, Any], task: str, rows: Transitions | None) -> tuple[str, ...]:
    said, notes = published.settings, list(published.notes)
    values = {name: getattr(said, name) for name in said.assumed}
    if values:
        listed = ", ".join(f"{name} = {value:g}" for name, value in values.items())
        notes.append(f"nobody said, so assumed: {listed} (flags: --discount, --chunk, --reward-scale, --flow-steps)")
    if "critic" not in published.descriptions:
        notes.append("it has no critic: rules that climb one cannot be used")
    if published.left_out:
        notes.append(f"left out, no part of a policy here: {', '.join(published.left_out)}")
    if rows is None:
        notes.append(
            "no dataset given: shift is measured at states that the behaviour flow visits, support not at all (--data DIR)"
        )
    elif float(np.abs(rows.actions).max(initial=0.0)) < 1e-6:
        notes.append("all actions of the dataset are 0: is it the one that the policy was trained on?")
    env = config.get("env_name")
    if isinstance(env, str) and env not in (task, task.partition("/")[2]):
        notes.append(f"its settings name the environment {env[:100]!r}, the run is for task '{task}'")
    return tuple(notes)
