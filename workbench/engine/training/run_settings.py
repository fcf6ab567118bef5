"""Settings that every training run has, whatever its losses are.

A loss with settings of its own declares them beside itself, in a class that inherits from `RunSettings`;
`workbench.engine.training.config` puts all of them together into `FitConfig`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workbench.engine.models.impala import EncoderName
from workbench.engine.words import UserError


class RunSettings(BaseModel):
    """How to train a behaviour flow and a critic (methods.md, sections 1 to 3), whatever the losses are."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    critic: str = Field(
        "iql",
        description="how the critic is trained: IQL, TD through the value gradient flow, or TD with an actor's own actions",
    )
    behaviour: str = Field(
        "flow_matching",
        description="the behaviour policy: a flow trained by flow matching, a mean flow for one or few steps, or a Gaussian",
    )
    parts: tuple[str, ...] = Field((), description="learned parts beyond flow and critic that a rule needs")
    family: Literal["qgf", "vgf", "fql"] = Field(
        "qgf",
        description="networks: qgf (GELU, sinusoidal time, LayerNorm), vgf (ReLU, raw time, LayerNorm in critics) or fql (GELU, "
        "raw time, LayerNorm after the activation in critics)",
    )
    norm: Literal["family", "before", "after", "none"] = Field(
        "family", description="where LayerNorm stands: as the family has it, before or after the activation, or nowhere"
    )
    hidden: tuple[Annotated[int, Field(ge=1, le=16_384)], ...] = Field(
        (512, 512, 512, 512), min_length=1, description="widths of the hidden layers"
    )
    members: int = Field(2, ge=1, le=16, description="critics K in the ensemble")
    steps: int = Field(100_000, ge=1, description="updates")
    batch_size: int = Field(256, ge=1, description="rows per update")
    learning_rate: float = Field(3e-4, gt=0.0, le=1.0, description="Adam's learning rate")
    schedule: Literal["constant", "cosine"] = Field("constant", description="learning rate over the run")
    max_gradient_norm: float = Field(
        0.0, ge=0.0, le=1e6, description="the gradient of all networks together is clipped to this norm; 0: it is not"
    )
    discount: float = Field(0.99, ge=0.0, le=1.0, description="γ per environment step")
    n_step: int = Field(
        1, ge=1, le=100, description="environment steps of the n-step return; with chunks at least the chunk's own"
    )
    chunk: int = Field(
        1, ge=1, le=100, description="environment steps h of one action: h actions are decided at once, as h·D numbers"
    )
    tau: float = Field(0.005, gt=0.0, le=1.0, description="EMA rate of the target critic")
    reward_scale: float = Field(1.0, gt=0.0, description="rewards are multiplied by this")
    normalize_observations: bool = Field(
        True, description="subtract the data's mean and divide by its standard deviation; pictures stay as they are"
    )
    encoder: Literal["none", EncoderName] = Field(
        "none", description="observations are pictures that each network sees through an IMPALA encoder of its own"
    )
    picture: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(
        (), max_length=3, description="with an encoder: height, width and channels of a picture"
    )
    crop: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="with an encoder: share of the minibatches that are cropped at random (FQL's code: 0.5)",
    )
    flow_steps: int = Field(10, ge=1, le=100, description="Euler steps T of every flow that training samples")
    compile: bool = Field(
        False,
        description="compile the update where that is measured to be faster (needs a C++ compiler, takes a minute)",
    )
    precision: Literal["highest", "tf32", "bf16"] = Field(
        "highest",
        description="matrix products of the updates: highest (fp32), or faster and less exact: tf32 (NVIDIA GPUs), bf16",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="fixes weights, minibatches and noise")

    @model_validator(mode="after")
    def _seen(self) -> Self:
        if self.encoder != "none" and len(self.picture) != 3:
            raise UserError(f"encoder={self.encoder} needs picture=(height, width, channels), got {self.picture}")
        if self.encoder == "none" and (self.picture or self.crop):
            raise UserError(
                "picture and crop are for networks with an encoder; set encoder=impala_small, or leave them out"
            )
        return self
