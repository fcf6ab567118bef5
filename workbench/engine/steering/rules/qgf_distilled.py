"""QGF whose gradient is one forward pass of a network that has learned it."""

from typing import ClassVar

from torch import Tensor

from workbench.engine.models.parts import Parts, velocity_at
from workbench.engine.steering.guided import CriticGuided


class QGFDistilled(CriticGuided):
    r"""QGF's sibling that asks a network for the gradient instead of differentiating the critic.

    .. math:: g = f(s, a, t) \approx \nabla_{\hat a} Q(s, \hat a), \qquad \hat a = \mathrm{clip}(a + (1 - t)\, v)

    Source: the distilled gradient among QGF's ablations, arXiv 2606.11087. The learned part f is trained where the data's
    noised actions are; guidance leads away from there. Departures: see training/losses/distilled_gradient.py. The gate, where it
    is on, asks the critic at the estimate.

    Cost: T velocity evaluations and T distilled-gradient evaluations.
    """

    name: ClassVar[str] = "qgf_distilled"
    title: ClassVar[str] = "QGF, distilled"
    paper: ClassVar[str] = "QGF ablation, arXiv 2606.11087"
    equation: ClassVar[str] = (
        r"a \leftarrow a + \delta\,(v + w\, f(s, a, t)), \quad f \approx \nabla_{\hat a} Q(s, \mathrm{clip}(a + (1-t)\, v))"
    )
    needs: ClassVar[tuple[str, ...]] = ("reference", "critic", "distilled_gradient")

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float
    ) -> tuple[Tensor, None, None]:
        """f at a."""
        learned = velocity_at(parts.part("distilled_gradient"), rows, actions.flatten(0, 1), t).view(actions.shape)
        clean = (actions + (1.0 - t) * velocity).clamp(-1.0, 1.0)
        return self.gated(parts, rows, clean, learned), None, None
