"""A behaviour flow that is a diffusion: its three networks and its schedule in words that a file can hold, and as a velocity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from workbench.engine.models.adapters import velocity_of_diffusion
from workbench.engine.models.described import NetDescription
from workbench.engine.models.diffusion import Schedule, kept

NETS = ("actor", "clock", "frequencies")


class DiffusionDescription(BaseModel):
    """Everything about a diffusion but its weights.

    Attributes
    ----------
    kind : str
    actor, clock, frequencies : NetDescription
    schedule : {"vp", "linear", "cosine"}
    steps : int
        T.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    kind: Literal["diffusion"] = "diffusion"
    actor: NetDescription
    clock: NetDescription
    frequencies: NetDescription
    schedule: Schedule
    steps: Annotated[int, Field(ge=2, le=1000)]

    @model_validator(mode="after")
    def _together(self) -> Self:
        kinds = tuple(getattr(self, name).kind for name in NETS)
        if kinds != ("noise_estimate", "clock", "frequencies") or self.actor.word != self.clock.word:
            raise ValueError(f"{kinds} of words {self.actor.word} and {self.clock.word} are no diffusion")
        return self

    @property
    def observation_dim(self) -> int:
        """S."""
        return self.actor.observation_dim

    @property
    def action_dim(self) -> int:
        """D."""
        return self.actor.action_dim

    @property
    def hidden(self) -> list[int]:
        """Widths of the noise estimate."""
        return self.actor.hidden

    @property
    def activation(self) -> str:
        """Of the noise estimate."""
        return self.actor.activation

    @property
    def members(self) -> int:
        """One."""
        return self.actor.members

    @property
    def layer_norm(self) -> str:
        """Of the noise estimate, in words."""
        return self.actor.layer_norm

    @property
    def time(self) -> str:
        """How it is told the time."""
        return "Fourier"

    def nets(self) -> dict[str, NetDescription]:
        """The three networks by name."""
        return {"actor": self.actor, "clock": self.clock, "frequencies": self.frequencies}

    def layout(self) -> dict[str, tuple[int, int, int]]:
        """Name and shape of every array."""
        return {f"{net}.{name}": shape for net, of in self.nets().items() for name, shape in of.layout().items()}

    def build(self, arrays: Mapping[str, Tensor]) -> nn.Module:
        """The velocity field with these weights, named and shaped as `layout` says."""
        built = {
            net: of.build({name: arrays[f"{net}.{name}"] for name in of.layout()}) for net, of in self.nets().items()
        }
        return DiffusionField(nn.ModuleDict(built), self.schedule, self.steps)


class DiffusionField(nn.Module):
    """The velocity along straight lines that a noise estimate means, asked at the whole steps that it was trained at.

    Parameters
    ----------
    nets : ModuleDict
        ``actor``, ``clock`` and ``frequencies``.
    schedule : {"vp", "linear", "cosine"}
    steps : int
        T.
    """

    def __init__(self, nets: nn.ModuleDict, schedule: Schedule, steps: int) -> None:
        super().__init__()
        self.nets, self.steps = nets, steps
        signal = torch.tensor(kept(schedule, steps)[1][1:], dtype=torch.float64)
        self.register_buffer("signal", signal, persistent=False)

    def estimate(self, observations: Tensor, mixture: Tensor, step: Tensor) -> Tensor:
        """The noise in ``mixture`` (M, D) at ``step`` (M,), counted from 0."""
        share = ((step + 1.0) / self.steps).to(mixture.dtype)[:, None]
        found: Tensor = self.nets["actor"](observations, mixture, self.nets["clock"](self.nets["frequencies"](share)))
        return found

    def forward(self, observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
        """Velocity (M, D) at ``observations`` (M, S), ``actions`` (M, D) and times ``t`` (M,)."""
        signal = self.get_buffer("signal").double()
        return velocity_of_diffusion(self.estimate, signal, "epsilon", whole_steps=True)(observations, actions, t)
