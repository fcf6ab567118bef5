"""QSM: a diffusion policy whose noise estimate is matched to the critic's gradient, and to the data."""

from typing import ClassVar

from workbench.engine.steering.diffusion import TrainedDiffusion


class QSM(TrainedDiffusion):
    r"""Q-score matching with imitation: the score of the policy is drawn to the critic's gradient.

    .. math:: a \leftarrow \mathrm{denoise}(a, \hat\epsilon), \qquad
              \hat\epsilon = \arg\min\ \alpha \lVert \epsilon - \hat\epsilon(s, x_t, t) \rVert^2
              + \lVert -\tfrac{1}{\beta} \nabla Q(s, x_t) - \hat\epsilon(s, x_t, t) \rVert^2

    Source: QSM, arXiv 2312.11752, with imitation as in QGF's code (methods_more.md, section 14). The best estimate is a mean,
    weighted α to 1, of the data's own and of −∇Q/β. 1/β (``qsm_inverse_temperature``) and α (``qsm_alpha``) are chosen in
    training. Departures: both clips of the sampler are on by default, and the end is always clipped; see
    training/losses/diffusion.py.

    Cost: T qsm-actor evaluations; the clock is asked T times for all particles together.
    """

    name: ClassVar[str] = "qsm"
    title: ClassVar[str] = "QSM"
    paper: ClassVar[str] = "QSM, arXiv 2312.11752"
    equation: ClassVar[str] = (
        r"a \leftarrow \mathrm{denoise}(a, \hat\epsilon), \quad \hat\epsilon = \arg\min\ \alpha \| \epsilon - \hat\epsilon \|^2 "
        r"+ \| -\frac{1}{\beta} \nabla Q(s, x_t) - \hat\epsilon \|^2"
    )
    needs: ClassVar[tuple[str, ...]] = ("qsm_actor",)
    trained_strength: ClassVar[str | None] = "qsm_inverse_temperature"
    field: ClassVar[str] = "qsm"
