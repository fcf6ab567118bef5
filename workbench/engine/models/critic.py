"""Critics: the ensemble Q_k(s, a), the state value V(s), and the gradient of any critic with respect to the action."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from workbench.engine.models.activation import is_traced
from workbench.engine.models.mlp import Layer, MlpShape, Saved, backward
from workbench.engine.models.picture_mlp import make_net

Aggregate = Literal["min", "mean"]
SPLIT = 8_000_000  # multiply-adds of one layer from which sorting rows by member pays


def aggregate(q: Tensor, how: Aggregate, deviations: float = 0.0) -> Tensor:
    """Combine an ensemble's values (K, M) into (M,).

    From a mean that many standard ``deviations`` of the K members (their own, not an estimate of others') are taken off.
    """
    if how == "min":
        return q.amin(0)
    return q.mean(0) if deviations == 0.0 else q.mean(0) - deviations * q.std(0, correction=0)


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
        self.net = make_net(shape, generator)

    def forward(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Return Q_k, (K, M), at ``observations`` (M, S) and ``actions`` (M, D)."""
        q: Tensor = self.net(torch.cat((observations, actions), 1))
        return q.reshape(self.net.shape.members, -1)

    def frozen(self, observations: Tensor, actions: Tensor) -> Tensor:
        """As `forward`, but gradients flow to the inputs alone, not to the critic's weights."""
        q = self.net.frozen(torch.cat((observations, actions), 1))
        return q.reshape(self.net.shape.members, -1)

    @torch.no_grad()
    def value_and_grad(
        self, observations: Tensor, actions: Tensor, how: Aggregate, deviations: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Return the aggregated value (M,) and its gradient with respect to the action (M, D), without a graph.

        The gradient is of the sum over rows, so that a row's result never depends on the other rows.
        """
        shape = self.net.shape
        x = torch.cat((observations, actions), 1)
        if shape.members > 1:
            x = x.expand(shape.members, *x.shape)
        out, kept = self.net.run(x, keep=True)
        q = out.reshape(shape.members, -1)
        if how == "min":
            value, member = q.min(0)
            rows, width = actions.shape[0], max(shape.hidden, default=1)
            if shape.members > 1 and self.net.sorts_rows and isinstance(kept, Tensor):
                return value, self.net.run_back_chosen(member, kept)[:, self.observation_dim :]
            sorts = shape.members > 1 and self.net.sorts_rows and _worth_splitting(rows, width)
            if sorts and isinstance(kept, list):
                d_x = _backward_by_member(member, kept, self.net.layers(), shape)
                return value, d_x[:, self.observation_dim :]
            members = torch.arange(shape.members, device=q.device)[:, None]
            seed = (members == member).to(q.dtype)  # a scatter is slow under vmap, and says so
        else:
            value, seed = q.mean(0), torch.full_like(q, 1.0 / shape.members)
            if deviations:
                spread = q.std(0, correction=0)
                value, away = value - deviations * spread, (q - value) / spread
                seed = seed - deviations / shape.members * away.where(spread > 0.0, 0.0)
        back, _ = self.net.run_back(seed.reshape(out.shape), kept, weights=False, inputs=True)
        assert back is not None
        d_a = back[..., self.observation_dim :]
        return value, d_a.sum(0) if shape.members > 1 else d_a

    def pessimistic_gradient(self, observations: Tensor, actions: Tensor, deviations: float) -> tuple[Tensor, Tensor]:
        """As `value_and_grad`, of the members' mean less ``deviations`` standard deviations of them."""
        return self.value_and_grad(observations, actions, "mean", deviations)


def _input_gradient(seed: Tensor, saved: list[Saved], layers: list[Layer], shape: MlpShape) -> Tensor:
    d_x = backward(seed, saved, layers, shape, None, need_input=True)
    assert d_x is not None
    return d_x


def _worth_splitting(rows: int, width: int) -> bool:
    """Whether to sort rows by the member that gives their minimum. Only that member has a gradient, so sorting saves
    products, and pays where products cost more than calls. For a single row it always pays: half of the weights need
    not be read.
    """
    return not is_traced() and (rows == 1 or rows * width * width >= SPLIT)


def _backward_by_member(member: Tensor, saved: list[Saved], layers: list[Layer], shape: MlpShape) -> Tensor:
    """Gradient (M, S + D) of the minimum, each row sent back through its own member ``member`` (M,) alone."""
    result: Tensor | None = None
    for k in range(shape.members):
        rows = torch.nonzero(member == k)[:, 0]
        if len(rows) == 0:
            continue
        every = len(rows) == len(member)

        def take(array: Tensor, k: int = k, rows: Tensor = rows, every: bool = every) -> Tensor:
            return array[k] if every else array[k].index_select(0, rows)

        held = [
            Saved(
                s.x[k],  # only weights' gradients read it
                None if s.normed is None else tuple(None if a is None else take(a) for a in s.normed),  # type: ignore[arg-type]
                tuple(take(a) for a in s.active),
            )
            for s in saved
        ]
        own = [Layer(*(None if a is None else a[k] for a in layer)) for layer in layers]  # type: ignore[arg-type]
        d_x = _input_gradient(torch.ones(len(rows), 1, device=member.device, dtype=saved[0].x.dtype), held, own, shape)
        if every:
            return d_x
        if result is None:
            result = torch.empty(len(member), d_x.shape[1], device=d_x.device, dtype=d_x.dtype)
        result.index_copy_(0, rows, d_x)
    assert result is not None
    return result


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
        self.net = make_net(shape, generator)

    def forward(self, observations: Tensor) -> Tensor:
        """Return V, (M,), at ``observations`` (M, S)."""
        value: Tensor = self.net(observations)
        return value[:, 0]
