"""Analytic critics: landscapes of Gaussian bumps whose gradient and maximum are known.

For tests, for lessons, and for figures that a reader changes by hand: moving the peak is a call, not a training run.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.engine.models.critic import Aggregate, aggregate


class Bumps(nn.Module):
    r"""A sum of Gaussian bumps over actions; a `Critic`.

    .. math:: Q_k(s, a) = \sum_c h_{kc} \exp\!\Big( -\frac{\lVert a - \mu_c \rVert^2}{2 \sigma_c^2} \Big)

    The first bump is the *peak*: the one that `with_peak` moves.

    Parameters
    ----------
    centers : Tensor
        (C, D), the bumps' places μ_c, action units.
    widths : Tensor
        (C,), their standard deviations σ_c > 0, action units.
    heights : Tensor
        (C,), or (K, C) for an ensemble whose members disagree; units of Q, negative ones are dents.

    Raises
    ------
    ValueError
        The shapes disagree or a width is not positive.
    """

    centers: Tensor
    widths: Tensor
    heights: Tensor

    def __init__(self, centers: Tensor, widths: Tensor, heights: Tensor) -> None:
        super().__init__()
        members = heights[None] if heights.dim() == 1 else heights
        count = centers.shape[:1]
        if centers.dim() != 2 or widths.shape != count or members.dim() != 2 or members.shape[1:] != count:
            raise ValueError(
                "bumps need centers (C, D), widths (C,) and heights (C,) or (K, C), "
                f"got {tuple(centers.shape)}, {tuple(widths.shape)} and {tuple(heights.shape)}"
            )
        if not bool((widths > 0).all()):
            raise ValueError(f"bump widths must be positive, got {widths.tolist()}")
        self.register_buffer("centers", centers.detach().clone())
        self.register_buffer("widths", widths.detach().clone())
        self.register_buffer("heights", members.detach().clone())

    @property
    def peak(self) -> Tensor:
        """Place (D,) of the first bump."""
        return self.centers[0]

    def with_peak(self, peak: Tensor) -> Bumps:
        """Return a landscape with the first bump at ``peak`` (D,), clipped to [-1, 1]; this one stays as it is.

        Raises
        ------
        ValueError
            ``peak`` is not (D,).
        """
        if peak.shape != self.peak.shape:
            raise ValueError(f"this landscape's peak has shape {tuple(self.peak.shape)}, got {tuple(peak.shape)}")
        moved = torch.cat((peak.to(self.centers).clamp(-1.0, 1.0)[None], self.centers[1:]))
        return Bumps(moved, self.widths, self.heights)

    def forward(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Return Q_k, (K, M), at ``actions`` (M, D); ``observations`` (M, S) are not looked at."""
        return self.heights @ self._shapes(actions).mT

    @torch.no_grad()
    def value_and_grad(self, observations: Tensor, actions: Tensor, how: Aggregate) -> tuple[Tensor, Tensor]:
        """Return the aggregated value (M,) and its gradient with respect to the action (M, D), in closed form."""
        shapes = self._shapes(actions)  # (M, C)
        q = self.heights @ shapes.mT  # (K, M)
        heights = self.heights[q.argmin(0)] if how == "min" else self.heights.mean(0)  # (M, C) or (C,)
        pull = heights * shapes / self.widths.square()
        grad = (pull[..., None] * (self.centers - actions[:, None])).sum(1)
        return aggregate(q, how), grad

    def _shapes(self, actions: Tensor) -> Tensor:
        """Each bump at height 1, (M, C)."""
        distances = (actions[:, None] - self.centers).square().sum(-1)
        return torch.exp(-distances / (2.0 * self.widths.square()))
