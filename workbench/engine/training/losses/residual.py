"""The loss of a TD residual: plain square, or weighted by its sign."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from torch import Tensor

from workbench.engine.models.critic import Aggregate, aggregate
from workbench.engine.training.losses.iql import WeightingSettings, critic_loss, expectile_loss, sql_loss
from workbench.engine.words import UserError

PUBLISHED = {"td": "square", "iql-q": "expectile", "sql-q": "sql"}  # the names of VGF's code


def _of_the_code(name: object) -> object:
    return PUBLISHED.get(name, name) if isinstance(name, str) else name


class ResidualSettings(WeightingSettings):
    """How a TD target is made of the target critics, and how the distance to it counts."""

    target_aggregate: Aggregate = Field("min", description="td_vgf, td_actor: how target critics are combined")
    target_pessimism: float = Field(
        0.0,
        ge=0.0,
        le=100.0,
        description="td_vgf, td_actor, with target_aggregate mean: ρ, standard deviations over the critics that are taken off",
    )
    td_loss: Annotated[Literal["square", "expectile", "sql"], BeforeValidator(_of_the_code)] = Field(
        "square", description="td_vgf, td_actor: how a TD residual counts by its sign (VGF's code: td, iql-q, sql-q)"
    )

    @model_validator(mode="after")
    def _off_a_mean(self) -> Self:
        if self.target_pessimism > 0.0 and self.target_aggregate != "mean":
            raise UserError(
                f"target_pessimism = {self.target_pessimism:g} is taken off the critics' mean, and target_aggregate is "
                f"{self.target_aggregate}; set target_aggregate=mean"
            )
        return self


def target_value(q: Tensor, config: ResidualSettings) -> Tensor:
    r"""Combine the target critics' values (K, ...) into (...): min, or :math:`\mathrm{mean}_k - \rho\, \mathrm{std}_k`."""
    return aggregate(q, config.target_aggregate, config.target_pessimism)


def residual_loss(q: Tensor, target: Tensor, config: ResidualSettings, valid: Tensor | None) -> Tensor:
    r"""Loss of ``q`` (K, M) against ``target`` (M,), mean over batch and critics, by ``td_loss``.

    With u = y - Q: ``square`` is u²; ``expectile`` is :math:`|\tau_e - 1(u<0)|\, u^2`, which leans towards the better of the
    targets that a state-action pair sees; ``sql`` is :math:`\alpha [1 + u / (2 \alpha)]_+^2 - u`, a square (u²/(4α) + α) that
    goes on as a straight line where Q is far too high.
    """
    if config.td_loss == "expectile":
        return expectile_loss(target - q, config.expectile, valid)
    if config.td_loss == "sql":
        return sql_loss(target - q, config.sql_alpha, valid)
    return critic_loss(q, target, valid)
