"""QPILOTS-M: average the critic's gradient over what the noised action may become."""

from typing import ClassVar

import torch
from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.models.posterior import posterior_samples
from workbench.engine.steering.guided import CriticGuided
from workbench.engine.steering.protocol import setting


class QPilotsM(CriticGuided):
    r"""Guidance by the mean gradient over M samples of the clean action given the noised one.

    .. math:: g = \frac1M \sum_m \nabla_{\hat a_m} Q(s, \hat a_m), \qquad \hat a_m \sim p(a_1 \mid a_t = a)

    Source: QPILOTS, arXiv 2606.14801, of which only the abstract was available (methods.md, section 5). Departures: the
    paper draws the samples by a learned auxiliary network; here the behaviour flow itself draws them
    (`workbench.engine.models.posterior`), exactly in the limit of many steps, and nothing is trained. The abstract calls
    them differentiable; whether its gradient goes through the sampler is not known here, so it is a setting. One set of
    noise serves all T ticks of an action. At the last tick it is ``qgf``.

    Cost: T + M T(T-1)/2 velocity evaluations and M T critic gradients.
    """

    name: ClassVar[str] = "qpilots_m"
    title: ClassVar[str] = "QPILOTS-M"
    paper: ClassVar[str] = "QPILOTS, arXiv 2606.14801"
    equation: ClassVar[str] = (
        r"a \leftarrow a + \delta\,(v + w\, \frac{1}{M} \sum_m \nabla Q(s, \hat a_m)), \quad "
        r"\hat a_m \sim p(a_1 \mid a_t = a)"
    )

    samples: int = setting(4, "samples M of the clean action per particle", unit="samples", low=1, high=64, log=True)
    jacobian: bool = setting(False, "differentiate through the sampler, back to the noised action")

    def extra_draws(self) -> int:
        """M."""
        return self.samples

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float, extra: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """∇Q, the mean over samples of where the action is going."""
        assert extra is not None  # `check_inputs` asks for it
        noise, m = extra[:, :, : self.samples].flatten(0, 1), self.samples
        with torch.set_grad_enabled(self.jacobian):
            leaf = actions.detach().requires_grad_(self.jacobian)
            v = self.velocity(parts, rows, leaf, t) if self.jacobian else velocity
            flat = leaf.flatten(0, 1), v.flatten(0, 1)
            clean = posterior_samples(parts.reference, rows, *flat, t, noise, self.flow_steps).clamp(-1.0, 1.0)
        q, g = self.critic_gradient(parts, rows.repeat_interleave(m, 0), clean.detach())
        pulled = torch.autograd.grad(clean, leaf, g / m)[0] if self.jacobian else g.mean(1).view(actions.shape)
        return pulled, q.view(*actions.shape[:2], m).mean(2), clean.detach().mean(1).view(actions.shape)
