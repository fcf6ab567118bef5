"""Pruning: of many particles only those go on through the flow that the critic likes half-way."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.protocol import Info, Rule, State, setting


class Pruned(Rule):
    r"""Rules that choose among N independent particles, and may drop the worst of them in the middle of the flow.

    .. math:: \hat a_i = \mathrm{clip}\big(a_i + (1 - t)\, v(s, a_i, t)\big), \qquad
              \text{keep the } K \text{ largest of } Q(s, \hat a_1), \dots, Q(s, \hat a_N)

    Source: Progressive Seed Pruning, arXiv 2607.21591, in one cut. A rule that has asked the critic in this step anyway is
    judged by what it was told, others ask it at the one-step estimate â of the clean action. K ≥ N prunes nothing, bit for bit.

    Cost with K < N, cut at step p of T: N (p + 1) + K (T - p - 1) velocity evaluations, and N critic evaluations where the rule
    has not asked the critic itself.
    """

    keep: int = setting(
        1024,
        "particles K that go on after the cut in the middle of the flow; N or more: all of them",
        unit="particles",
        low=1,
        high=1024,
        log=True,
        later=True,
    )
    prune_at: float = setting(
        0.5,
        "flow time of the cut: the particles that the critic likes least there go no further",
        low=0.0,
        high=1.0,
        later=True,
    )

    def step(self, parts: Parts, observations: Tensor, state: State) -> tuple[State, Info]:
        """One step; after that of the cut, K particles are left. Its info is of the particles before it."""
        after, info = super().step(parts, observations, state)  # type: ignore[safe-super] # another base's step
        cut = min(round(self.prune_at * self.flow_steps), self.flow_steps - 1)
        if state.tick != cut or self.keep >= state.actions.shape[1]:
            return after, info
        if info.q is None:
            clean = state.actions + (self.flow_steps - state.tick) * info.terms["velocity"]
            clean = clean.clamp(-1.0, 1.0)
            flat, how = clean.flatten(0, 1), self.pick_aggregate
            q = q_values(parts.pick_critic(self.critic), state.rows, flat, how, self.pessimism)
            info = info._replace(q=q.view(clean.shape[:2]), query=clean)
        assert info.q is not None
        return survivors(after, info.q.topk(self.keep, 1).indices.sort(1).values), info


def survivors(state: State, kept: Tensor) -> State:
    """The state of the particles ``kept`` (B, K) alone."""
    n = state.actions.shape[1]
    return state._replace(
        actions=_of(state.actions, kept),
        rows=_of(state.rows.unflatten(0, (-1, n)), kept).flatten(0, 1),
        extra=None if state.extra is None else _of(state.extra, kept),
        kept=kept if state.kept is None else _of(state.kept, kept),
    )


def _of(values: Tensor, kept: Tensor) -> Tensor:
    """The entries (B, K, …) of ``values`` (B, N, …) that belong to the particles ``kept`` (B, K)."""
    index = kept
    for _ in values.shape[2:]:
        index = index.unsqueeze(-1)
    return values.gather(1, index.expand(-1, -1, *values.shape[2:]))


def everyone(values: Tensor, kept: Tensor | None, others: Tensor) -> Tensor:
    """``values`` (B, K, …) of the particles ``kept`` (B, K) among ``others`` (B, N, …), which the pruned ones have; of all, where
    ``kept`` is None.
    """
    if kept is None:
        return values
    index = kept.view(*kept.shape, *(1,) * (values.dim() - 2)).expand_as(values)
    return torch.scatter(others, 1, index, values)
