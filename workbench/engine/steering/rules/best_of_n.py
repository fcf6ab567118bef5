"""Best of N: sample the behaviour flow N times and keep the action that the critic likes most."""

from typing import Any, ClassVar

from workbench.engine.steering.loop import Loop
from workbench.engine.steering.protocol import Unguided, setting
from workbench.engine.steering.pruning import Pruned


class BestOfN(Pruned, Unguided):
    r"""Rejection by value: N samples of the behaviour policy, the arg max of Q is the action.

    .. math:: a = \arg\max_{i \le N} Q(s, a_i), \qquad a_i \sim \mu(\cdot \mid s)

    Source: IDQL, arXiv 2304.10573; methods.md, section 5. It never leaves the support of the data:
    displacement reads 0, while the distribution of the picked action does shift. Departures: none known.

    Cost: T velocity evaluations.
    """

    name: ClassVar[str] = "best_of_n"
    title: ClassVar[str] = "Best of N"
    paper: ClassVar[str] = "IDQL, arXiv 2304.10573"
    equation: ClassVar[str] = r"a = \arg\max_{i \leq N} Q(s, a_i), \quad a_i \sim \mu(\cdot \mid s)"
    strength: ClassVar[str] = "particles"
    bc_at: ClassVar[dict[str, Any] | None] = {"particles": 1}

    particles: int = setting(4, "candidate actions N drawn per state", unit="particles", low=1, high=1024, log=True)

    def loop(self, particles: int) -> Loop | None:
        """Sampling, unless the pruning changes it."""
        return None if self.keep < particles else Loop()
