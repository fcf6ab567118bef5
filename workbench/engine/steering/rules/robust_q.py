"""Guidance by a critic that was trained on noised actions."""

from typing import ClassVar

import torch
from torch import Tensor

from workbench.engine.models.parts import Parts, q_gradient
from workbench.engine.steering.guided import CriticGuided


class RobustQ(CriticGuided):
    r"""Guidance by the gradient of a critic that knows noised actions and their time.

    .. math:: g = \nabla_a Q_R(s, a, t), \qquad Q_R(s, x_t, t) \approx E[\,\mathrm{agg}_k\, \bar Q_k(s, x_1) \mid x_t\,]

    Source: the RobustQ baseline of QGF, arXiv 2606.11087 (methods.md, sections 5 and 8). Departures: in the published code the
    guidance weight is an undefined name and the gradient is a mean over the batch; here it is w times the gradient of the
    sum, so that a state's action does not depend on its neighbours.

    Cost: T velocity evaluations and T robust-critic gradients.
    """

    name: ClassVar[str] = "robust_q"
    title: ClassVar[str] = "RobustQ"
    paper: ClassVar[str] = "QGF baseline, arXiv 2606.11087"
    equation: ClassVar[str] = r"a \leftarrow a + \delta\,(v + w\, \nabla_a Q_R(s, a, t))"
    needs: ClassVar[tuple[str, ...]] = ("reference", "critic", "robust_critic")

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """∇Q_R at a."""
        robust, flat = parts.part("robust_critic"), actions.flatten(0, 1)
        time = torch.full_like(flat[:, 0], t)
        q, g = q_gradient(lambda s, a: robust(s, a, time), rows, flat, self.aggregate)
        g = self.gated(parts, rows, actions, g.view(actions.shape))
        return g, q.view(actions.shape[:2]), actions
