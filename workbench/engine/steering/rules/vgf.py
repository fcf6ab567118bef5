"""VGF: transport a cloud of behaviour particles along the value gradient."""

from typing import ClassVar, Literal

from torch import Tensor

from workbench.engine.models.critic import Aggregate
from workbench.engine.models.parts import Parts
from workbench.engine.steering.ascent import Ascent, ascend, fresh_moments
from workbench.engine.steering.forces import forces
from workbench.engine.steering.gate import Gated
from workbench.engine.steering.kernel import Repulsion
from workbench.engine.steering.protocol import AfterFlow, Info, State, setting


class VGF(Gated, AfterFlow):
    r"""Value Gradient Flow: Stein variational steps from the behaviour policy towards exp(Q/α).

    .. math:: \varphi(a_i) = \tfrac1N \sum_j \big[\, k(a_j, a_i)\, \nabla_{a_j} Q(s, a_j) / \alpha + r_{ij} \,\big], \qquad
              a_i \leftarrow \mathrm{clip}\big(a_i + \mathrm{step}(\varphi(a_i)), -1, 1\big)

    Source: VGF, arXiv 2604.14265 (methods.md, section 4). L = 0 with the greedy pick is best-of-N. Under Adam the first step has
    size ε in every coordinate whatever α is, so read how far they go off the particles, not off ε·L. Departures: none known.

    Cost: T velocity evaluations, L critic gradients; and L kernels of N² entries per state.
    """

    name: ClassVar[str] = "vgf"
    title: ClassVar[str] = "VGF"
    paper: ClassVar[str] = "VGF, arXiv 2604.14265"
    equation: ClassVar[str] = (
        r"\varphi(a_i) = \frac{1}{N} \sum_j [k(a_j, a_i)\, \nabla_{a_j} Q(s, a_j) / \alpha + r_{ij}], \quad "
        r"a_i \leftarrow \mathrm{clip}(a_i + \mathrm{step}(\varphi(a_i)))"
    )

    particles: int = setting(10, "particles N transported together", unit="particles", low=1, high=1024, log=True)
    step_size: float = setting(
        0.1, "step size ε (Adam's learning rate, or the plain factor)", unit="action", low=0.0, high=1.0, log=True
    )
    alpha: float = setting(
        1.0, "temperature α: larger weakens the gradient against repulsion", unit="Q", low=1e-4, high=1e3, log=True
    )
    ascent: Ascent = setting("adam", "how a direction becomes a step: Adam (published code) or plain (paper's text)")
    repulsion: Repulsion = setting("published", "the force that keeps particles apart")
    critic: Literal["target", "online"] = setting("online", "the EMA target critic or the online one")
    aggregate: Aggregate = setting("mean", "how the ensemble's members are combined for the gradient")

    def move(self, parts: Parts, state: State) -> tuple[Tensor, State, Info]:
        """One step along the Stein direction."""
        x, n = state.actions, state.actions.shape[1]
        q, score = self.critic_gradient(parts, state.rows, x)
        pulled, apart = forces(x, score, self.repulsion)
        attraction, apart = pulled / (self.alpha * n), apart / n
        step, moments = ascend(attraction + apart, state.moments or fresh_moments(x), self.step_size, self.ascent)
        info = Info(1.0, None, {"attraction": attraction, "repulsion": apart}, q, x)
        return step, state._replace(moments=moments), info
