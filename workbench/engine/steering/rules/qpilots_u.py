"""QPILOTS-U: QGF-Jacobian's gradient at the length of the flow's own velocity."""

from typing import ClassVar

import torch
from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.guided import CriticGuided
from workbench.engine.steering.protocol import Rule, setting

EPS = 1e-8  # of the published rescaling


class QPilotsU(CriticGuided):
    r"""Guidance by the gradient at the one-step estimate, rescaled to the length of the velocity.

    .. math:: v \leftarrow v + \alpha\, \frac{\lVert v \rVert}{\lVert g \rVert + \epsilon}\, g, \qquad
              g = \nabla_a\, Q\big(s, \mathrm{clip}(a + (1 - t)\, v(s, a, t))\big)

    Source: QPILOTS, arXiv 2606.14801, from accounts of its text (no code was published). The derivative goes through v, and
    straight through the clip. The first step, at t = 0, is not steered: the estimate is the same for all noise there. ``weight``
    is α, without a unit, for the length of g no longer counts; so the gate is applied after the rescaling. Departures: the
    paper's critic is the mean of ten members less half a standard deviation, here it is the rule's usual one
    (``aggregate=mean pessimism=0.5`` is the paper's).

    Cost: 2 T - 1 velocity evaluations, T - 1 critic gradients and T - 1 vector-Jacobian products of the velocity field.
    """

    name: ClassVar[str] = "qpilots_u"
    title: ClassVar[str] = "QPILOTS-U"
    paper: ClassVar[str] = "QPILOTS, arXiv 2606.14801"
    equation: ClassVar[str] = (
        r"a \leftarrow a + \delta\,(v + \alpha\, \frac{\|v\|}{\|g\|}\, g), \quad "
        r"g = \nabla_a Q(s, \mathrm{clip}(a + (1-t)\, v))"
    )

    weight: float = setting(
        0.3, "guidance weight α: the push's length as a share of the velocity's", low=0.0, high=1e4, log=True
    )

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """g at the velocity's length; nothing at t = 0."""
        if t == 0.0:
            return torch.zeros_like(actions), None, None
        with torch.enable_grad():
            leaf = actions.detach().requires_grad_()
            ahead = leaf + (1.0 - t) * self.velocity(parts, rows, leaf, t)
        clean = ahead.detach().clamp(-1.0, 1.0)
        q, g = Rule.critic_gradient(self, parts, rows, clean)
        (pulled,) = torch.autograd.grad(ahead, leaf, grad_outputs=g)
        length = velocity.norm(dim=-1, keepdim=True) / (pulled.norm(dim=-1, keepdim=True) + EPS)
        return self.gated(parts, rows, clean, length * pulled), q, clean
