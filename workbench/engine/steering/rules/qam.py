"""QAM: the behaviour flow fine-tuned towards exp(Q/α) by adjoint matching."""

from typing import ClassVar

from workbench.engine.steering.protocol import TrainedFlow


class QAM(TrainedFlow):
    r"""Q-learning with Adjoint Matching: a flow whose samples follow μ(a|s) exp(Q(s, a)/α).

    .. math:: a \leftarrow a + \delta\, v(s, a, t), \qquad v = v_\mu + (1 - t)\, \mathbb E[e_t \mid a_t], \quad
              \frac{de}{dt} = -2\, \nabla v_\mu^\top e, \quad e_1 = \nabla_a Q / \alpha

    Source: QAM, arXiv 2601.14234, on adjoint matching, arXiv 2409.08861 (methods.md, section 6).
    Training follows trajectories of the memoryless SDE of v and sampling is its ODE, as published.
    1/α (``qam_inverse_temperature``) is chosen in training; at 0 it is the behaviour flow. The published critic is
    ``td_actor`` with ``actor=qam``. Departures, and the derivation: see training/adjoint_flow.py.

    Cost: T adjoint-flow evaluations.
    """

    name: ClassVar[str] = "qam"
    title: ClassVar[str] = "QAM"
    paper: ClassVar[str] = "QAM, arXiv 2601.14234"
    equation: ClassVar[str] = (
        r"a \leftarrow a + \delta\, v, \quad v = v_\mu + (1 - t)\, \mathbb{E}[e_t \mid a_t], \quad "
        r"\dot e = -2\, \nabla v_\mu^\top e, \quad e_1 = \nabla_a Q / \alpha"
    )
    needs: ClassVar[tuple[str, ...]] = ("adjoint_flow",)
    trained_strength: ClassVar[str | None] = "qam_inverse_temperature"
    field: ClassVar[str] = "adjoint_flow"
