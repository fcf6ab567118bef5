"""Import of weights trained with the published JAX code of VGF, QGF and FQL: the networks are found from their arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from workbench.engine.models.described import PARTS
from workbench.engine.models.mlp import Activation
from workbench.engine.models.parts import Parts
from workbench.engine.models.published.diffused import is_diffusion, read_diffusion
from workbench.engine.models.published.families import (
    AGENTS,
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
from workbench.engine.models.published.found import (
    Published,
    agreed,
    critics_of,
    normalisation,
    notes_of,
    sizes_of,
    step_of,
)
from workbench.engine.models.published.layers import Layers, read_layers
from workbench.engine.models.published.settings import agent_settings, check_against, read_settings
from workbench.engine.models.published.steered import noise_policy, steered_flow
from workbench.engine.words import UserError


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
    if is_diffusion(nets) and family in (None, "qgf"):
        return read_diffusion(weights, (nets, names), prefix, activation, config, given)
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
    critics = critics_of(nets, names)
    used |= set(critics)
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
    mean, std = normalisation(weights.arrays, sizes[0])
    return Published(
        source=weights.source,
        family=chosen,
        descriptions=dict(descriptions),
        arrays={part: read.arrays for part, read in networks.items()},
        settings=read_settings(config, "the settings", **given),
        mean=mean,
        std=std,
        step=step_of(weights.arrays),
        left_out=tuple(sorted(set(nets) - used)) if not prefix or prefix == "params." else (),
        notes=notes_of(weights.arrays, config),
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
