"""ReBRAC: a deterministic policy that climbed the critic near the data."""

from typing import ClassVar

from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.pick import Pick
from workbench.engine.steering.protocol import OneJump, setting


class ReBRAC(OneJump):
    r"""The deterministic actor of ReBRAC: a reparameterised policy gradient with a behaviour penalty.

    .. math:: a = \pi(s), \qquad \pi = \arg\min\ \beta_1 \lVert \pi(s) - a_{data} \rVert^2 - Q(s, \pi(s))

    Source: ReBRAC, arXiv 2305.09836 (methods.md, section 6). The noise is not looked at, so all
    particles are the same action. One action per state cannot follow data with several modes: with a strong penalty it plays
    their average. β1 (``rebrac_bc``) is chosen in training. The published critic is ``td_actor`` with ``actor=rebrac``.
    Departures: see training/rebrac_actor.py.

    Cost: 1 rebrac-actor evaluation.
    """

    name: ClassVar[str] = "rebrac"
    title: ClassVar[str] = "ReBRAC"
    paper: ClassVar[str] = "ReBRAC, arXiv 2305.09836"
    equation: ClassVar[str] = r"a = \pi(s), \quad \pi = \arg\min\ \beta_1 \| \pi(s) - a \|^2 - Q(s, \pi(s))"
    needs: ClassVar[tuple[str, ...]] = ("rebrac_actor",)
    trained_strength: ClassVar[str | None] = "rebrac_bc"

    pick: Pick = setting("uniform", "which particle becomes the action: here they are all the same")

    def jump(self, parts: Parts, rows: Tensor, start: Tensor) -> Tensor:
        """π(s)."""
        result: Tensor = parts.part("rebrac_actor")(rows)
        return result
