"""Import of weights trained with the published JAX code of VGF, QGF and FQL.

Arrays are named as those codebases name them (``params.<net>.…`` with ``kernel`` (in, out), or (K, in, out) for the
ensemble); see the docstring of `load_published`. Nothing is unpickled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch

from workbench.engine.models.critic import CriticEnsemble, StateValue
from workbench.engine.models.mlp import Activation, Mlp, MlpShape, Normed
from workbench.engine.models.norm_after import NormAfterCritic
from workbench.engine.models.parts import Critic, Parts
from workbench.engine.models.velocity import VelocityField
from workbench.engine.words import SaidError

Family = Literal["vgf", "qgf", "fql"]
Arrays = Mapping[str, np.ndarray]


class _Made(NamedTuple):
    """What one codebase's networks are like where their arrays do not tell."""

    flow: str
    activation: Activation
    flow_norm: Normed
    time: Literal["raw", "sinusoidal"]
    time_width: int


FAMILIES: dict[str, _Made] = {
    "vgf": _Made("actor_bc.mlp", "relu", "none", "raw", 1),
    "qgf": _Made("policy.MLP_0", "gelu", "all_but_last", "sinusoidal", 16),
    "fql": _Made("actor_bc_flow.mlp", "gelu", "none", "raw", 1),
}
# In a checkpoint's tree a net is agent.<net>.params.… (VGF, QGF) or agent.network.params.modules_<net>.… (FQL).
IN_TREE = re.compile(r"agent\.(?:network\.params\.modules_(?P<one>\w+)|(?P<own>\w+)\.params)\.(?P<rest>.+)")


def load_published(
    source: str | Path | Arrays, family: Family, prefix: str = "params.", activation: Activation | None = None
) -> Parts:
    """Build `Parts` from published weights.

    Parameters
    ----------
    source : path or mapping
        An ``.npz`` file or its arrays by name; docs/bring_your_own.md has the lines that make one of a ``params_N.pkl``.
    family : {"vgf", "qgf", "fql"}
        ``vgf`` (ReLU, raw time, no LayerNorm in the flow): nets ``actor_bc.mlp``, ``critic.value_net``,
        ``target_critic.value_net``, ``value.value_net``. ``qgf`` (tanh GELU, sinusoidal time, LayerNorm except on the flow's last
        hidden layer): ``policy.MLP_0`` then ``policy.Dense_0``, and the same critics. ``fql`` (tanh GELU, raw time, no LayerNorm
        in the flow, in the critics after the activation): ``actor_bc_flow.mlp``, and the same critics. Missing critics,
        targets or values are left out of the Parts.
    prefix : str
        What stands before the net's name, for archives that hold other arrays too. The names of a checkpoint's whole tree,
        ``agent.<net>.params.…`` and ``agent.network.params.modules_<net>.…``, are understood too.
    activation : {"relu", "gelu"}, optional
        The arrays do not tell it. Without it the family's own; weights trained with another setting need it.

    Returns
    -------
    Parts
        The behaviour flow and what else the archive holds, ready to steer with.

    Raises
    ------
    SaidError
        Unknown family or activation, a pickle or damaged archive, a named array that is missing or has the wrong shape, or
        LayerNorm where the family has none.
    FileNotFoundError
        No such file.
    """
    if family not in get_args(Family):
        raise SaidError(f"family must be one of {', '.join(get_args(Family))}, got '{family}'")
    if activation not in (None, *get_args(Activation)):
        raise SaidError(f"activation must be one of {', '.join(get_args(Activation))}, got '{activation}'")
    arrays = _as_named(_read(source))
    made = FAMILIES[family]
    if activation is not None:
        made = made._replace(activation=activation)
    flow_layers = _flow_layers(arrays, prefix, family)
    action_dim = int(flow_layers[-1]["kernel"].shape[-1])
    observation_dim = int(flow_layers[0]["kernel"].shape[-2]) - action_dim - made.time_width
    if observation_dim < 1:
        raise SaidError(
            f"the flow's first layer takes {flow_layers[0]['kernel'].shape[-2]} numbers, too few for actions of {action_dim} and "
            f"{made.time_width} of the time; these are weights of another family than '{family}'"
        )
    shape = _shape(flow_layers, made.activation, made.flow_norm)
    reference = VelocityField(observation_dim, action_dim, shape, made.time)
    _fill(reference.net, flow_layers)

    def critic(net: str) -> Critic | None:
        if f"{prefix}{net}.value_net.Dense_0.kernel" not in arrays:
            return None
        layers = _layers(arrays, f"{prefix}{net}.value_net")
        if family == "fql":
            return _norm_after(layers, observation_dim + action_dim, made.activation, net)
        module = CriticEnsemble(observation_dim, action_dim, _shape(layers, made.activation, "all"))
        _fill(module.net, layers)
        return module

    value = None
    if f"{prefix}value.value_net.Dense_0.kernel" in arrays and family != "fql":
        layers = _layers(arrays, f"{prefix}value.value_net")
        value = StateValue(observation_dim, _shape(layers, made.activation, "all"))
        _fill(value.net, layers)
    return Parts(observation_dim, action_dim, reference, critic("critic"), critic("target_critic"), value)


def _as_named(arrays: Arrays) -> Arrays:
    """The arrays under ``params.<net>.…``, whichever of the codebases' trees they were named by."""

    def named(name: str) -> str:
        found = IN_TREE.fullmatch(name)
        return f"params.{found['one'] or found['own']}.{found['rest']}" if found else name

    return {named(name): array for name, array in arrays.items()}


def _read(source: str | Path | Arrays) -> Arrays:
    if isinstance(source, Mapping):
        return source
    with Path(source).open("rb") as file:
        start = file.read(2)
        if start[:1] == b"\x80" and start[1:2] <= b"\x05":  # how Python's pickles begin
            raise SaidError(
                f"{source} is a pickle, which could run code and is never loaded here. In the environment that wrote it, save "
                "its arrays with numpy.savez, by the few lines in docs/bring_your_own.md (Published weights), and load that file"
            )
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except Exception as error:  # NumPy and its decoders answer damage with errors of every kind
            reason = str(error) if "pickle" not in str(error) else "it holds other things than arrays"
            raise SaidError(
                f"{source} is no complete npz archive ({reason}); write it with numpy.savez, see docs/bring_your_own.md"
            ) from None


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
            raise SaidError(
                f"'{net}.{names['kernel']}' must be (in, out) or (K, in, out), got {layers[i]['kernel'].shape}"
            )
    if not layers:
        raise SaidError(f"no array named '{net}.Dense_0.kernel'; {_hint(arrays)}")
    return layers


def _flow_layers(arrays: Arrays, prefix: str, family: Family) -> list[dict[str, np.ndarray]]:
    if family != "qgf":
        return _layers(arrays, f"{prefix}{FAMILIES[family].flow}")
    last = {
        key: np.asarray(arrays[f"{prefix}policy.Dense_0.{key}"])
        for key in ("kernel", "bias")
        if f"{prefix}policy.Dense_0.{key}" in arrays
    }
    if len(last) < 2:
        raise SaidError(f"no array named '{prefix}policy.Dense_0.kernel'; QGF's flow ends in it. {_hint(arrays)}")
    return [*_layers(arrays, f"{prefix}policy.MLP_0"), last]


def _shape(layers: list[dict[str, Any]], activation: Activation, layer_norm: Normed) -> MlpShape:
    first = layers[0]["kernel"]
    members = first.shape[0] if first.ndim == 3 else 1
    normed = [i for i, layer in enumerate(layers[:-1]) if "scale" in layer]
    hidden = tuple(int(layer["kernel"].shape[-1]) for layer in layers[:-1])
    shape = MlpShape(int(first.shape[-2]), int(layers[-1]["kernel"].shape[-1]), hidden, activation, layer_norm, members)
    odd = [i for i in normed if not shape.normed(i)]
    if odd:
        raise SaidError(
            f"layer {odd[0]} has LayerNorm, which this family does not have there; these weights were trained with another "
            "network, which cannot be rebuilt from its arrays: give Parts your own module (docs/bring_your_own.md)"
        )
    return shape


def _norm_after(layers: list[dict[str, Any]], inputs: int, activation: Activation, net: str) -> NormAfterCritic:
    """FQL's critic from its layers, whose shapes are checked against each other."""
    members = layers[0]["kernel"].shape[0] if layers[0]["kernel"].ndim == 3 else 1
    width, filled = inputs, []
    for i, layer in enumerate(layers):
        last = i == len(layers) - 1
        out = 1 if last else int(layer["kernel"].shape[-1])
        wanted = {"kernel": (members, width, out), "bias": (members, out)}
        if not last:
            wanted |= {"scale": (members, out), "shift": (members, out)}
        if set(layer) != set(wanted):
            raise SaidError(
                f"layer {i} of '{net}' has {', '.join(sorted(layer))}, this family needs {', '.join(wanted)}"
            )
        for name, shape in wanted.items():
            if layer[name].size != np.prod(shape):
                raise SaidError(f"layer {i} of '{net}' has '{name}' of shape {layer[name].shape}, expected {shape}")
        filled.append(
            {
                name: torch.from_numpy(np.array(layer[name], dtype=np.float32)).reshape(shape)
                for name, shape in wanted.items()
            }
        )
        width = out
    return NormAfterCritic(filled, activation)


def _hint(arrays: Arrays) -> str:
    """What the arrays seem to be."""
    for family, made in FAMILIES.items():
        found = next((name for name in arrays if f"{made.flow}.Dense_0.kernel" in name), None)
        if found is not None:
            before = found.partition(made.flow)[0]
            return f"'{found}' looks like family '{family}' with prefix='{before}'"
    return f"are these weights of another family ({', '.join(FAMILIES)}), or under another prefix?"


def _fill(net: Mlp, layers: list[dict[str, np.ndarray]]) -> None:
    for name, view in net.arrays().items():
        index, key = name.split(".")
        array = layers[int(index)].get("kernel" if key == "weight" else key)
        if array is None:
            raise SaidError(f"layer {index} has no array for '{key}', which this family needs")
        if array.size != view.numel():
            raise SaidError(
                f"layer {index} has '{key}' of shape {array.shape}, its kernel asks for {tuple(view.shape)}"
            )
        view.copy_(torch.from_numpy(np.array(array, dtype=np.float32)).reshape(view.shape))
