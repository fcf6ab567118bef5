"""Import of weights trained with the two papers' own JAX code.

Arrays are named as those codebases name them (``params.<net>.…`` with ``kernel`` (in, out), or (K, in, out) for the
ensemble); see the docstring of `load_published`. Nothing is unpickled.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from workbench.engine.models.critic import CriticEnsemble, StateValue
from workbench.engine.models.mlp import Activation, Mlp, MlpShape, Normed
from workbench.engine.models.parts import Parts
from workbench.engine.models.velocity import VelocityField

Family = Literal["vgf", "qgf"]
Arrays = Mapping[str, np.ndarray]


def load_published(source: str | Path | Arrays, family: Family, prefix: str = "params.") -> Parts:
    """Build `Parts` from published weights.

    Parameters
    ----------
    source : path or mapping
        An ``.npz`` file or its arrays by name.
    family : {"vgf", "qgf"}
        ``vgf`` (ReLU, raw time, no LayerNorm in the flow): nets ``actor_bc.mlp``, ``critic.value_net``,
        ``target_critic.value_net``, ``value.value_net``. ``qgf`` (tanh GELU, sinusoidal time, LayerNorm except on the flow's last
        hidden layer): ``policy.MLP_0`` then ``policy.Dense_0``, and the same critics. Missing critics, targets or values
        are left out of the Parts.
    prefix : str
        What stands before the net's name, for archives that hold other arrays too.

    Raises
    ------
    ValueError
        Unknown family, a damaged archive, or a named array that is missing or has the wrong shape.
    FileNotFoundError
        No such file.
    """
    if family not in get_args(Family):
        raise ValueError(f"family must be one of {', '.join(get_args(Family))}, got '{family}'")
    arrays = _read(source)
    activation: Activation = "relu" if family == "vgf" else "gelu"
    flow_layers = _flow_layers(arrays, prefix, family)
    action_dim = int(flow_layers[-1]["kernel"].shape[-1])
    time_width = 1 if family == "vgf" else 16
    observation_dim = int(flow_layers[0]["kernel"].shape[-2]) - action_dim - time_width
    flow_norm: Normed = "none" if family == "vgf" else "all_but_last"
    shape = _shape(flow_layers, activation, flow_norm)
    reference = VelocityField(observation_dim, action_dim, shape, "raw" if family == "vgf" else "sinusoidal")
    _fill(reference.net, flow_layers)

    def critic(net: str) -> CriticEnsemble | None:
        if f"{prefix}{net}.value_net.Dense_0.kernel" not in arrays:
            return None
        layers = _layers(arrays, f"{prefix}{net}.value_net")
        module = CriticEnsemble(observation_dim, action_dim, _shape(layers, activation, "all"))
        _fill(module.net, layers)
        return module

    value = None
    if f"{prefix}value.value_net.Dense_0.kernel" in arrays:
        layers = _layers(arrays, f"{prefix}value.value_net")
        value = StateValue(observation_dim, _shape(layers, activation, "all"))
        _fill(value.net, layers)
    return Parts(observation_dim, action_dim, reference, critic("critic"), critic("target_critic"), value)


def _read(source: str | Path | Arrays) -> Arrays:
    if isinstance(source, Mapping):
        return source
    try:
        with Path(source).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{source} is no complete npz archive ({error}); write it with numpy.savez") from None


def _layers(arrays: Arrays, net: str) -> list[dict[str, np.ndarray]]:
    """Collect the arrays of ``Dense_i`` and ``LayerNorm_i`` below ``net``, layer by layer."""
    layers: list[dict[str, np.ndarray]] = []
    while f"{net}.Dense_{len(layers)}.kernel" in arrays:
        i = len(layers)
        names = {
            "kernel": f"Dense_{i}.kernel",
            "bias": f"Dense_{i}.bias",
            "scale": f"LayerNorm_{i}.scale",
            "shift": f"LayerNorm_{i}.bias",
        }
        layers.append(
            {key: np.asarray(arrays[f"{net}.{name}"]) for key, name in names.items() if f"{net}.{name}" in arrays}
        )
        if layers[i]["kernel"].ndim not in (2, 3):
            raise ValueError(
                f"'{net}.{names['kernel']}' must be (in, out) or (K, in, out), got {layers[i]['kernel'].shape}"
            )
    if not layers:
        raise ValueError(
            f"no array named '{net}.Dense_0.kernel'; are these weights of the other family, or under another prefix?"
        )
    return layers


def _flow_layers(arrays: Arrays, prefix: str, family: Family) -> list[dict[str, np.ndarray]]:
    if family == "vgf":
        return _layers(arrays, f"{prefix}actor_bc.mlp")
    last = {
        key: np.asarray(arrays[f"{prefix}policy.Dense_0.{key}"])
        for key in ("kernel", "bias")
        if f"{prefix}policy.Dense_0.{key}" in arrays
    }
    if len(last) < 2:
        raise ValueError(f"no array named '{prefix}policy.Dense_0.kernel'; QGF's flow ends in it")
    return [*_layers(arrays, f"{prefix}policy.MLP_0"), last]


def _shape(layers: list[dict[str, Any]], activation: Activation, layer_norm: Normed) -> MlpShape:
    first = layers[0]["kernel"]
    members = first.shape[0] if first.ndim == 3 else 1
    hidden = tuple(int(layer["kernel"].shape[-1]) for layer in layers[:-1])
    return MlpShape(int(first.shape[-2]), int(layers[-1]["kernel"].shape[-1]), hidden, activation, layer_norm, members)


def _fill(net: Mlp, layers: list[dict[str, np.ndarray]]) -> None:
    for name, view in net.arrays().items():
        index, key = name.split(".")
        array = layers[int(index)].get("kernel" if key == "weight" else key)
        if array is None:
            raise ValueError(f"layer {index} has no array for '{key}', which this family needs")
        if array.size != view.numel():
            raise ValueError(
                f"layer {index} has '{key}' of shape {array.shape}, its kernel asks for {tuple(view.shape)}"
            )
        view.copy_(torch.from_numpy(np.array(array, dtype=np.float32)).reshape(view.shape))
