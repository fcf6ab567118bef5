"""What the networks of the published codes are called, and what they are like where their arrays do not tell.

The three codes keep one network a name. In a checkpoint's tree it is ``agent.<net>.params.…`` (QGF, VGF) or
``agent.network.params.modules_<net>.…`` (FQL, and QGF's agents of one network).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import numpy as np

from workbench.engine.models.mlp import Activation
from workbench.engine.models.velocity import TimeInput
from workbench.engine.words import UserError, shown

Family = Literal["vgf", "qgf", "fql"]
Arrays = Mapping[str, np.ndarray]
Nets = dict[str, dict[str, np.ndarray]]  # a net's arrays by their path below it


class FamilyTraits(NamedTuple):
    """How one code makes its networks.

    Attributes
    ----------
    activation : {"relu", "gelu", "mish"}
    after : bool
        LayerNorm stands after the activation.
    trunk : bool
        A flow is a trunk ``MLP_0`` whose layers are all activated, and a ``Dense_0`` beside it; otherwise one ``mlp``.
    flow_norms : tuple of int
        How many of the flow's hidden layers may lack LayerNorm where it has any: (0,) all have it, (1,) all but the last; ()
        flows of this code never have any.
    flows : dict of str to {"raw", "sinusoidal", None}
        Nets that are a behaviour flow, the first that is there counts, and how it is told the time (None: either way).
    parts : dict of str to str
        Further nets by the part that they are.
    """

    activation: Activation
    after: bool
    trunk: bool
    flow_norms: tuple[int, ...]
    flows: dict[str, TimeInput | None]
    parts: dict[str, str]


FAMILIES: dict[str, FamilyTraits] = {
    "vgf": FamilyTraits("relu", False, False, (), {"actor_bc": "raw"}, {"value_gradient": "q_grad"}),
    "qgf": FamilyTraits(
        "gelu",
        False,
        True,
        (1,),
        {
            "policy": "sinusoidal",
            "target_actor_bc_flow": "raw",  # DSRL decodes by the average
            "actor_bc_flow": "raw",
            "actor_flow": "raw",
            "actor_slow": "raw",
            "actor": None,  # raw in FAWAC, sinusoidal in IQL with a flow
        },
        {"one_step": "actor_onestep_flow", "adjoint_flow": "actor_fast"},
    ),
    "fql": FamilyTraits(
        "gelu", True, False, (0,), {"actor_bc_flow": "raw", "actor_flow": "raw"}, {"one_step": "actor_onestep_flow"}
    ),
}
# Which families an agent, as the settings name it, can be of: QGF's code has agents of its own under two of FQL's names.
AGENTS: dict[str, tuple[Family, ...]] = {
    **dict.fromkeys(("vgf", "avgf"), ("vgf",)),
    **dict.fromkeys(("fql", "ifql"), ("fql", "qgf")),
    **dict.fromkeys(
        ("qgf", "grad_step", "edp", "bc", "robust_q", "dsrl", "fawac", "fbrac", "iql_diffusion", "qam", "dcgql"),
        ("qgf",),
    ),
}
CRITICS = ("critic", "target_critic", "value")  # called so by all three
# What nets that are no behaviour flow are, for the words of a refusal.
NO_FLOW = {
    "FourierFeatures_0": "a diffusion policy that predicts noise (dcgql); turn it into a velocity field and give it to Parts",
    "actor_net": "a Gaussian policy (iql, rebrac, sac), which has no flow to steer",
    "Embed_0": "a flow conditioned on a label (cfgrl), whose order of inputs is not known here",
    "encoder": "a policy that sees images through an encoder; give Parts your own modules",
}
_TREE = re.compile(r"(?:agent\.)?(?:network\.params\.modules_(?P<one>\w+?)|(?P<own>\w+)\.params)\.(?P<rest>.+)")


def by_net(arrays: Arrays, prefix: str) -> tuple[Nets, dict[str, str]]:
    """The weights by net and path, those of a whole checkpoint's tree and those below ``prefix``; and the nets' full names."""
    nets: Nets = {}
    names: dict[str, str] = {}
    for name, array in arrays.items():
        tree = None if prefix and name.startswith(prefix) else _TREE.fullmatch(name)
        if tree is not None:
            net, path = tree["one"] or tree["own"], tree["rest"]
        elif name.startswith(prefix):
            net, _, path = name.removeprefix(prefix).partition(".")
        else:
            continue
        if path in nets.setdefault(net, {}):
            raise UserError(f"two arrays are '{path}' of net '{net}' (one is {shown(name)}); keep one of them")
        nets[net][path] = array
        names[net] = name.removesuffix(f".{path}")
    return nets, names


def below(net: Mapping[str, np.ndarray], inner: str) -> dict[str, np.ndarray]:
    """The arrays of ``net`` below ``inner``, by the rest of their path."""
    return {path.removeprefix(f"{inner}."): array for path, array in net.items() if path.startswith(f"{inner}.")}


def recognise(nets: Nets) -> Family | None:
    """The family whose nets these are; None when none is, or more than one could be."""
    heads = {name: {path.partition(".")[0] for path in net} for name, net in nets.items()}
    fits: list[Family] = []
    for family, traits in FAMILIES.items():
        inside = {"MLP_0", "Dense_0"} if traits.trunk else {"mlp"}
        if any(inside <= heads.get(flow, set()) for flow in traits.flows):
            fits.append(family)  # type: ignore[arg-type]
    return fits[0] if len(fits) == 1 else None


def no_flow(name: str, net: Iterable[str]) -> str | None:
    """Why the net of that name, with arrays at these paths, is no behaviour flow, where one of them tells it."""
    for path in net:
        for inner in path.split("."):
            if inner in NO_FLOW:
                return f"net '{name}' has '{path}': {NO_FLOW[inner]}"
    return None


def what_else(nets: Nets, flows: Iterable[str]) -> str:
    """Why there is no behaviour flow among ``nets``: what they seem to be instead."""
    for name, net in nets.items():
        if name.startswith(("actor", "policy", "critic")) and (why := no_flow(name, net)):
            return why
    there = ", ".join(shown(name).strip("'") for name in list(nets)[:12]) or "none"
    return f"it has the nets {there}; a flow is called {' or '.join(flows)}"
