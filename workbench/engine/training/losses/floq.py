"""floq: the critic as a flow in the space of values, trained by flow matching towards the TD target."""

from __future__ import annotations

import math
from typing import Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch, Transitions
from workbench.engine.models.flow_critic import FlowCritic, ValueFlow
from workbench.engine.models.mlp import MlpShape
from workbench.engine.training.losses.loss import Losses, Scene, weighted_mean
from workbench.engine.training.losses.td_actor import TDActor, TDActorSettings
from workbench.engine.training.networks import shape_of
from workbench.engine.words import UserError

LOOKED_AT = 200_000  # rows of the data whose returns are compared with the range
OUTERMOST = 0.001  # share of the returns on either side that does not count for the range
MARGIN = 0.25  # of the range, on either side
NOTHING = 1e-6  # share of the values' size below which they are all the same


class FloqSettings(TDActorSettings):
    """The flow of a value."""

    floq_low: float | None = Field(
        None, description="floq: lowest value, in rewards times reward_scale; without it from the returns in the data"
    )
    floq_high: float | None = Field(None, description="floq: highest value; without it from the returns in the data")
    floq_width: float = Field(
        0.1, gt=0.0, le=1.0, description="floq: share of the range that the flow's starts are drawn from"
    )
    floq_steps: int = Field(8, ge=1, le=100, description="floq: Euler steps from a start to a value")
    floq_starts: int = Field(4, ge=1, le=64, description="floq: starts for each value, in training and after it")

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        if self.floq_low is not None and self.floq_high is not None and not self.floq_low < self.floq_high:
            raise UserError(f"floq_low = {self.floq_low:g} must be below floq_high = {self.floq_high:g}")
        return self


def value_flow(config: FloqSettings) -> ValueFlow:
    """What the settings, completed from the data, say of the flow."""
    if config.floq_low is None or config.floq_high is None:
        raise ValueError("the range of values is not known yet: Floq.suited completes the settings from the data")
    return ValueFlow(config.floq_low, config.floq_high, config.floq_width, config.floq_steps, config.floq_starts)


def returns_to_go(data: Transitions, discount: float, rows: int) -> np.ndarray:
    """Discounted return (rows,) from each of the first ``rows`` rows to the end of its episode, or of these rows."""
    found, after = np.empty(rows), 0.0
    pairs = zip(data.rewards[:rows].tolist(), data.ends[:rows].tolist(), strict=True)
    for row, (reward, end) in zip(range(rows - 1, -1, -1), reversed(list(pairs)), strict=True):
        found[row] = after = reward + (0.0 if end else discount * after)
    return found


def range_of(returns: np.ndarray, given: tuple[float | None, float | None]) -> tuple[float, float]:
    """The range of values for data with these ``returns``: all but the outermost, and a margin; a bound that is ``given`` stays.

    Returns end with their episode, and a better policy than the data's has values beyond them: the margin is for both. Data
    that all pay alike get a range of their size, or of 1. Bounds are rounded outwards, so that seeds of a task mostly agree.
    """
    low, high = (float(q) for q in np.quantile(returns, (OUTERMOST, 1.0 - OUTERMOST)))
    size = high - low if high - low > NOTHING * max(abs(low), abs(high), 1.0) else max(abs(low), 1.0)
    digits = 1 - math.floor(math.log10(size))
    unit = 10.0**-digits
    bounds = (
        round(math.floor((low - MARGIN * size) / unit) * unit, digits),
        round(math.ceil((high + MARGIN * size) / unit) * unit, digits),
    )
    low, high = (of_data if own is None else own for own, of_data in zip(given, bounds, strict=True))
    if not low < high:
        raise UserError(
            f"the returns in these data go from {returns.min():.4g} to {returns.max():.4g}, which leaves critic=floq no range "
            f"from {low:.4g} to {high:.4g}; leave out floq_low and floq_high, or set both around the data"
        )
    return low, high


class Floq(TDActor[FloqSettings]):
    r"""Trains ``critic`` as a flow of values (floq, arXiv 2509.06863).

    .. math:: z_t = (1 - t)\, z_0 + t\, y, \qquad \big(v_k(s, a, z_t, t) - (y - z_0)\big)^2 / (\text{high} - \text{low})^2

    with z_0 uniform over the starts, t uniform on [0, 1], and y the target of ``td_actor``: the value that the target critic's
    flow gives to the action of the rule ``actor``. Cost of an update: the actor's, ``floq_steps`` times ``floq_starts``
    evaluations of the target, ``floq_starts`` of the critic. ``td_loss`` does not count. Departures: see
    `workbench.engine.models.flow_critic`; one next action for each row instead of one for each start.
    """

    sees_pictures = False

    @classmethod
    def shape(cls, config: FloqSettings, observation_dim: int, action_dim: int) -> MlpShape:
        """Networks that also see a value and a time."""
        return shape_of(config, FlowCritic.inputs(observation_dim, action_dim), 1, config.members)

    @classmethod
    def build(
        cls, config: FloqSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """The K flows."""
        shape = cls.shape(config, observation_dim, action_dim)
        return {"critic": FlowCritic(observation_dim, action_dim, shape, value_flow(config), generator)}

    @classmethod
    def suited(cls, config: FloqSettings, data: Transitions) -> FloqSettings:
        """Take the range of values from the data, or refuse one that was set and in which their returns do not lie."""
        found = config.reward_scale * returns_to_go(data, config.discount, min(len(data), LOOKED_AT))
        given = (config.floq_low, config.floq_high)
        bottom, top = range_of(found, given) if None in given else given
        assert bottom is not None
        assert top is not None
        low, high, slack = float(found.min()), float(found.max()), 0.5 * (top - bottom)
        beyond = (
            config.floq_low is not None and low < bottom - slack,
            config.floq_high is not None and high > top + slack,
        )
        if any(beyond):
            raise UserError(
                f"the returns in these data go from {low:.4g} to {high:.4g}, and critic=floq looks for values from "
                f"{bottom:g} to {top:g}: set floq_low={low:.3g} and floq_high={high:.3g}, or a little more, or leave both out"
            )
        return config.model_copy(update={"floq_low": bottom, "floq_high": top})

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """What `TDActor` draws, and shares of the starts and times (M·R,) each."""
        size, device = len(batch.actions) * self.config.floq_starts, batch.actions.device
        share, time = (torch.rand(size, generator=generator, device=device) for _ in range(2))
        return *super().draw(batch, generator), share, time

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``critic``: squared error of the velocity, in shares of the range."""
        *drawn, share, time = noise
        critic, starts = scene.networks.critic, self.config.floq_starts
        assert isinstance(critic, FlowCritic)
        y = self.target(scene, batch, tuple(drawn)).repeat_interleave(starts)
        start = critic.flow.start(share)
        given = torch.cat((batch.observations, batch.actions), 1).repeat_interleave(starts, 0)
        z = torch.lerp(start, y, time).expand(self.config.members, -1)
        error = (critic.velocity(given, z, time) - (y - start)) / critic.flow.span
        return {"critic": weighted_mean(error.square().unflatten(1, (-1, starts)).mean(2), batch.valid)}
