"""QGF with the Jacobian of the one-step estimate kept, whole or tamed."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.guided import CriticGuided
from workbench.engine.steering.jacobian import polar_pull, smooth_pull
from workbench.engine.steering.protocol import setting


class QGFJacobian(CriticGuided):
    r"""QGF's sibling that differentiates through the one-step estimate, clip included.

    .. math:: g = J^\top \nabla_{\hat a} Q(s, \hat a), \qquad J = \frac{\partial \hat a}{\partial a}

    Source: QGF's ablation, arXiv 2606.11087 (methods.md, section 5). Equal to ``bptt`` when T = 1. Departures: none known of
    ``jacobian=exact``. Of the tamed ones only accounts were read: ``regularised`` is (1 - λ) J + λ I, ``orthogonal`` the nearest
    rotation (U Vᵀ, before the clip), ``smooth`` the mean of J at M places around a; the last two take D and M products a step.

    Cost: 2 T velocity evaluations, T critic gradients and T vector-Jacobian products of the velocity field.
    """

    name: ClassVar[str] = "qgf_jacobian"
    title: ClassVar[str] = "QGF-Jacobian"
    paper: ClassVar[str] = "QGF ablation, arXiv 2606.11087"
    equation: ClassVar[str] = (
        r"a \leftarrow a + \delta\,(v + w\, J^\top \nabla_{\hat a} Q(s, \hat a)), \quad J = \partial \hat a / \partial a"
    )

    jacobian: Literal["exact", "regularised", "orthogonal", "smooth"] = setting("exact", "which J is used", later=True)
    share: float = setting(0.5, "regularised: share λ of the identity in J", low=0.0, high=1.0, later=True)
    scatter: float = setting(
        0.1, "smooth: how far from a J is looked at, σ", unit="action", low=0.0, high=1.0, later=True
    )
    samples: int = setting(4, "smooth: places M at which J is looked at", unit="samples", low=1, high=64, later=True)

    def extra_draws(self) -> int:
        """M, where J is smoothed."""
        return self.samples if self.jacobian == "smooth" else 0

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float, extra: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """∇Q at the one-step estimate, pulled back through it."""
        with torch.enable_grad():
            leaf = actions.detach().requires_grad_()
            ahead = leaf + (1.0 - t) * self.velocity(parts, rows, leaf, t)
            clean = ahead.clamp(-1.0, 1.0)
        q, g = self.critic_gradient(parts, rows, clean.detach())
        if self.jacobian == "orthogonal":
            return polar_pull(ahead, leaf, g), q, clean.detach()
        if extra is not None and self.jacobian == "smooth":
            places = actions[:, :, None] + self.scatter * extra[:, :, : self.samples]
            return smooth_pull(parts.reference, rows, places, (t, self.until(t)), g), q, clean.detach()
        pulled = torch.autograd.grad(clean, leaf, grad_outputs=g)[0]
        return torch.lerp(pulled, g, self.share if self.jacobian == "regularised" else 0.0), q, clean.detach()
