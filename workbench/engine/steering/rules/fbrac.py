"""FBRAC: a flow that stayed near the data while the end of its chain climbed the critic."""

from typing import ClassVar, Literal

from workbench.engine.models.critic import Aggregate
from workbench.engine.steering.protocol import TrainedFlow, setting


class FBRAC(TrainedFlow):
    r"""Flow behaviour-regularised actor-critic: backpropagation through time, done in training.

    .. math:: a \leftarrow a + \delta\, v(s, a, t), \qquad
              v = \arg\min\ \lVert v(s, x_t, t) - (x_1 - x_0) \rVert^2
              - \tfrac{1}{\alpha} Q\big(s, \mathrm{clip}(\mathrm{Euler}_{0 \to 1}(z))\big)

    Source: FBRAC, a baseline of FQL, arXiv 2502.02538, and of QGF (methods_more.md, section 13). It is what ``bptt`` does at
    test time, learned. α (``fbrac_alpha``) is chosen in training. The published critic is ``td_actor`` with ``actor=fbrac``.
    Departures: see training/losses/fbrac_flow.py.

    Cost: T fbrac-flow evaluations.
    """

    name: ClassVar[str] = "fbrac"
    title: ClassVar[str] = "FBRAC"
    paper: ClassVar[str] = "FQL baseline, arXiv 2502.02538"
    equation: ClassVar[str] = (
        r"a \leftarrow a + \delta\, v, \quad "
        r"v = \arg\min\ \| v - (x_1 - x_0) \|^2 - \frac{1}{\alpha} Q(s, \mathrm{clip}(\mathrm{Euler}_{0 \to 1}(z)))"
    )
    needs: ClassVar[tuple[str, ...]] = ("fbrac_flow",)
    trained_strength: ClassVar[str | None] = "fbrac_alpha"
    field: ClassVar[str] = "fbrac_flow"

    critic: Literal["target", "online"] = setting("online", "the EMA target critic or the online one")
    pick_aggregate: Aggregate = setting("mean", "how the ensemble's members are combined for the pick")
