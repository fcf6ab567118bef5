"""A Gaussian behaviour policy as a velocity field, so that whatever steers a flow steers it too."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.engine.models.mlp import MlpShape
from workbench.engine.models.parts import Pull
from workbench.engine.models.picture_mlp import make_net
from workbench.engine.models.policies import LOG_STD

HEAD = 0.01  # initial weights of the mean are smaller by this, as published
HALVINGS = 24  # of the interval, in the search for the noise behind a squashed action
POLISHES = 2  # of it by Newton's steps
SLOWEST = 1e-6  # least rise of x_t with z: where a tanh is flat, and t = 1, there is none
EDGE = 1.0 - 1e-6  # actions nearer to the border count as this: the tanh of no number is 1


class GaussianFlow(nn.Module):
    r"""N(m(s), diag σ²), a tanh around it where asked for, as the velocity field of straight lines from noise to action.

    .. math:: a(z) = m(s) + \sigma z, \quad x_t = (1 - t)\, z + t\, a(z), \qquad
              v(s, x, t) = a(z) - z, \quad z = \frac{x - t\, m(s)}{1 - t + t \sigma}

    Noise and action are coupled: z is the noise that the action is made of. So Euler's steps are exact whatever T is, and the
    samples are exactly N(m, σ²); of the field that flow matching would find from independent noise, with
    :math:`v = m + \frac{t \sigma^2 - (1 - t)}{(1 - t)^2 + t^2 \sigma^2} (x - t m)`, that holds for T → ∞ alone. The price:
    x + (1 - t) v is the action that the noise leads to, not the mean of all that it might lead to.

    Parameters
    ----------
    observation_dim, action_dim : int
        S and D.
    shape : MlpShape
        S inputs, 2 D outputs: m, and log σ, which is the bias alone, the same at every state, and clipped to [-5, 2].
    tanh : bool
        a(z) = tanh(m + σ z) instead.
    generator : torch.Generator, optional
        Draws the initial weights; σ begins at 1.
    """

    takes_number = True  # see `velocity_at`
    is_straight = True  # see `StraightLines`

    def __init__(
        self,
        observation_dim: int,
        action_dim: int,
        shape: MlpShape,
        tanh: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.observation_dim, self.action_dim, self.tanh = observation_dim, action_dim, tanh
        self.net = make_net(shape, generator)
        with torch.no_grad():
            head = self.net.arrays()[f"{len(shape.hidden)}.weight"]
            head[..., :action_dim].mul_(HEAD)
            head[..., action_dim:].zero_()

    def moments(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """m (M, D) at ``observations`` (M, S), and log σ (1, D), before any tanh."""
        mean: Tensor = self.net(observations)[:, : self.action_dim]
        return mean, self.net.last_bias()[:, self.action_dim :].clamp(*LOG_STD)

    def log_density(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Log density (M,) of the policy, before any clip, at ``actions`` (M, D)."""
        mean, log_std = self.moments(observations)
        x, slope = actions, torch.zeros_like(actions)
        if self.tanh:
            x = torch.atanh(actions.clamp(-EDGE, EDGE))
            slope = _log_slope(x)
        z = (x - mean) * torch.exp(-log_std)
        return -(0.5 * z.square() + log_std + 0.5 * math.log(2.0 * math.pi) + slope).sum(1)

    def forward(self, observations: Tensor, actions: Tensor, t: Tensor | float) -> Tensor:
        """Return velocities (M, D) at ``observations`` (M, S), ``actions`` (M, D), time ``t`` in [0, 1]: (M,) or one number."""
        return self._evaluated(observations, actions, t)[0]

    @torch.no_grad()
    def value_and_pull(self, observations: Tensor, actions: Tensor, t: Tensor | float) -> tuple[Tensor, Pull]:
        """Velocities (M, D) as `forward` gives them, and the map u -> (∂v/∂a)ᵀ u: a factor for each number."""
        v, time, rise = self._evaluated(observations, actions, t)
        factor = (rise - 1.0) / (1.0 - time + time * rise).clamp_min(SLOWEST)
        return v, lambda u: u * factor

    def _evaluated(
        self, observations: Tensor, actions: Tensor, t: Tensor | float
    ) -> tuple[Tensor, Tensor | float, Tensor]:
        """v (M, D), the time as it multiplies rows, and da/dz (M or 1, D)."""
        mean, log_std = self.moments(observations)
        time = float(t) if isinstance(t, float | int) else t.reshape(-1, 1)
        std = log_std.exp()
        if not self.tanh:
            z = (actions - time * mean) / (1.0 - time + time * std)
            return mean + (std - 1.0) * z, time, std
        z = _noise_behind(actions, time, mean, std)
        x = mean + std * z
        return torch.tanh(x) - z, time, std * _log_slope(x).exp()


def _log_slope(x: Tensor) -> Tensor:
    """Log of tanh's derivative, exact far out too."""
    return 2.0 * (math.log(2.0) - x - F.softplus(-2.0 * x))


def _noise_behind(actions: Tensor, time: Tensor | float, mean: Tensor, std: Tensor) -> Tensor:
    """The z (M, D) with (1 - t) z + t tanh(m + σ z) = ``actions``, differentiable once in all of them."""
    with torch.no_grad():
        left = (1.0 - torch.as_tensor(time, dtype=actions.dtype, device=actions.device)).clamp_min(1e-3)
        low, high = (actions - 1.0) / left, (actions + 1.0) / left
        for _ in range(HALVINGS):
            z = 0.5 * (low + high)
            above = (1.0 - time) * z + time * torch.tanh(mean + std * z) > actions
            low, high = torch.where(above, low, z), torch.where(above, z, high)
    z = 0.5 * (low + high)
    for _ in range(POLISHES):
        z = z.detach()
        x = mean + std * z
        rise = (1.0 - time + time * std * _log_slope(x).exp()).detach().clamp_min(SLOWEST)
        z = z - ((1.0 - time) * z + time * torch.tanh(x) - actions) / rise
    return z
