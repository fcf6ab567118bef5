"""Settings of training that goes on with environment steps: declared once, validated, stored with the run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from workbench.engine.settings import make


class OnlineConfig(BaseModel):
    """How a policy acts and learns after its offline training."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rule: str = Field(description="steering rule that acts, in collecting and in evaluation")
    settings: dict[str, Any] = Field(default_factory=dict, description="its settings")
    steps: int = Field(10_000, ge=1, description="environment steps in all, over all environments")
    episodes: int = Field(4, ge=1, le=1024, description="episodes played side by side between two stretches of updates")
    updates_per_step: float = Field(1.0, gt=0.0, le=100.0, description="updates for each environment step")
    sampling: Literal["share", "uniform"] = Field(
        "share", description="share: a fixed part of each minibatch is new; uniform: offline and new rows are alike"
    )
    online_share: float = Field(
        0.5, ge=0.0, le=1.0, description="sampling share: part of the minibatch from new rows (0.5: symmetric)"
    )
    capacity: int = Field(200_000, ge=1, description="new rows kept; past that the newest replace the oldest")
    warmup: int = Field(0, ge=0, description="environment steps before the first update")
    learning_rate: float | None = Field(
        None, gt=0.0, le=1.0, description="Adam's learning rate, constant; without it the one that the run began with"
    )
    eval_every: int = Field(5000, ge=1, description="environment steps between two evaluations")
    eval_episodes: int = Field(100, ge=1, description="episodes of an evaluation")
    seed: int = Field(0, ge=0, lt=2**31, description="fixes starts and noise, in acting and in evaluation")


def make_online_config(**settings: Any) -> OnlineConfig:
    """Build an `OnlineConfig`; UserError says which setting is wrong, its bounds, and the nearest name."""
    return make(OnlineConfig, settings, "online training", "online setting '{}'")
