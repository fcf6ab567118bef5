"""QGF with the Jacobian of the one-step estimate kept."""

from typing import ClassVar

import torch
from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.guided import CriticGuided


class QGFJacobian(CriticGuided):
    r"""QGF's sibling that differentiates through the one-step estimate, clip included.

    .. math:: g = J^\top \nabla_{\hat a} Q(s, \hat a), \qquad J = \frac{\partial \hat a}{\partial a}

    Source: QGF's ablation, arXiv 2606.11087 (methods.md, section 5). Equal to ``bptt`` when T = 1. Departures: none
    known; the published code contracts Σ_i g_i J_ij too.

    Cost: 2 T velocity evaluations, T critic gradients and T vector-Jacobian products of the velocity field.
    """

    name: ClassVar[str] = "qgf_jacobian"
    title: ClassVar[str] = "QGF-Jacobian"
    paper: ClassVar[str] = "QGF ablation, arXiv 2606.11087"
    equation: ClassVar[str] = (
        r"a \leftarrow a + \delta\,(v + w\, J^\top \nabla_{\hat a} Q(s, \hat a)), \quad J = \partial \hat a / \partial a"
    )

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """∇Q at the one-step estimate, pulled back through it."""
        with torch.enable_grad():
            leaf = actions.detach().requires_grad_()
            clean = (leaf + (1.0 - t) * self.velocity(parts, rows, leaf, t)).clamp(-1.0, 1.0)
        q, g = self.critic_gradient(parts, rows, clean.detach())
        (pulled,) = torch.autograd.grad(clean, leaf, grad_outputs=g)
        return pulled, q, clean.detach()
