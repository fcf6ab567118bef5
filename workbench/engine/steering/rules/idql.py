"""IDQL: an IQL critic chooses among many samples of the behaviour flow."""

from typing import Any, ClassVar

from workbench.engine.steering.protocol import Unguided, setting
from workbench.engine.steering.pruning import Pruned


class IDQL(Pruned, Unguided):
    r"""Implicit Diffusion Q-Learning, with a flow in place of the diffusion model (IFQL in FQL's comparison).

    .. math:: a = \arg\max_{i \le N} Q_{IQL}(s, a_i), \qquad a_i \sim \mu(\cdot \mid s)

    Source: IDQL, arXiv 2304.10573 (methods.md, section 6; methods_more.md, section 11). It is best-of-N with many samples and a
    critic trained by IQL (``workbench fit --critic iql``, the default); under another critic it is plain best-of-N. N = 32 as in
    FQL's comparison, whose IFQL adds the critics' losses (``critic_sum=true`` in training) and picks by the online critics
    (``critic="online"``). Departures: the paper also samples in proportion to IQL's implicit weights; here ``pick=softmax`` is
    the soft choice.

    Cost: T velocity evaluations.
    """

    name: ClassVar[str] = "idql"
    title: ClassVar[str] = "IDQL"
    paper: ClassVar[str] = "IDQL, arXiv 2304.10573"
    equation: ClassVar[str] = r"a = \arg\max_{i \leq N} Q_{\mathrm{IQL}}(s, a_i), \quad a_i \sim \mu(\cdot \mid s)"
    strength: ClassVar[str] = "particles"
    bc_at: ClassVar[dict[str, Any] | None] = {"particles": 1}

    particles: int = setting(32, "candidate actions N drawn per state", unit="particles", low=1, high=1024, log=True)
