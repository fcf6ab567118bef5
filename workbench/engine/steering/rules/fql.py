"""FQL: one jump from noise to an action, by a policy distilled from the flow while it climbed the critic."""

from typing import ClassVar

from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import OneJump


class FQL(OneJump):
    r"""Flow Q-Learning's one-step policy.

    .. math:: a = \mathrm{clip}\,\omega(s, z), \qquad
              \omega = \arg\min\ \alpha \lVert \omega(s, z) - \mathrm{flow}(s, z) \rVert^2 - Q(s, \omega(s, z))

    Source: FQL, arXiv 2502.02538 (methods.md, section 6). α (``fql_alpha``) is chosen in training:
    when it is huge, ω is the flow in one step; when it is small, ω goes where Q is largest. The published critic is
    ``td_actor`` with ``actor=fql``; any other critic works too. Departures: see training/one_step.py.

    Cost: 1 one-step evaluation.
    """

    name: ClassVar[str] = "fql"
    title: ClassVar[str] = "FQL"
    paper: ClassVar[str] = "FQL, arXiv 2502.02538"
    equation: ClassVar[str] = (
        r"a = \omega(s, z), \quad "
        r"\omega = \arg\min\ \alpha \| \omega(s, z) - \mathrm{flow}(s, z) \|^2 - Q(s, \omega(s, z))"
    )
    needs: ClassVar[tuple[str, ...]] = ("one_step",)
    trained_strength: ClassVar[str | None] = "fql_alpha"

    def jump(self, parts: Parts, rows: Tensor, start: Tensor) -> Tensor:
        """ω(s, z)."""
        result: Tensor = parts.part("one_step")(rows, start)
        return result
