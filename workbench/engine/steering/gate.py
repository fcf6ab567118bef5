"""The gate on a critic's gradient: where the members of the ensemble disagree, the gradient counts less."""

from __future__ import annotations

from torch import Tensor

from workbench.engine.models.parts import Parts, member_values
from workbench.engine.steering.protocol import Rule, setting


class Gated(Rule):
    r"""Rules that follow the critic's gradient, and may follow it less where its members disagree.

    .. math:: \nabla Q \leftarrow \max\big(m_{\min}, e^{-\kappa \sigma_Q}\big)\, \nabla Q, \qquad
              \sigma_Q = \mathrm{std}_k\, Q_k(s, a)

    at the very action where the rule asks the critic. Source: Guided Action Flow, arXiv 2607.02092. The spread is the
    population's, in the critic's own units. κ = 0 is no gate, bit for bit, and so is a critic of one member. Under Adam's
    ascent only the ratios between gates count, since Adam forgets the length of a direction.

    Cost: one critic evaluation more for each gradient; none with κ = 0.
    """

    gate_kappa: float = setting(
        0.0,
        "gate κ: how fast guidance fades where the critic's members disagree; 0 is no gate",
        unit="1 / Q",
        low=0.0,
        high=1e4,
        log=True,
        later=True,
    )
    gate_floor: float = setting(
        0.0, "share of the guidance that the gate always lets through", low=0.0, high=1.0, later=True
    )

    def critic_gradient(self, parts: Parts, rows: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Q (B, N) and the gated gradient (B, N, D) at ``actions`` (B, N, D)."""
        q, grad = super().critic_gradient(parts, rows, actions)
        return q, self.gated(parts, rows, actions, grad)

    def gated(self, parts: Parts, rows: Tensor, actions: Tensor, direction: Tensor) -> Tensor:
        """``direction`` (B, N, D) times the gate at ``actions`` (B, N, D)."""
        if self.gate_kappa == 0.0:
            return direction
        members = member_values(parts.pick_critic(self.critic), rows, actions.flatten(0, 1))
        spread = (members - members.mean(0)).square().mean(0).sqrt()
        gate = (-self.gate_kappa * spread).exp().clamp_min(self.gate_floor)
        return gate.view(*actions.shape[:2], 1) * direction
