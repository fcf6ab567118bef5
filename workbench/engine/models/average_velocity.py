"""A flow that knows where a whole step leads: its velocity, averaged over the way from one time to another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.engine.models.mlp import Mlp, MlpShape
from workbench.engine.models.parts import Pull
from workbench.engine.models.tangent import push
from workbench.engine.models.velocity import value_and_pull

TIMES = 2  # numbers that say of the times: where the step begins, and how long it is


class AverageVelocity(nn.Module):
    r"""The network of a mean flow (MeanFlow, arXiv 2505.13447): a behaviour flow that can be sampled in one step.

    .. math:: u(s, a_t, t, r) = \frac{1}{r - t} \int_t^r v(s, a_\tau, \tau)\, d\tau, \qquad
              a_r = a_t + (r - t)\, u(s, a_t, t, r)

    with :math:`u(s, a, t, t) = v(s, a, t)`. Times enter as they are, t and r − t, in every family of networks: training
    differentiates u in t, and the sinusoidal embedding of 10000 t has a derivative of that size.

    Parameters
    ----------
    observation_dim, action_dim : int
        S and D.
    shape : MlpShape
        The MLP; its inputs are S + D + 2.
    generator : torch.Generator, optional
        Draws the initial weights.
    """

    takes_number = True  # see `velocity_at`

    def __init__(
        self, observation_dim: int, action_dim: int, shape: MlpShape, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.observation_dim, self.action_dim = observation_dim, action_dim
        self.net = Mlp(shape, generator)

    @staticmethod
    def inputs(observation_dim: int, action_dim: int) -> int:
        """Width of the network's input."""
        return observation_dim + action_dim + TIMES

    def forward(self, observations: Tensor, actions: Tensor, t: Tensor | float) -> Tensor:
        """Return v = u(s, a, t, t), (M, D), at ``observations`` (M, S), ``actions`` (M, D), times ``t``: (M,) or one number."""
        return self.average(observations, actions, t, t)

    def average(self, observations: Tensor, actions: Tensor, t: Tensor | float, until: Tensor | float) -> Tensor:
        """Return u(s, a, t, r), (M, D), with r = ``until``: times are (M,), or one number for all rows."""
        u: Tensor = self.net(self.joined(observations, actions, t, until))
        return u

    @torch.no_grad()
    def value_and_pull(self, observations: Tensor, actions: Tensor, t: Tensor | float) -> tuple[Tensor, Pull]:
        """As `average_and_pull`, of v."""
        return self.average_and_pull(observations, actions, t, t)

    @torch.no_grad()
    def average_and_pull(
        self, observations: Tensor, actions: Tensor, t: Tensor | float, until: Tensor | float
    ) -> tuple[Tensor, Pull]:
        """u (M, D) as `average` gives it, and the map w -> (∂u/∂a)ᵀ w, both without an autograd graph."""
        return value_and_pull(
            self.net, self.joined(observations, actions, t, until), self.observation_dim, self.action_dim
        )

    def change(self, observations: Tensor, actions: Tensor, t: Tensor, until: Tensor, velocity: Tensor) -> Tensor:
        """Return du/dt (M, D) on the way of a particle that moves with ``velocity`` (M, D), r staying: ∂u/∂a · v + ∂u/∂t.

        A constant: no gradient flows through it.
        """
        x = self.joined(observations, actions, t, until).detach()
        still, ones = torch.zeros_like(observations), torch.ones_like(actions[:, :1])
        moving = torch.cat((still, velocity.detach(), ones, -ones), 1)
        return push(self.net, x, moving)

    def joined(self, observations: Tensor, actions: Tensor, t: Tensor | float, until: Tensor | float) -> Tensor:
        """The network's input (M, S + D + 2)."""
        times = [_column(t, actions), _column(until, actions) - _column(t, actions)]
        return torch.cat((observations, actions, *times), 1)


def _column(t: Tensor | float, like: Tensor) -> Tensor:
    """Times as (M, 1): one number stands for all rows."""
    if isinstance(t, float | int):
        return torch.full_like(like[:, :1], t)
    return t.to(like).reshape(-1, 1).expand(like.shape[0], 1)
