"""The layers of one published network, checked one against the next."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from workbench.engine.models.described import Kind, NetDescription
from workbench.engine.models.mlp import Activation
from workbench.engine.models.published.families import below
from workbench.engine.models.velocity import TimeInput
from workbench.engine.words import UserError, shown

Rename = Callable[[str], str]
NORM_KEYS = {"scale": "scale", "bias": "shift"}
OTHER = "the network is of another kind: give Parts your own module (docs/bring_your_own.md)"
_LAYER = re.compile(r"(Dense|LayerNorm)_(\d{1,3})\.(kernel|bias|scale)")


class Layers(NamedTuple):
    """A network's arrays by our names, each (K, rows, columns), and what they say of it.

    Attributes
    ----------
    name : str
        What messages call it.
    arrays : dict of str to Tensor
    inputs, outputs, members : int
    hidden : list of int
    normed : list of bool
    """

    name: str
    arrays: dict[str, Tensor]
    inputs: int
    outputs: int
    members: int
    hidden: list[int]
    normed: list[bool]

    def describe(
        self, kind: Kind, sizes: tuple[int, int], activation: Activation, after: bool, time: TimeInput = "raw"
    ) -> NetDescription:
        """The network's description as a part of that kind, with S and D = ``sizes``."""
        return NetDescription(
            kind=kind,
            observation_dim=sizes[0],
            action_dim=sizes[1],
            hidden=self.hidden,
            normed=self.normed,
            after=after,
            activation=activation,
            members=self.members,
            time=time,
        )


def read_layers(name: str, net: Mapping[str, np.ndarray], *, trunk: bool = False) -> Layers:
    """The layers of ``net``, whose paths are ``Dense_i.kernel`` and the like.

    Parameters
    ----------
    name : str
        For messages, such as ``critic.value_net``.
    net : mapping
        Arrays by path.
    trunk : bool
        The hidden layers lie in ``MLP_0``, the last one is ``Dense_0`` beside it.

    Raises
    ------
    UserError
        An array is missing, is one too many, has another shape than its neighbours ask for, or is not of finite numbers.
    """
    if trunk:
        inner = below(net, "MLP_0")
        count = len({path for path in inner if path.startswith("Dense_") and path.endswith(".kernel")})
        others = {path: array for path, array in net.items() if not path.startswith("MLP_0.")}
        odd = sorted(path for path in others if not path.startswith("Dense_0."))
        if odd:
            raise UserError(f"'{name}.{odd[0]}' is no part of a flow of MLP_0 and Dense_0; {OTHER}")
        if inner and not any(path.startswith("Dense_0.") for path in others):
            raise UserError(
                f"no array named '{name}.Dense_0.kernel'; the flow ends in it: these weights are not complete"
            )
        moved = {path.replace("Dense_0.", f"Dense_{count}.", 1): array for path, array in others.items()}
        return _checked(name, inner | moved, lambda path: _home(path, count))
    return _checked(name, dict(net), lambda path: path)


def _home(path: str, last: int) -> str:
    """Where a layer of a trunk stands in the file."""
    return path.replace(f"Dense_{last}.", "Dense_0.", 1) if path.startswith(f"Dense_{last}.") else f"MLP_0.{path}"


def _checked(name: str, net: dict[str, np.ndarray], home: Rename) -> Layers:
    def full(path: str) -> str:
        return f"{name}.{home(path)}"

    odd = sorted(path for path in net if _LAYER.fullmatch(path) is None)
    if odd:
        raise UserError(f"'{full(odd[0])}' is no layer that this reader knows (Dense_i, LayerNorm_i): {OTHER}")
    last = max((int(path.split("_")[1].partition(".")[0]) for path in net if path.startswith("Dense_")), default=-1)
    if last < 0:
        raise UserError(f"no array named '{full('Dense_0.kernel')}'; these weights are not complete")
    first = net.get("Dense_0.kernel")
    members = first.shape[0] if first is not None and first.ndim == 3 else 1
    arrays: dict[str, Tensor] = {}
    widths: list[int] = []
    for i in range(last + 1):
        kernel = _get(net, f"Dense_{i}.kernel", full)
        if kernel.ndim not in (2, 3) or (kernel.ndim == 3) != (first is not None and first.ndim == 3):
            raise UserError(
                f"'{full(f'Dense_{i}.kernel')}' must be (in, out) or (K, in, out), got {shown(kernel.shape)}"
            )
        n_in, n_out = kernel.shape[-2:]
        if not widths:
            widths.append(int(n_in))
        arrays[f"{i}.weight"] = _shaped(kernel, (members, widths[-1], n_out), full(f"Dense_{i}.kernel"))
        arrays[f"{i}.bias"] = _shaped(_get(net, f"Dense_{i}.bias", full), (members, 1, n_out), full(f"Dense_{i}.bias"))
        widths.append(int(n_out))
    normed = [any(path.startswith(f"LayerNorm_{i}.") for path in net) for i in range(last)]
    norms = {path.partition(".")[0] for path in net if path.startswith("LayerNorm_")}
    if norms != {f"LayerNorm_{i}" for i in range(len(norms))} or len(norms) > last:
        names = ", ".join(sorted(norms))
        raise UserError(
            f"'{name}' has {names} beside {last} hidden layers; LayerNorm_0 onwards, at most one a hidden layer, was expected: "
            "an array is missing or one too many, export the checkpoint anew"
        )
    for i, has in enumerate(normed):
        for key, ours in NORM_KEYS.items() if has else ():
            path = f"LayerNorm_{i}.{key}"
            arrays[f"{i}.{ours}"] = _shaped(_get(net, path, full), (members, 1, widths[i + 1]), full(path))
    return Layers(name, arrays, widths[0], widths[-1], members, widths[1:-1], normed)


def _get(net: Mapping[str, np.ndarray], path: str, full: Rename) -> np.ndarray:
    if path not in net:
        raise UserError(f"no array named '{full(path)}'; these weights are not complete: export the checkpoint anew")
    return np.asarray(net[path])


def _shaped(array: np.ndarray, shape: tuple[int, int, int], name: str) -> Tensor:
    """``array`` as float32 of ``shape``: (K, rows, columns), where axes of 1 may be left out."""
    squeezed = tuple(size for size in array.shape if size != 1)
    if squeezed != tuple(size for size in shape if size != 1):
        raise UserError(
            f"'{name}' has shape {shown(array.shape)}, its neighbours ask for {shown(shape)} (members, in, out): "
            "it is of another network or damaged, export the checkpoint anew"
        )
    if array.dtype.kind != "f":
        raise UserError(f"'{name}' has type {array.dtype}; floats were expected: these are not the weights")
    if not array.size:
        raise UserError(f"'{name}' has shape {shown(array.shape)}: no numbers; export the checkpoint anew")
    with np.errstate(over="ignore"):
        tensor = torch.from_numpy(np.array(array, dtype=np.float32, order="C"))
    if not bool(torch.isfinite(tensor).all()):
        raise UserError(
            f"'{name}' holds numbers that are not finite in float32: its training diverged; take an earlier one"
        )
    return tensor.reshape(shape)
