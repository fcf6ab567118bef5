"""Weights of any code, by a mapping that says which array is which layer: torch state dicts above all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from workbench.engine.data.records import Name, Record, checked, read_json
from workbench.engine.models.described import PARTS
from workbench.engine.models.mlp import Activation
from workbench.engine.models.published.files import Weights
from workbench.engine.models.published.found import Published, agreed, sizes_of
from workbench.engine.models.published.layers import Layers, read_layers
from workbench.engine.models.published.settings import read_settings
from workbench.engine.words import UserError, shown

# Ours by the names under which `read_layers` knows them.
KEYS = {
    "weight": "Dense_{}.kernel",
    "bias": "Dense_{}.bias",
    "scale": "LayerNorm_{}.scale",
    "shift": "LayerNorm_{}.bias",
}


class MappingFile(Record):
    """What a mapping says.

    Attributes
    ----------
    activation : {"relu", "gelu", "mish"}
        GELU is the tanh approximation.
    norm : {"before", "after"}
        Where LayerNorm stands, as seen from the activation.
    weights : {"out, in", "in, out"}
        How the rows and columns of a weight are ordered; torch's Linear has (out, in).
    arrays : dict
        By our name, ``PART.LAYER.weight`` and so on, the file's name, or a list of names: the members of an ensemble.
    """

    activation: Activation
    norm: Literal["before", "after"] = "before"
    weights: Literal["out, in", "in, out"] = "out, in"
    arrays: Annotated[dict[Name, Name | list[Name]], Field(min_length=1, max_length=10_000)]


def read_mapped(weights: Weights, path: Path, config: Mapping[str, Any], **given: float | None) -> Published:
    """The networks that the mapping in the file ``path`` finds in ``weights``.

    Raises
    ------
    UserError
        The mapping names an array that is not there, or layers that do not fit each other.
    OSError
        It cannot be read.
    """
    try:
        said = checked(MappingFile, read_json(path))
    except UserError as error:
        raise UserError(f"{path}: {error} (docs/bring_your_own.md: Checkpoints)") from None
    nets: dict[str, dict[str, np.ndarray]] = {}
    for ours, theirs in said.arrays.items():
        part, _, rest = ours.partition(".")
        layer, _, key = rest.partition(".")
        if part not in PARTS or not layer.isdecimal() or key not in KEYS:
            raise UserError(
                f"{path}: {shown(ours)} is no layer of a part; PART.LAYER.KEY was expected, such as 'reference.0.weight': "
                f"parts {', '.join(PARTS)}; keys {', '.join(KEYS)}"
            )
        turned = key == "weight" and said.weights == "out, in"
        chosen = [_get(weights, name, path) for name in ([theirs] if isinstance(theirs, str) else theirs)]
        if turned and any(array.ndim < 2 for array in chosen):
            raise UserError(
                f"{path}: {shown(theirs)} is to be {ours} and has shape {shown(chosen[0].shape)}; (out, in) was expected"
            )
        if len({array.shape for array in chosen}) != 1:
            raise UserError(
                f"{path}: {ours} is a list of arrays of different shapes, or of none; members of one size were expected"
            )
        chosen = [np.swapaxes(array, -1, -2) if turned else array for array in chosen]
        nets.setdefault(part, {})[KEYS[key].format(int(layer))] = (
            chosen[0] if isinstance(theirs, str) else np.stack(chosen)
        )
    if "reference" not in nets:
        raise UserError(f"{path}: no array is 'reference.0.weight', the behaviour flow's; a policy needs one")
    layers: dict[str, Layers] = {}
    try:
        layers = {part: read_layers(part, net) for part, net in nets.items()}
        sizes, time = sizes_of(layers["reference"], None, layers, "mapped")
        descriptions = agreed(layers, sizes, said.activation, said.norm == "after", time)
    except UserError as error:
        raise UserError(f"{weights.source}, by {path}: {error}") from None
    return Published(
        source=weights.source,
        family="mapped",
        descriptions=dict(descriptions),
        arrays={part: read.arrays for part, read in layers.items()},
        settings=read_settings(config, "the settings", **given),
    )


def _get(weights: Weights, name: str, path: Path) -> np.ndarray:
    if name not in weights.arrays:
        there = ", ".join(sorted(weights.arrays)[:20])
        raise UserError(f"{path}: {weights.source} has no array {shown(name)}; it has {there}")
    return weights.arrays[name]
