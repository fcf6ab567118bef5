"""IQL's own policy: advantage-weighted imitation of the data."""

from typing import ClassVar

from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.pick import Pick
from workbench.engine.steering.protocol import OneJump, setting


class IQL(OneJump):
    r"""The Gaussian policy of implicit Q-learning, trained by advantage-weighted regression.

    .. math:: a = m(s) + \sigma(s)\, z, \qquad \pi = \arg\max\ \min(e^{A(s, a) / \alpha}, 100)\, \log \pi(a \mid s)

    Source: IQL, arXiv 2110.06169 (methods.md, section 6). Training never asks the critic about
    actions outside the data, so it cannot be fooled there, and it cannot leave the data either; a Gaussian over data
    with several modes has its mean between them. α (``awr_temperature``) is chosen in training. The mean is played, or with
    ``sample`` a draw. Departures: see training/awr_actor.py.

    Cost: 1 awr-actor evaluation.
    """

    name: ClassVar[str] = "iql"
    title: ClassVar[str] = "IQL (advantage-weighted)"
    paper: ClassVar[str] = "IQL, arXiv 2110.06169"
    equation: ClassVar[str] = (
        r"a = m(s) + \sigma(s)\, z, \quad \pi = \arg\max\ \min(e^{A(s, a) / \alpha}, 100) \log \pi(a \mid s)"
    )
    needs: ClassVar[tuple[str, ...]] = ("awr_actor",)
    trained_strength: ClassVar[str | None] = "awr_temperature"

    pick: Pick = setting("uniform", "which particle becomes the action: arg max Q, softmax of Q, or any")
    sample: bool = setting(False, "draw from the Gaussian instead of playing its mean")

    def jump(self, parts: Parts, rows: Tensor, start: Tensor) -> Tensor:
        """The mean, or mean + standard deviation · noise."""
        mean: Tensor
        mean, log_std = parts.part("awr_actor")(rows)
        return mean + log_std.exp() * start if self.sample else mean
