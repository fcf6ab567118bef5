"""QGF: guide the flow with the critic's gradient at a one-step estimate of the clean action."""

from typing import ClassVar

from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.guided import CriticGuided
from workbench.engine.steering.loop import Loop


class QGF(CriticGuided):
    r"""Q-Guided Flow.

    .. math:: \hat a = \mathrm{clip}\big(a + (1 - t)\, v(s, a, t), -1, 1\big), \qquad g = \nabla_{\hat a} Q(s, \hat a)

    Source: QGF, arXiv 2606.11087 (methods.md, section 5). No derivative goes through v (its Jacobian is replaced by the
    identity), nor through the clip, as in the published code. Departures: none known.

    Cost: T velocity evaluations and T critic gradients.
    """

    name: ClassVar[str] = "qgf"
    title: ClassVar[str] = "QGF"
    paper: ClassVar[str] = "QGF, arXiv 2606.11087"
    equation: ClassVar[str] = (
        r"a \leftarrow a + \delta\,(v + w\, \nabla_{\hat a} Q(s, \hat a)), \quad \hat a = \mathrm{clip}(a + (1-t)\, v)"
    )

    def loop(self, particles: int) -> Loop | None:
        """Its equation, unless the gate or the pruning changes it."""
        return None if self.gate_kappa or self.keep < particles else Loop(self.weight)

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """∇Q at the one-step estimate of the clean action."""
        clean = (actions + (1.0 - t) * velocity).clamp(-1.0, 1.0)
        q, g = self.critic_gradient(parts, rows, clean)
        return g, q, clean
