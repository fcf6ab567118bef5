"""VGF in the limit of temperature zero: attraction alone."""

from typing import ClassVar, Literal

from torch import Tensor

from workbench.engine.models.critic import Aggregate
from workbench.engine.models.parts import Parts
from workbench.engine.steering.ascent import Ascent, ascend, fresh_moments
from workbench.engine.steering.forces import forces
from workbench.engine.steering.gate import Gated
from workbench.engine.steering.protocol import AfterFlow, Info, State, setting


class VGFZero(Gated, AfterFlow):
    r"""Value Gradient Flow for α → 0: particles share their gradients through the kernel, and nothing keeps them apart.

    .. math:: \varphi(a_i) = \tfrac1N \sum_j k(a_j, a_i)\, \nabla_{a_j} Q(s, a_j), \qquad
              a_i \leftarrow \mathrm{clip}\big(a_i + \mathrm{step}(\varphi(a_i)), -1, 1\big)

    Source: VGF, arXiv 2604.14265 (methods.md, section 4). The same as ``vgf`` with α = 1 and no repulsion. Departures: none
    known. With one particle it is gradient ascent, by Adam or plain.

    Cost: T velocity evaluations, L critic gradients; and L kernels of N² entries per state.
    """

    name: ClassVar[str] = "vgf_zero"
    title: ClassVar[str] = "VGF, α → 0"
    paper: ClassVar[str] = "VGF, arXiv 2604.14265"
    equation: ClassVar[str] = (
        r"\varphi(a_i) = \frac{1}{N} \sum_j k(a_j, a_i)\, \nabla_{a_j} Q(s, a_j), \quad "
        r"a_i \leftarrow \mathrm{clip}(a_i + \mathrm{step}(\varphi(a_i)))"
    )

    particles: int = setting(10, "particles N transported together", unit="particles", low=1, high=1024, log=True)
    step_size: float = setting(
        0.1, "step size ε (Adam's learning rate, or the plain factor)", unit="action", low=0.0, high=1.0, log=True
    )
    ascent: Ascent = setting("adam", "how a direction becomes a step: Adam (published code) or plain (paper's text)")
    critic: Literal["target", "online"] = setting("online", "the EMA target critic or the online one")
    aggregate: Aggregate = setting("mean", "how the ensemble's members are combined for the gradient")

    def move(self, parts: Parts, state: State) -> tuple[Tensor, State, Info]:
        """One step along the kernel mean of the gradients."""
        x = state.actions
        q, score = self.critic_gradient(parts, state.rows, x)
        attraction = forces(x, score, "none")[0] / x.shape[1]
        step, moments = ascend(attraction, state.moments or fresh_moments(x), self.step_size, self.ascent)
        return step, state._replace(moments=moments), Info(1.0, None, {"attraction": attraction}, q, x)
