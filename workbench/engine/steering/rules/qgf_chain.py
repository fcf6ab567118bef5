"""QGF with the clean action found by finishing the flow, instead of by one long step."""

from typing import ClassVar

from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.guided import CriticGuided


class QGFChain(CriticGuided):
    r"""QGF's sibling that asks the critic where the unguided flow would really end.

    .. math:: \hat a = \mathrm{clip}\big(\mathrm{Euler}_{t \to 1}(a)\big), \qquad g = \nabla_{\hat a} Q(s, \hat a)

    Source: QGF's ablation, arXiv 2606.11087 (methods.md, section 5). The Jacobian of the chain is replaced by the identity,
    as QGF does for its one step. Departures: none known; the first of the remaining steps uses the velocity at a that the
    denoising step needs anyway.

    Cost: T(T+1)/2 velocity evaluations and T critic gradients.
    """

    name: ClassVar[str] = "qgf_chain"
    title: ClassVar[str] = "QGF-Chain"
    paper: ClassVar[str] = "QGF ablation, arXiv 2606.11087"
    equation: ClassVar[str] = (
        r"a \leftarrow a + \delta\,(v + w\, \nabla_{\hat a} Q(s, \hat a)), \quad "
        r"\hat a = \mathrm{clip}(\mathrm{Euler}_{t \to 1}(a))"
    )

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """∇Q at the end of the flow from here."""
        delta = 1.0 / self.flow_steps
        clean = self.finish(parts, rows, actions + delta * velocity, t + delta)
        q, g = self.critic_gradient(parts, rows, clean)
        return g, q, clean
