"""The behaviour policy itself: the flow, unsteered."""

from typing import Any, ClassVar

from workbench.engine.steering.loop import Loop
from workbench.engine.steering.pick import Pick
from workbench.engine.steering.protocol import Unguided, setting


class BC(Unguided):
    r"""Behaviour cloning: sample the behaviour flow.

    .. math:: a \leftarrow a + \delta\, v(s, a, t), \qquad \delta = 1/T

    Source: flow matching, Lipman et al., arXiv 2210.02747 (methods.md, section 2). Any of several particles is a
    sample of the behaviour policy, so the pick is uniform unless told otherwise.

    Cost: T velocity evaluations.
    """

    name: ClassVar[str] = "bc"
    title: ClassVar[str] = "Behaviour flow"
    paper: ClassVar[str] = "Flow matching, arXiv 2210.02747"
    equation: ClassVar[str] = r"a \leftarrow a + \delta\, v(s, a, t)"
    needs: ClassVar[tuple[str, ...]] = ("reference",)
    strength: ClassVar[str] = "flow_steps"
    bc_at: ClassVar[dict[str, Any] | None] = {}

    pick: Pick = setting("uniform", "which particle becomes the action: arg max Q, softmax of Q, or any")

    def loop(self, particles: int) -> Loop:
        """Its equation."""
        return Loop()
