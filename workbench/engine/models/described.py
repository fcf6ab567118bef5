"""What a network is like, in words that a file can hold, and the network that such words and arrays make."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from workbench.engine.models.critic import CriticEnsemble, StateValue
from workbench.engine.models.diffusion import FEATURES, Clock, Frequencies, NoiseEstimate
from workbench.engine.models.mlp import Activation, Mlp, MlpShape, Normed
from workbench.engine.models.noise_policy import NoisePolicy
from workbench.engine.models.norm_after import DenseStack, StackedCritic, StackedField, StackedMap, StackedValue
from workbench.engine.models.policies import OneStepPolicy
from workbench.engine.models.value_gradient import ValueGradient
from workbench.engine.models.velocity import TimeInput, VelocityField
from workbench.engine.words import UserError

Kind = Literal[
    "velocity",
    "critic",
    "value",
    "one_step",
    "value_gradient",
    "noise_policy",
    "noise_estimate",
    "clock",
    "frequencies",
]
Width = Annotated[int, Field(ge=1, le=2**20)]
CORE = ("reference", "critic", "target_critic", "value")  # the others are a policy's `extra`
# The kind of each part that a policy may have, by the part's name in `Parts`.
PARTS: dict[str, Kind] = {
    "reference": "velocity",
    "critic": "critic",
    "target_critic": "critic",
    "value": "value",
    "one_step": "one_step",
    "value_gradient": "value_gradient",
    "adjoint_flow": "velocity",
    "fbrac_flow": "velocity",
    "fawac_flow": "velocity",
    "iql_flow": "velocity",
    "noise_policy": "noise_policy",
}
# Of a diffusion that predicts noise: three networks that only their own reader puts together.
OF_DIFFUSION: dict[str, Kind] = {"actor": "noise_estimate", "clock": "clock", "frequencies": "frequencies"}
DIFFUSION = {f"{rule}_{part}": kind for rule in ("dac", "qsm") for part, kind in OF_DIFFUSION.items()}


class NetDescription(BaseModel):
    """Everything about a network but its weights.

    Attributes
    ----------
    kind : str
        What it is called with and returns.
    observation_dim, action_dim : int
        S and D.
    hidden : list of int
        Widths of the hidden layers.
    normed : list of bool
        Which of them have LayerNorm.
    after : bool
        LayerNorm stands after the activation, as in the FQL code.
    activation : {"relu", "gelu", "mish"}
    members : int
        K of an ensemble.
    time : {"raw", "sinusoidal"}
        How a velocity field is told the time.
    word : int
        Width of what the clock of a diffusion says, which its noise estimate is told.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    kind: Kind
    observation_dim: Width
    action_dim: Width
    hidden: Annotated[list[Width], Field(max_length=64)]
    normed: Annotated[list[bool], Field(max_length=64)]
    after: bool
    activation: Activation
    members: Annotated[int, Field(ge=1, le=1024)] = 1
    time: TimeInput = "raw"
    word: Annotated[int, Field(ge=0, le=2**20)] = 0

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if len(self.normed) != len(self.hidden):
            raise ValueError(f"normed has {len(self.normed)} entries for {len(self.hidden)} hidden layers")
        return self

    @property
    def inputs(self) -> int:
        """Width of the first layer's input."""
        s, d = self.observation_dim, self.action_dim
        widths = {
            "value": s,
            "noise_policy": s,
            "velocity": VelocityField.inputs(s, d, self.time),
            "noise_estimate": s + d + self.word,
            "clock": 2 * FEATURES,
            "frequencies": 0,
        }
        return widths.get(self.kind, s + d)

    @property
    def outputs(self) -> int:
        """Width of the last layer's output."""
        widths = {
            "critic": 1,
            "value": 1,
            "noise_policy": 2 * self.action_dim,
            "clock": self.word,
            "frequencies": FEATURES,
        }
        return widths.get(self.kind, self.action_dim)

    @property
    def layer_norm(self) -> str:
        """Where LayerNorm stands, in words."""
        place = f"{'after' if self.after else 'before'} the activation"
        words = {"none": "nowhere", "all": place, "all_but_last": f"{place}, not on the last hidden layer"}
        normed = self._normed()
        return f"{place}, on some layers" if normed is None else words[normed]

    def layout(self) -> dict[str, tuple[int, int, int]]:
        """Name and shape (K, rows, columns) of every array."""
        k, arrays = self.members, {}
        for i, (n_in, n_out) in enumerate(itertools.pairwise((self.inputs, *self.hidden, self.outputs))):
            arrays[f"{i}.weight"], arrays[f"{i}.bias"] = (k, n_in, n_out), (k, 1, n_out)
            if i < len(self.hidden) and self.normed[i]:
                arrays[f"{i}.scale"] = arrays[f"{i}.shift"] = (k, 1, n_out)
        return arrays

    def build(self, arrays: Mapping[str, Tensor]) -> nn.Module:
        """The network with these weights.

        Parameters
        ----------
        arrays : mapping of str to Tensor
            Named and shaped as `layout` says.
        """
        normed = self._normed()
        if normed is None:
            return self._stack(DenseStack(arrays, self.activation, self.after))
        after = self.after and normed != "none"
        hidden = tuple(self.hidden)
        shape = MlpShape(self.inputs, self.outputs, hidden, self.activation, normed, self.members, after)
        module = self._fast(shape)
        net = module.net
        assert isinstance(net, Mlp)
        with torch.no_grad():
            for name, view in net.arrays().items():
                view.copy_(arrays[name])
        return module

    def _normed(self) -> Normed | None:
        """The word for which layers have LayerNorm; None when there is none."""
        count, last = sum(self.normed), len(self.hidden) - 1
        if count == 0:
            return "none"
        if count == len(self.hidden):
            return "all"
        return "all_but_last" if count == last and not self.normed[-1] else None

    def _fast(self, shape: MlpShape) -> nn.Module:
        s, d = self.observation_dim, self.action_dim
        match self.kind:
            case "velocity":
                return VelocityField(s, d, shape, self.time)
            case "critic":
                return CriticEnsemble(s, d, shape)
            case "value":
                return StateValue(s, shape)
            case "one_step":
                return OneStepPolicy(s, d, shape)
            case "value_gradient":
                return ValueGradient(shape)
            case "noise_policy":
                return NoisePolicy(s, d, shape)
            case "noise_estimate":
                return self._filled(NoiseEstimate(s, d, shape.hidden), shape)
            case "clock":
                return self._filled(Clock((*shape.hidden, shape.outputs)), shape)
            case "frequencies":
                return Frequencies()

    def _filled(self, module: NoiseEstimate | Clock, shape: MlpShape) -> nn.Module:
        """``module`` with a network of ``shape``: another activation or width than its own."""
        module.net = Mlp(shape)
        return module

    def _stack(self, net: DenseStack) -> nn.Module:
        match self.kind:
            case "velocity":
                return StackedField(net, self.time)
            case "critic":
                return StackedCritic(net)
            case "value":
                return StackedValue(net)
            case "one_step" | "value_gradient":
                return StackedMap(net)
            case _:
                raise UserError(
                    f"a {self.kind.replace('_', ' ')} with LayerNorm on some layers alone is not known here"
                )
