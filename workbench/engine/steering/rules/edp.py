"""EDP: a flow that was trained on the data and, at its one-step estimates, on the critic."""

from typing import ClassVar

from workbench.engine.steering.protocol import TrainedFlow


class EDP(TrainedFlow):
    r"""Efficient Diffusion Policy, in the flow form that QGF compares with.

    .. math:: a \leftarrow a + \delta\, v(s, a, t), \qquad
              v = \arg\min\ w_{bc} \lVert v(s, x_t, t) - (x_1 - x_0) \rVert^2 - Q\big(s, \mathrm{clip}(x_t + (1 - t)\, v)\big)

    Source: EDP, arXiv 2305.20081 (methods.md, section 6). It is QGF's one-step
    estimate â used in training: no backpropagation through the chain, and the same bias where â is far from the chain's end.
    w_bc (``edp_bc``) is chosen in training. Departures: see training/edp_flow.py.

    Cost: T edp-flow evaluations.
    """

    name: ClassVar[str] = "edp"
    title: ClassVar[str] = "EDP"
    paper: ClassVar[str] = "EDP, arXiv 2305.20081"
    equation: ClassVar[str] = (
        r"a \leftarrow a + \delta\, v, \quad v = \arg\min\ w_{bc} \| v - (x_1 - x_0) \|^2 - Q(s, x_t + (1-t)\, v)"
    )
    needs: ClassVar[tuple[str, ...]] = ("edp_flow",)
    trained_strength: ClassVar[str | None] = "edp_bc"
    field: ClassVar[str] = "edp_flow"
