"""The out-of-distribution gradient: ask the critic at the noisy action itself."""

from typing import ClassVar

from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.guided import CriticGuided


class Noisy(CriticGuided):
    r"""Guidance by the critic's gradient at the noised action (the paper's QFQL, "OOD gradient").

    .. math:: g = \nabla_a Q(s, a)

    Source: QGF, arXiv 2606.11087 (methods.md, section 5). The critic has never seen noised actions, so its answer there is
    extrapolation. Departures: none known.

    Cost: T velocity evaluations and T critic gradients.
    """

    name: ClassVar[str] = "noisy"
    title: ClassVar[str] = "Noisy gradient"
    paper: ClassVar[str] = "QFQL in QGF, arXiv 2606.11087"
    equation: ClassVar[str] = r"a \leftarrow a + \delta\,(v + w\, \nabla_a Q(s, a))"

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """∇Q at a."""
        q, g = self.critic_gradient(parts, rows, actions)
        return g, q, actions
