"""The closed-form flow of a mixture of Gaussians: a behaviour policy whose every answer is known.

Data x_1 ~ Σ_k π_k N(m_k, s_k² I), noise x_0 ~ N(0, I), x_t = (1 - t) x_0 + t x_1 (methods.md, section 2). The velocity
that flow matching would learn from infinite data, E[x_1 - x_0 | x_t], is then a formula, and so are the mixture's
moments and density. Tests and lessons use it where a trained network would only be approximately right.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class MixtureFlow(nn.Module):
    r"""The velocity field E[x_1 - x_0 | x_t] of a mixture of isotropic Gaussians; a `Reference`.

    .. math:: v(x, t) = \sum_k \rho_k(x, t) \Big[ m_k + \frac{t s_k^2 - (1 - t)}{\tau_k^2} (x - t m_k) \Big], \qquad
              \tau_k^2 = (1 - t)^2 + t^2 s_k^2, \quad \rho_k \propto \pi_k\, \mathcal N(x; t m_k, \tau_k^2 I)

    Parameters
    ----------
    means : Tensor
        (C, D), the component means m_k, action units.
    scales : Tensor
        (C,), the standard deviations s_k > 0, action units.
    weights : Tensor
        (C,), positive; divided by their sum they are π_k.

    Raises
    ------
    ValueError
        The shapes disagree, or a scale or a weight is not positive.
    """

    means: Tensor
    scales: Tensor
    weights: Tensor
    takes_number = True  # see `velocity_at`

    def __init__(self, means: Tensor, scales: Tensor, weights: Tensor) -> None:
        super().__init__()
        if means.dim() != 2 or scales.shape != means.shape[:1] or weights.shape != means.shape[:1]:
            raise ValueError(
                "a mixture needs means (C, D), scales (C,) and weights (C,), "
                f"got {tuple(means.shape)}, {tuple(scales.shape)} and {tuple(weights.shape)}"
            )
        if not bool((scales > 0).all()) or not bool((weights > 0).all()):
            raise ValueError(
                "a mixture's scales and weights must be positive, "
                f"got scales {scales.tolist()} and weights {weights.tolist()}"
            )
        self.register_buffer("means", means.detach().clone())
        self.register_buffer("scales", scales.detach().clone())
        self.register_buffer("weights", (weights / weights.sum()).detach())

    @property
    def action_dim(self) -> int:
        """D."""
        return int(self.means.shape[1])

    def forward(self, observations: Tensor, actions: Tensor, t: Tensor | float) -> Tensor:
        """Return velocities (M, D) at ``actions`` (M, D) and time ``t`` in [0, 1], one number or (M,).

        ``observations`` (M, S) are not looked at: the mixture is the same for every state.
        """
        times = t if isinstance(t, (int, float)) else t.to(actions).reshape(-1)  # a number or (1 or M,)
        scales, means = self.scales[:, None], self.means.mT[..., None]  # (C, 1), (D, C, 1)
        variances = (1.0 - times) ** 2 + (times * scales) ** 2  # (C, 1 or M)
        offsets = actions.mT[:, None] - times * means  # (D, C, M): long rows are summed faster than short ones
        terms = self._log_terms(offsets, variances)
        shares = torch.exp(
            terms - terms.amax(0)
        )  # not softmax: along the first axis its last few rows round differently
        shares = shares / shares.sum(0)  # (C, M)
        slopes = (times * scales.square() - (1.0 - times)) / variances
        return (shares * (means + slopes * offsets)).sum(1).mT.contiguous()

    def mean(self) -> Tensor:
        """Mean of the mixture, (D,)."""
        return self.weights @ self.means

    def covariance(self) -> Tensor:
        """Covariance of the mixture, (D, D): within the components plus between them."""
        centred = self.means - self.mean()
        within = (self.weights * self.scales.square()).sum()
        between = (self.weights[:, None] * centred).mT @ centred
        return between + within * torch.eye(self.action_dim, dtype=centred.dtype, device=centred.device)

    def log_density(self, actions: Tensor) -> Tensor:
        """Log density (M,) of the mixture, before any clipping, at ``actions`` (M, D)."""
        offsets = actions.mT[:, None] - self.means.mT[..., None]
        return self._log_terms(offsets, self.scales.square()[:, None]).logsumexp(0)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw ``count`` actions (M, D) directly, without the flow and without clipping."""
        device = generator.device
        component = torch.multinomial(self.weights.to(device), count, replacement=True, generator=generator)
        noise = torch.randn(count, self.action_dim, dtype=self.means.dtype, generator=generator, device=device)
        return self.means.to(device)[component] + self.scales.to(device)[component][:, None] * noise

    def nearest_component(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the component closest to each of ``actions`` (M, D) and how far it is in its scales, (M,) each."""
        far = (actions[:, None] - self.means).norm(dim=-1) / self.scales
        distance, component = far.min(1)
        return component, distance

    def _log_terms(self, offsets: Tensor, variances: Tensor) -> Tensor:
        """log π_k N(offset; 0, variance I), (C, M), for ``offsets`` (D, C, M) and ``variances`` (C, 1 or M)."""
        normalizer = torch.log(self.weights)[:, None] - 0.5 * self.action_dim * torch.log(2.0 * math.pi * variances)
        return normalizer - offsets.square().sum(0) / (2.0 * variances)
