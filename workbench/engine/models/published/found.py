"""What was found in a checkpoint of a published code, and how its nets are held against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.engine.models.described import CORE, PARTS, NetDescription
from workbench.engine.models.described_diffusion import DiffusionDescription
from workbench.engine.models.mlp import Activation
from workbench.engine.models.parts import Normalizer, Parts
from workbench.engine.models.published.families import CRITICS, Arrays, Nets, below
from workbench.engine.models.published.layers import Layers, read_layers
from workbench.engine.models.published.settings import Settings, agent_settings
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
    descriptions: dict[str, NetDescription | DiffusionDescription]
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


def critics_of(nets: Nets, names: Mapping[str, str]) -> dict[str, Layers]:
    """The critics, their targets and the state value, those that are there."""
    return {name: _critic(names[name], nets[name]) for name in CRITICS if name in nets}


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


def normalisation(arrays: Arrays, size: int) -> tuple[Tensor | None, Tensor | None]:
    """Mean and standard deviation (S,) of observations, where the file has them."""
    names = ("normalizer.mean", "normalizer.std")
    there = [np.asarray(arrays[name]) for name in names if name in arrays]
    if not there:
        return None, None
    good = all(a.shape == (size,) and a.dtype.kind == "f" and np.isfinite(a).all() for a in there)
    if len(there) == 1 or not good or not (there[1] > 0).all():
        raise UserError(f"'{names[0]}' and '{names[1]}' must both be {size} finite numbers, std above 0; correct them")
    mean, std = (torch.from_numpy(np.array(array, dtype=np.float32)) for array in there)
    return mean, std


def step_of(arrays: Arrays) -> int:
    """Updates, as far as the file says; else 0."""
    for name in ("agent.network.step", "agent.critic.step", "agent.policy.step", "agent.actor_bc.step", "step"):
        step = np.asarray(arrays.get(name, ""))
        if step.dtype.kind in "iu" and step.size == 1:
            return max(int(step.reshape(-1)[0]), 0)
    return 0


def notes_of(arrays: Arrays, config: Mapping[str, Any]) -> tuple[str, ...]:
    """What a reader of the numbers should know."""
    notes = []
    if any(array.dtype == np.float64 and name.endswith(".kernel") for name, array in arrays.items()):
        notes.append("weights of float64 are rounded to float32")
    agent = agent_settings(config).get("agent_name")
    if isinstance(agent, str):
        notes.append(f"the settings are of agent {shown(agent)}")
    return tuple(notes)
