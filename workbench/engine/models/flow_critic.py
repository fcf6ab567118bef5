"""A critic that computes its value by a flow: from a starting number, step by step, to Q(s, a)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.engine.models.mlp import MlpShape
from workbench.engine.models.picture_mlp import make_net

BINS = 50  # into which the range of values is cut
BLUR = 16.0  # standard deviation of the Gaussian that a value is spread by, in bins
WAVES = 8  # sines and cosines of the time, each


@dataclass(frozen=True)
class ValueFlow:
    """How a `FlowCritic` integrates.

    Parameters
    ----------
    low, high : float
        The range of values, low < high, in the critic's own units.
    width : float
        Share of the range, in its middle, over which starts are spread.
    steps : int
        Euler steps T.
    starts : int
        R, starts whose ends are averaged.
    """

    low: float
    high: float
    width: float
    steps: int
    starts: int

    @property
    def span(self) -> float:
        """How far the range reaches."""
        return self.high - self.low

    def start(self, share: Tensor) -> Tensor:
        """Starts at ``share`` in [0, 1] of the interval that they are spread over."""
        return 0.5 * (self.low + self.high) + self.width * self.span * (share - 0.5)


class FlowCritic(nn.Module):
    r"""K flows in the space of values (floq, arXiv 2509.06863): :math:`Q_k(s, a)` is where they end.

    .. math:: z \leftarrow z + \tfrac1T\, v_k(s, a, z, t), \quad t = 0, \tfrac1T, \dots, 1 - \tfrac1T, \qquad
              Q_k(s, a) = \tfrac1R \sum_r z_r

    from R starts, spread evenly. A value z enters the network as the probabilities that a broad Gaussian around it gives to the
    bins of the range (HL-Gauss), and as its place in the range, so that values outside still differ. Departures from the
    published code: the second of these; real sines and cosines of the time; starts around the middle of the range instead of
    0; no distilled critic beside it, all rules ask the flow itself.

    Parameters
    ----------
    observation_dim, action_dim : int
        S and D.
    shape : MlpShape
        K = ``shape.members`` networks with one output each, `inputs` wide.
    flow : ValueFlow
    generator : torch.Generator, optional
        Draws the initial weights.
    """

    edges: Tensor
    waves: Tensor

    def __init__(
        self,
        observation_dim: int,
        action_dim: int,
        shape: MlpShape,
        flow: ValueFlow,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.observation_dim, self.action_dim, self.flow = observation_dim, action_dim, flow
        self.net = make_net(shape, generator)
        self.register_buffer("edges", torch.linspace(flow.low, flow.high, BINS + 1))
        self.register_buffer("waves", math.pi * torch.arange(1.0, WAVES + 1.0))

    @staticmethod
    def inputs(observation_dim: int, action_dim: int) -> int:
        """Width of the networks' input."""
        return observation_dim + action_dim + BINS + 1 + 2 * WAVES

    @property
    def passes(self) -> int:
        """Evaluations of the network for one value."""
        return self.flow.steps * self.flow.starts

    def forward(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Return Q_k, (K, M), at ``observations`` (M, S) and ``actions`` (M, D)."""
        return self._integrate(observations, actions, frozen=False)

    def frozen(self, observations: Tensor, actions: Tensor) -> Tensor:
        """As `forward`, but gradients flow to the inputs alone, not to the critic's weights."""
        return self._integrate(observations, actions, frozen=True)

    def velocity(self, given: Tensor, z: Tensor, t: Tensor, frozen: bool = False) -> Tensor:
        """v_k, (K, M), at ``given`` (M, S + D), values ``z`` (K, M) and times ``t`` (M,) or (1,)."""
        blur = math.sqrt(2.0) * BLUR * self.flow.span / BINS
        below = torch.erf((self.edges - z[..., None]) / blur)
        bins = (below[..., 1:] - below[..., :-1]) / (below[..., -1:] - below[..., :1]).clamp_min(1e-6)
        place = (z[..., None] - self.flow.low) / self.flow.span
        angle = t[:, None] * self.waves
        wave = torch.cat((angle.cos(), angle.sin()), 1)
        rows, members = given.shape[0], self.net.shape.members
        plain = torch.cat((given, wave.expand(rows, -1)), 1).expand(members, rows, -1)
        x = torch.cat((plain, bins, place), 2)
        net = self.net.frozen if frozen else self.net
        v: Tensor = net(x if members > 1 else x[0])
        return self.flow.span * v.reshape(members, rows)

    def _integrate(self, observations: Tensor, actions: Tensor, frozen: bool) -> Tensor:
        flow, members = self.flow, self.net.shape.members
        given = torch.cat((observations, actions), 1).repeat_interleave(flow.starts, 0)
        share = (torch.arange(flow.starts, device=given.device, dtype=given.dtype) + 0.5) / flow.starts
        z = flow.start(share).repeat(actions.shape[0]).expand(members, -1)
        for i in range(flow.steps):
            t = torch.full((1,), i / flow.steps, device=given.device, dtype=given.dtype)
            z = z + self.velocity(given, z, t, frozen) / flow.steps
        ends: Tensor = z.unflatten(1, (-1, flow.starts)).mean(2)
        return ends
