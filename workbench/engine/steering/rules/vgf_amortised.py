"""Amortised VGF: the transport follows a network that has learned the value gradient."""

from typing import ClassVar, Literal

from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.ascent import Ascent, ascend, fresh_moments
from workbench.engine.steering.gate import Gated
from workbench.engine.steering.protocol import AfterFlow, Info, State, setting


class VGFAmortised(Gated, AfterFlow):
    r"""Value Gradient Flow whose direction is one forward pass: no derivative of the critic, no kernel.

    .. math:: a_i \leftarrow \mathrm{clip}\big(a_i + \mathrm{step}(\bar f_i), -1, 1\big), \qquad
              \bar f = f(s, a) \,/\, \max(1, \lVert f(s, a) \rVert), \quad f \approx \nabla_a Q

    Source: amortised VGF, arXiv 2604.14265 and its code (methods.md, section 4). The directions are clipped to norm 1 over a
    state's N particles together, then Adam makes the steps. Departures: in the published training the norm is over the
    whole batch; here it is one state's, as in the published evaluation, so that no state sees its neighbours.

    Cost: T velocity evaluations, L value-gradient evaluations.
    """

    name: ClassVar[str] = "vgf_amortised"
    title: ClassVar[str] = "VGF, amortised"
    paper: ClassVar[str] = "VGF, arXiv 2604.14265"
    equation: ClassVar[str] = (
        r"a_i \leftarrow \mathrm{clip}(a_i + \mathrm{step}(f(s, a_i) / \max(1, \| f \|))), \quad f \approx \nabla_a Q"
    )
    needs: ClassVar[tuple[str, ...]] = ("reference", "critic", "value_gradient")

    particles: int = setting(10, "particles N transported", unit="particles", low=1, high=1024, log=True)
    step_size: float = setting(
        0.1, "step size ε (Adam's learning rate, or the plain factor)", unit="action", low=0.0, high=1.0, log=True
    )
    ascent: Ascent = setting("adam", "how a direction becomes a step: Adam (published code) or plain")
    critic: Literal["target", "online"] = setting("online", "the EMA target critic or the online one")

    def move(self, parts: Parts, state: State) -> tuple[Tensor, State, Info]:
        """One step along the learned gradient."""
        x = state.actions
        learned = parts.part("value_gradient")(state.rows, x.flatten(0, 1)).view(x.shape)
        learned = self.gated(parts, state.rows, x, learned)
        direction = learned / learned.flatten(1).norm(dim=1).clamp_min(1.0)[:, None, None]
        step, moments = ascend(direction, state.moments or fresh_moments(x), self.step_size, self.ascent)
        return step, state._replace(moments=moments), Info(1.0, None, {"guidance": step})
