"""IQL with a flow as its policy."""

from typing import ClassVar

from workbench.engine.steering.pick import Pick
from workbench.engine.steering.protocol import TrainedFlow, setting


class IQLFlow(TrainedFlow):
    r"""Implicit Q-learning's advantage-weighted regression, with a flow in place of the Gaussian.

    .. math:: a \leftarrow a + \delta\, v(s, a, t), \qquad
              v = \arg\min\ \min(e^{A(s, a) / \alpha}, 100)\, \lVert v(s, x_t, t) - (x_1 - x_0) \rVert^2

    Source: IQL, arXiv 2110.06169, with the flow of QGF's code (methods_more.md, section 15). A(s, a) is the smallest target
    critic's less the V of IQL, so that only the best of the data's actions count for much. 1/α
    (``iql_flow_inverse_temperature``) is chosen in training; at 0 it is the behaviour flow. One chain is played: of several
    particles any. Departures: see training/losses/iql_flow.py.

    Cost: T iql-flow evaluations.
    """

    name: ClassVar[str] = "iql_flow"
    title: ClassVar[str] = "IQL with a flow"
    paper: ClassVar[str] = "IQL, arXiv 2110.06169, and QGF's code"
    equation: ClassVar[str] = (
        r"a \leftarrow a + \delta\, v, \quad v = \arg\min\ \min(e^{A(s, a) / \alpha}, 100)\, \| v - (x_1 - x_0) \|^2"
    )
    needs: ClassVar[tuple[str, ...]] = ("iql_flow",)
    trained_strength: ClassVar[str | None] = "iql_flow_inverse_temperature"
    field: ClassVar[str] = "iql_flow"

    pick: Pick = setting("uniform", "which particle becomes the action: arg max Q, softmax of Q, or any")
