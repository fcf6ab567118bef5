"""FAWAC: a flow that imitates the better of the data's actions."""

from typing import ClassVar

from workbench.engine.steering.pick import Pick
from workbench.engine.steering.protocol import TrainedFlow, setting


class FAWAC(TrainedFlow):
    r"""Flow advantage-weighted actor-critic: AWAC's weights on a flow's regression.

    .. math:: a \leftarrow a + \delta\, v(s, a, t), \qquad
              v = \arg\min\ \min(e^{A(s, a) / \alpha}, 100)\, \lVert v(s, x_t, t) - (x_1 - x_0) \rVert^2

    Source: FAWAC, a baseline of FQL, arXiv 2502.02538, and of QGF (methods_more.md, section 13). Training never asks the
    critic about actions outside the data. 1/α (``fawac_inverse_temperature``) is chosen in training; at 0 it is the
    behaviour flow. One chain is played: of several particles any. The published critic is ``td_actor`` with
    ``actor=fawac``. Departures: see training/losses/fawac_flow.py.

    Cost: T fawac-flow evaluations.
    """

    name: ClassVar[str] = "fawac"
    title: ClassVar[str] = "FAWAC"
    paper: ClassVar[str] = "FQL baseline, arXiv 2502.02538"
    equation: ClassVar[str] = (
        r"a \leftarrow a + \delta\, v, \quad v = \arg\min\ \min(e^{A(s, a) / \alpha}, 100)\, \| v - (x_1 - x_0) \|^2"
    )
    needs: ClassVar[tuple[str, ...]] = ("fawac_flow",)
    trained_strength: ClassVar[str | None] = "fawac_inverse_temperature"
    field: ClassVar[str] = "fawac_flow"

    pick: Pick = setting("uniform", "which particle becomes the action: arg max Q, softmax of Q, or any")
