"""Runs that were trained elsewhere: their networks are made from descriptions, not from training settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from workbench.engine.models.described import CORE, DIFFUSION, PARTS
from workbench.engine.models.parts import Normalizer, Parts
from workbench.engine.training.config import FitConfig
from workbench.engine.training.loop.run_record import ImportNote
from workbench.engine.words import UserError, shown

CURE = "import the checkpoint again, or restore a copy"


def imported_parts(
    note: ImportNote, arrays: Mapping[str, Tensor], config: FitConfig, device: torch.device | str = "cpu"
) -> Parts:
    """The networks of a checked run as `Parts` on ``device``."""
    where = torch.device(device)
    networks: dict[str, Any] = {}
    for part, description in note.networks.items():
        own = {name: arrays[f"{part}.{name}"] for name in description.layout()}
        networks[part] = description.build(own).requires_grad_(False).to(where)
    first = note.networks["reference"]
    return Parts(
        first.observation_dim,
        first.action_dim,
        **{part: module for part, module in networks.items() if part in CORE},
        normalizer=Normalizer(arrays["normalizer.mean"].to(where), arrays["normalizer.std"].to(where)),
        reward_scale=config.reward_scale,
        discount=config.discount,
        chunk=config.chunk,
        extra={part: module for part, module in networks.items() if part not in CORE},
    )


def check_imported(note: ImportNote, arrays: Mapping[str, Tensor]) -> None:
    """Raise `UserError` unless ``arrays`` are those that the networks of ``note`` need; then they may be made."""
    first = note.networks.get("reference")
    if first is None:
        raise UserError(f"no network is the behaviour flow ('reference'); {CURE}")
    s = first.observation_dim
    probes = arrays.get("probes")
    if probes is None or probes.dim() != 2 or probes.shape[1] != s or not len(probes) or not _numbers(probes):
        found = "missing" if probes is None else shown(tuple(probes.shape))
        raise UserError(f"the state file's 'probes' are {found}, rows of {s} numbers were expected; {CURE}")
    wanted: dict[str, tuple[int, ...]] = {"normalizer.mean": (s,), "normalizer.std": (s,)}
    for part, description in note.networks.items():
        kinds = (DIFFUSION.get(part, PARTS.get(part)), "diffusion" if part == "reference" else None)
        if description.kind not in kinds:
            raise UserError(f"network {shown(part)} is described as a {description.kind}; {CURE}")
        if (description.observation_dim, description.action_dim) != (s, first.action_dim):
            raise UserError(
                f"network {shown(part)} is of other observations or actions than the behaviour flow; {CURE}"
            )
        wanted |= {f"{part}.{name}": shape for name, shape in description.layout().items()}
    for name, shape in wanted.items():
        array = arrays.get(name)
        if array is None or tuple(array.shape) != shape or array.dtype != torch.float32:
            has = "is missing" if array is None else f"has shape {shown(tuple(array.shape))} of {array.dtype}"
            raise UserError(f"the state file's '{name}' {has}, {shown(shape)} of float32 was expected; {CURE}")


def _numbers(array: Tensor) -> bool:
    return array.is_floating_point() and bool(torch.isfinite(array).all())
