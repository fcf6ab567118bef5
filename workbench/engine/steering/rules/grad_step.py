"""GradStep: denoise first, then climb the critic from the clean action."""

from typing import ClassVar

import torch
from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.gate import Gated
from workbench.engine.steering.protocol import AfterFlow, Info, State, setting


class GradStep(Gated, AfterFlow):
    r"""Plain gradient ascent on Q from the flow's sample.

    .. math:: a \leftarrow \mathrm{clip}\big(a + \epsilon\, \nabla_a Q(s, a), -1, 1\big), \quad L \text{ times}

    Source: the GradStep baseline of QGF, arXiv 2606.11087 (methods.md, section 5). With ``sign`` the direction is
    sign(∇Q), so that a step has length ε in every coordinate. Departures: none known.

    Cost: T velocity evaluations and L critic gradients.
    """

    name: ClassVar[str] = "grad_step"
    title: ClassVar[str] = "GradStep"
    paper: ClassVar[str] = "QGF baseline, arXiv 2606.11087"
    equation: ClassVar[str] = r"a \leftarrow \mathrm{clip}(a + \epsilon\, \nabla_a Q(s, a), -1, 1)"

    steps: int = setting(2, "gradient steps L after the flow", unit="steps", low=0, high=200)
    step_size: float = setting(0.02, "step size ε", unit="action² / Q", low=0.0, high=1.0, log=True)
    sign: bool = setting(False, "follow the sign of the gradient instead of the gradient")

    def move(self, parts: Parts, state: State) -> tuple[Tensor, State, Info]:
        """ε ∇Q at the particles."""
        q, g = self.critic_gradient(parts, state.rows, state.actions)
        # torch's sign of NaN is 0, and of infinity 1: neither may pass for a direction
        step = self.step_size * (g.sign().where(g.isfinite(), torch.nan) if self.sign else g)
        return step, state, Info(1.0, None, {"guidance": step}, q, state.actions)
