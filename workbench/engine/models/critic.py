"""Critics: the ensemble Q_k(s, a), the state value V(s), and the gradient of any critic with respect to the action."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from workbench.engine.models.mlp import Mlp, MlpShape, backward, forward

Aggregate = Literal["min", "mean"]


def aggregate(q: Tensor, how: Aggregate) -> Tensor:
    """Combine an ensemble's values (K, M) into (M,)."""
    return q.amin(0) if how == "min" else q.mean(0)


class CriticEnsemble(nn.Module):
    """K independent critics Q_k(s, a), evaluated as one stacked product.

    Parameters
    ----------
    observation_dim, action_dim : int
        S and D; the MLP's input is concat(s, a).
    shape : MlpShape
        K = ``shape.members`` networks with one output each.
    generator : torch.Generator, optional
        Draws the initial weights.
    """

    def __init__(
        self, observation_dim: int, action_dim: int, shape: MlpShape, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.observation_dim, self.action_dim = observation_dim, action_dim
        self.net = Mlp(shape, generator)

    def forward(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Return Q_k, (K, M), at ``observations`` (M, S) and ``actions`` (M, D)."""
        q = self.net(torch.cat((observations, actions), 1))
        return q.reshape(self.net.shape.members, -1)

    @torch.no_grad()
    def value_and_grad(self, observations: Tensor, actions: Tensor, how: Aggregate) -> tuple[Tensor, Tensor]:
        """Return the aggregated value (M,) and its gradient with respect to the action (M, D), without a graph.

        The gradient is of the sum over rows, so that a row's result never depends on the other rows.
        """
        shape, layers = self.net.shape, self.net.layers()
        x = torch.cat((observations, actions), 1)
        if shape.members > 1:
            x = x.expand(shape.members, *x.shape)
        out, saved = forward(x, layers, shape.activation, keep=True)
        q = out.reshape(shape.members, -1)
        if how == "min":
            value, member = q.min(0, keepdim=True)
            seed = torch.zeros_like(q).scatter_(0, member, 1.0)
        else:
            value, seed = q.mean(0, keepdim=True), torch.full_like(q, 1.0 / shape.members)
        d_x = backward(seed.reshape(out.shape), saved, layers, shape.activation, None, need_input=True)
        assert d_x is not None
        d_action = d_x[..., self.observation_dim :]
        return value[0], d_action.sum(0) if shape.members > 1 else d_action


class StateValue(nn.Module):
    """The state value V(s) of IQL.

    Parameters
    ----------
    observation_dim : int
        S.
    shape : MlpShape
        One member, one output.
    generator : torch.Generator, optional
        Draws the initial weights.
    """

    def __init__(self, observation_dim: int, shape: MlpShape, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.observation_dim = observation_dim
        self.net = Mlp(shape, generator)

    def forward(self, observations: Tensor) -> Tensor:
        """Return V, (M,), at ``observations`` (M, S)."""
        value: Tensor = self.net(observations)
        return value[:, 0]
