"""DAC: a diffusion policy whose noise estimate leans against the critic's gradient."""

from typing import ClassVar

from workbench.engine.steering.diffusion import TrainedDiffusion


class DAC(TrainedDiffusion):
    r"""Diffusion actor-critic: imitation of the data with a term linear in the noise estimate.

    .. math:: a \leftarrow \mathrm{denoise}(a, \hat\epsilon), \qquad
              \hat\epsilon = \arg\min\ \alpha \lVert \epsilon - \hat\epsilon(s, x_t, t) \rVert^2
              + \sqrt{1 - \bar\alpha_t}\; \nabla Q(s, x_t) \cdot \hat\epsilon(s, x_t, t)

    Source: DAC, arXiv 2405.20555, as in QGF's code (methods_more.md, section 14). The best estimate is the data's own less
    √(1 − ᾱ) ∇Q / (2 α): guidance by the critic's gradient at the noised action, as ``noisy``, learned in training. α
    (``dac_alpha``) is chosen in training. Departures: both clips of the sampler are on by default, and the end is always
    clipped; see training/losses/diffusion.py.

    Cost: T dac-actor evaluations; the clock is asked T times for all particles together.
    """

    name: ClassVar[str] = "dac"
    title: ClassVar[str] = "DAC"
    paper: ClassVar[str] = "DAC, arXiv 2405.20555"
    equation: ClassVar[str] = (
        r"a \leftarrow \mathrm{denoise}(a, \hat\epsilon), \quad \hat\epsilon = \arg\min\ \alpha \| \epsilon - \hat\epsilon \|^2 "
        r"+ \sqrt{1 - \bar\alpha_t}\; \nabla Q(s, x_t) \cdot \hat\epsilon"
    )
    needs: ClassVar[tuple[str, ...]] = ("dac_actor",)
    trained_strength: ClassVar[str | None] = "dac_alpha"
    field: ClassVar[str] = "dac"
