"""Backpropagation through time: the exact gradient of the final action's value, through all remaining steps."""

from typing import ClassVar

import torch
from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.guided import CriticGuided

ROWS = 2**11  # rows whose chain is held at a time: ten steps of a 4 x 512 network then take some 500 MB


class BPTT(CriticGuided):
    r"""Guidance by the gradient of Q at the end of the flow with respect to where the flow is now.

    .. math:: g = \nabla_a\, Q\big(s, \mathrm{clip}(\mathrm{Euler}_{t \to 1}(a))\big)
                = J_1^\top \cdots J_n^\top\, \nabla_{\hat a} Q(s, \hat a)

    Source: the BPTT baseline of QGF, arXiv 2606.11087 (methods.md, section 5). Equal to ``qgf_jacobian`` when T = 1; equal
    to ``qgf_chain`` but for the Jacobians J of the remaining steps. Departures: the published agent lacks the function that
    finishes the chain, which is completed here by the remaining unguided Euler steps.

    Cost: T(T+3)/2 velocity evaluations, T critic gradients and T(T+1)/2 vector-Jacobian products of the velocity field.
    """

    name: ClassVar[str] = "bptt"
    title: ClassVar[str] = "BPTT"
    paper: ClassVar[str] = "QGF baseline, arXiv 2606.11087"
    equation: ClassVar[str] = (
        r"a \leftarrow a + \delta\,(v + w\, \nabla_a Q(s, \mathrm{clip}(\mathrm{Euler}_{t \to 1}(a))))"
    )

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """∇Q at the end of the flow, pulled back through all of it."""
        n = actions.shape[1]
        states = max(1, ROWS // n)
        pieces = zip(rows.split(states * n), actions.split(states), strict=True)
        g, q, clean = zip(*(self._pull(parts, *piece, t) for piece in pieces), strict=True)
        return torch.cat(g), torch.cat(q), torch.cat(clean)

    def _pull(self, parts: Parts, rows: Tensor, actions: Tensor, t: float) -> tuple[Tensor, Tensor, Tensor]:
        with torch.enable_grad():
            leaf = actions.detach().requires_grad_()
            clean = self.finish(parts, rows, leaf, t)
        q, g = self.critic_gradient(parts, rows, clean.detach())
        (pulled,) = torch.autograd.grad(clean, leaf, grad_outputs=g)
        return pulled, q, clean.detach()
