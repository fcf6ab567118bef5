"""Import of weights trained with the published JAX code of VGF, QGF and FQL: the networks are found from their arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from workbench.engine.models.described import CORE, PARTS, NetDescription
from workbench.engine.models.mlp import Activation
from workbench.engine.models.parts import Normalizer, Parts
from workbench.engine.models.published.families import (
    AGENTS,
    CRITICS,
    FAMILIES,
    Arrays,
    Family,
    FamilyTraits,
    Nets,
    below,
    by_net,
    no_flow,
    recognise,
    what_else,
)
from workbench.engine.models.published.files import Weights, read_weights
from workbench.engine.models.published.layers import Layers, read_layers
from workbench.engine.models.published.settings import Settings, agent_settings, check_against, read_settings
from workbench.engine.models.published.steered import noise_policy, steered_flow
from workbench.engine.models.velocity import FREQUENCIES, TimeInput
from workbench.engine.words import UserError, shown

EMBEDDED = 2 * FREQUENCIES


@dataclass(frozen=True)
class Published:
    """A checkpoint of one of the codes, read and checked.

    Attributes
    ----------
    source : str
    family : {"vgf", "qgf", "fql", "mapped"}
    descriptions : dict of str to NetDescription
        By the part that the network is.
    arrays : dict of str to dict of str to Tensor
        Its weights, by part and by our names.
    settings : Settings
    mean, std : Tensor or None
        (S,), the normalisation of observations, where the file has one.
    step : int
        Updates, as far as the file says; else 0.
    left_out : tuple of str
        Nets of the file that are no part of a policy here.
    """

    source: str
    family: str
    descriptions: dict[str, NetDescription]
    arrays: dict[str, dict[str, Tensor]]
    settings: Settings
    mean: Tensor | None = None
    std: Tensor | None = None
    step: int = 0
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def observation_dim(self) -> int:
        """S."""
        return self.descriptions["reference"].observation_dim

    @property
    def action_dim(self) -> int:
        """D, of all steps of a chunk."""
        return self.descriptions["reference"].action_dim

    def parts(self) -> Parts:
        """The networks as `Parts`."""
        built: dict[str, Any] = {name: d.build(self.arrays[name]) for name, d in self.descriptions.items()}
        normalizer = None if self.mean is None or self.std is None else Normalizer(self.mean, self.std)
        said = self.settings
        return Parts(
            self.observation_dim,
            self.action_dim,
            **{name: module for name, module in built.items() if name in CORE},
            normalizer=normalizer,
            reward_scale=said.reward_scale,
            discount=said.discount,
            chunk=said.chunk,
            extra={name: module for name, module in built.items() if name not in CORE},
        )


def load_published(
    source: str | Path | Arrays,
    family: Family | None = None,
    prefix: str = "params.",
    activation: Activation | None = None,
    *,
    discount: float | None = None,
    chunk: int | None = None,
    reward_scale: float | None = None,
    config: Mapping[str, object] | None = None,
) -> Parts:
    """Build `Parts` from published weights.

    Widths, layers, LayerNorm, ensembles and the time's input are found from the arrays.

    Parameters
    ----------
    source : path or mapping
        A checkpoint ``params_N.pkl`` of the three codes (read without Python's reader of pickles: docs/security.md), an
        ``.npz`` or ``.safetensors`` file that ``workbench convert --script`` makes of one, or its arrays by name.
    family : {"vgf", "qgf", "fql"}, optional
        ``vgf``: ReLU, raw time, no LayerNorm in the flow; ``qgf``: tanh GELU, LayerNorm before it; ``fql``: tanh GELU, LayerNorm
        after it. Without it the nets' names tell. Missing critics, targets or values are left out of the Parts.
    prefix : str
        What stands before the net's name, for archives that hold other arrays too. The names of a checkpoint's whole tree,
        ``agent.<net>.params.…`` and ``agent.network.params.modules_<net>.…``, are understood too.
    activation : {"relu", "gelu", "mish"}, optional
        The arrays do not tell it. Without it the family's own; weights trained with another setting need it.
    discount, chunk, reward_scale : number, optional
        What the critic was trained with; without them what ``config`` or the file says, else 0.99, 1 and 1.
    config : mapping, optional
        The settings of the training, as in the codes' flags.json.

    Returns
    -------
    Parts
        The behaviour flow, and what else the file has: critics, their targets, a state value, learned parts.

    Raises
    ------
    UserError
        Unknown family or activation, a damaged file, a named array that is missing or has the wrong shape, or networks that
        the family does not have.
    FileNotFoundError
        No such file.
    """
    given = {"discount": discount, "chunk": chunk, "reward_scale": reward_scale}
    return read_published(source, family, prefix, activation, config=config, **given).parts()


def read_published(
    source: str | Path | Arrays | Weights,
    family: Family | None = None,
    prefix: str = "params.",
    activation: Activation | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    **given: float | None,
) -> Published:
    """As `load_published`, before the networks are made; ``given`` are settings of `read_settings`."""
    if family not in (None, *get_args(Family)):
        raise UserError(f"family must be one of {', '.join(get_args(Family))}, got '{family}'")
    if activation not in (None, *get_args(Activation)):
        raise UserError(f"activation must be one of {', '.join(get_args(Activation))}, got '{activation}'")
    if isinstance(source, Mapping):
        weights = Weights("these arrays", dict(source))
    else:
        weights = source if isinstance(source, Weights) else read_weights(source)
    try:
        return _published(weights, family, prefix, activation, weights.config if config is None else config, given)
    except UserError as error:
        if isinstance(source, Mapping):
            raise
        raise UserError(f"{weights.source}: {error}. docs/bring_your_own.md, Checkpoints, has the names") from None


def _published(
    weights: Weights,
    family: Family | None,
    prefix: str,
    activation: Activation | None,
    config: Mapping[str, Any],
    given: Mapping[str, float | None],
) -> Published:
    nets, names = by_net(weights.arrays, prefix)
    chosen = family or recognise(nets)
    if chosen is None:
        flows = [flow for traits in FAMILIES.values() for flow in traits.flows]
        raise UserError(
            f"no behaviour flow of a known code: {what_else(nets, dict.fromkeys(flows))}. "
            f"If it is one, say which: family {', '.join(FAMILIES)} (docs/bring_your_own.md)"
        )
    agent = agent_settings(config).get("agent_name")
    if isinstance(agent, str) and chosen not in AGENTS.get(agent, (chosen,)):
        raise UserError(
            f"its settings say agent '{agent}', which is no agent of family '{chosen}': the names of the nets were changed, or "
            "these settings are of another checkpoint; export the checkpoint anew, under its own names"
        )
    traits = FAMILIES[chosen]
    if activation is not None:
        traits = traits._replace(activation=activation)
    flow, layers = _flow(nets, names, traits, chosen, prefix, weights.arrays)
    used = {flow}
    critics: dict[str, Layers] = {}
    for name in CRITICS:
        if name in nets:
            critics[name] = _critic(names[name], nets[name])
            used.add(name)
    sizes, time = sizes_of(layers, traits.flows[flow], critics, chosen)
    networks = {"reference": layers} | critics
    for part, net in traits.parts.items():
        if net in nets:
            inner = nets[net] if traits.trunk else below(nets[net], "mlp")
            where = names[net] if traits.trunk else f"{names[net]}.mlp"
            networks[part] = read_layers(where, inner, trunk=traits.trunk)
            used.add(net)
    also = steered_flow(flow, nets, time) if traits.trunk else None
    if also is not None:
        networks[also] = layers
    if traits.trunk and flow != "actor" and below(nets.get("actor", {}), "actor_net"):
        networks["noise_policy"] = noise_policy(names["actor"], nets["actor"])
        used.add("actor")
    descriptions = agreed(networks, sizes, traits.activation, traits.after, time)
    for part, read in networks.items():
        _check_norms(read, part, traits, chosen)
    hidden = {"actor_hidden_dims": layers.hidden}
    if "critic" in critics:
        hidden["value_hidden_dims"] = critics["critic"].hidden
    check_against(config, "the settings", hidden)
    mean, std = _normalisation(weights.arrays, sizes[0])
    return Published(
        source=weights.source,
        family=chosen,
        descriptions=descriptions,
        arrays={part: read.arrays for part, read in networks.items()},
        settings=read_settings(config, "the settings", **given),
        mean=mean,
        std=std,
        step=_step(weights.arrays),
        left_out=tuple(sorted(set(nets) - used)) if not prefix or prefix == "params." else (),
        notes=_notes(weights.arrays, config),
    )


def _flow(
    nets: Nets, names: Mapping[str, str], traits: FamilyTraits, family: Family, prefix: str, arrays: Arrays
) -> tuple[str, Layers]:
    """The net that is the behaviour flow, and its layers."""
    flow = next((name for name in traits.flows if name in nets), None)
    first = next(iter(traits.flows))
    inner = "MLP_0" if traits.trunk else "mlp"
    if flow is None or not below(nets[flow], inner):
        wanted = f"{names.get(flow or '', f'{prefix}{first}')}.{inner}.Dense_0.kernel"
        raise UserError(f"no array named '{wanted}'; {_hint(nets, family, arrays)}")
    if why := no_flow(names[flow], nets[flow]):
        raise UserError(why)
    if traits.trunk:
        return flow, read_layers(names[flow], nets[flow], trunk=True)
    odd = sorted(path for path in nets[flow] if not path.startswith("mlp."))
    if odd:
        raise UserError(f"'{names[flow]}.{odd[0]}' is no part of family '{family}': {what_else(nets, traits.flows)}")
    return flow, read_layers(f"{names[flow]}.mlp", below(nets[flow], "mlp"))


def _critic(name: str, net: Mapping[str, np.ndarray]) -> Layers:
    odd = sorted(path for path in net if not path.startswith("value_net."))
    if odd:
        raise UserError(
            f"'{name}.{odd[0]}' is no part of a critic of state and action (an encoder of images?); "
            "give Parts your own module (docs/bring_your_own.md)"
        )
    return read_layers(f"{name}.value_net", below(net, "value_net"))


def sizes_of(
    flow: Layers, time: TimeInput | None, others: Mapping[str, Layers], family: str
) -> tuple[tuple[int, int], TimeInput]:
    """S and D, and how the flow is told the time: by the critics' widths where there are critics."""
    d = flow.outputs
    named = [others[name].inputs - (0 if name == "value" else d) for name in CRITICS if name in others]
    if named:
        s = named[0]
        width = flow.inputs - s - d
    else:
        width = 1 if time == "raw" else EMBEDDED
        s = flow.inputs - d - width
    if s < 1 or width not in (1, EMBEDDED):
        raise UserError(
            f"the flow's first layer takes {flow.inputs} numbers, of which {d} are the action's and {max(s, 0)} the "
            f"observation's; for the time 1 (raw) or {EMBEDDED} (sinusoidal) were expected, {width} are left: too few or too "
            f"many, these are weights of another family than '{family}'"
        )
    return (s, d), "raw" if width == 1 else "sinusoidal"


def agreed(
    found: Mapping[str, Layers], sizes: tuple[int, int], activation: Activation, after: bool, time: TimeInput
) -> dict[str, NetDescription]:
    """The networks' descriptions by part; UserError where one is of other observations or actions."""
    descriptions = {}
    for part, read in found.items():
        description = read.describe(PARTS[part], sizes, activation, after, time)
        if (read.inputs, read.outputs) != (description.inputs, description.outputs):
            raise UserError(
                f"'{read.name}' takes {read.inputs} numbers and gives {read.outputs}; with S = {sizes[0]} and D = {sizes[1]} of "
                f"the other nets {description.inputs} and {description.outputs} were expected: nets of different checkpoints, "
                "or a layer is missing"
            )
        descriptions[part] = description
    return descriptions


def _check_norms(read: Layers, part: str, traits: FamilyTraits, family: Family) -> None:
    """Raise `UserError` for LayerNorms where the family has none, or lacks some."""
    if not any(read.normed):
        return
    bare = len(read.normed) - sum(read.normed)
    allowed = traits.flow_norms if PARTS[part] in ("velocity", "one_step", "noise_policy") else (0,)
    if bare not in allowed:
        layer = 0 if not allowed else next((i for i, has in enumerate(read.normed) if not has), len(read.normed) - 1)
        has, rule = ("has", "does not have") if not allowed or bare == 0 else ("lacks", "has")
        raise UserError(
            f"'{read.name}' (family {family}): layer {layer} {has} LayerNorm, which this family {rule} there; these weights were "
            "trained with another network, or the file is not complete: say the right family, export the checkpoint anew, or "
            "give Parts your own module (docs/bring_your_own.md)"
        )


def _normalisation(arrays: Arrays, size: int) -> tuple[Tensor | None, Tensor | None]:
    names = ("normalizer.mean", "normalizer.std")
    there = [np.asarray(arrays[name]) for name in names if name in arrays]
    if not there:
        return None, None
    good = all(a.shape == (size,) and a.dtype.kind == "f" and np.isfinite(a).all() for a in there)
    if len(there) == 1 or not good or not (there[1] > 0).all():
        raise UserError(f"'{names[0]}' and '{names[1]}' must both be {size} finite numbers, std above 0; correct them")
    mean, std = (torch.from_numpy(np.array(array, dtype=np.float32)) for array in there)
    return mean, std


def _step(arrays: Arrays) -> int:
    for name in ("agent.network.step", "agent.critic.step", "agent.policy.step", "agent.actor_bc.step", "step"):
        step = np.asarray(arrays.get(name, ""))
        if step.dtype.kind in "iu" and step.size == 1:
            return max(int(step.reshape(-1)[0]), 0)
    return 0


def _notes(arrays: Arrays, config: Mapping[str, Any]) -> tuple[str, ...]:
    notes = []
    if any(array.dtype == np.float64 and name.endswith(".kernel") for name, array in arrays.items()):
        notes.append("weights of float64 are rounded to float32")
    agent = agent_settings(config).get("agent_name")
    if isinstance(agent, str):
        notes.append(f"the settings are of agent {shown(agent)}")
    return tuple(notes)


def _hint(nets: Nets, family: Family, arrays: Arrays) -> str:
    """What the arrays seem to be."""
    seems = recognise(nets)
    if seems not in (None, family):
        return f"these look like weights of family '{seems}'"
    for other, traits in FAMILIES.items():
        for flow in traits.flows:
            end = f"{flow}.{'MLP_0' if traits.trunk else 'mlp'}.Dense_0.kernel"
            alike = next((name for name in arrays if name.endswith(end)), None)
            if alike is not None:
                return f"'{alike}' looks like family '{other}' with prefix='{alike.removesuffix(end)}'"
    if nets:
        return what_else(nets, FAMILIES[family].flows)
    return f"are these weights of another family ({', '.join(FAMILIES)}), or under another prefix?"
