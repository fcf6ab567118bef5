"""Sampling what a noised action may become: clean actions given where the flow is now, by the flow itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from workbench.engine.models.parts import Reference, velocity_at


def posterior_samples(
    reference: Reference,
    observations: Tensor,
    actions: Tensor,
    velocity: Tensor,
    t: float,
    noise: Tensor,
    flow_steps: int,
) -> Tensor:
    r"""Draw clean actions from p(x_1 | x_t) of the behaviour flow, without any further network.

    A second flow starts from fresh noise y and is at time τ a second noised view of the same clean action,
    y_τ = (1 - τ) ε + τ x_1. Two independent Gaussian views of x_1 say as much as one of their joint signal-to-noise ratio,

    .. math:: \frac{t'^2}{(1-t')^2} = \frac{t^2}{(1-t)^2} + \frac{\tau^2}{(1-\tau)^2}, \qquad
              x' = (1-t') \Big( \tfrac{t}{(1-t)^2}\, x_t + \tfrac{\tau}{(1-\tau)^2}\, y_\tau \Big) \Big/ \tfrac{t'}{1-t'},

    so that E[x_1 | x_t, y_τ] = x' + (1 - t') v(x', t') and dy/dτ = (E[x_1 | x_t, y_τ] - y) / (1 - τ). The steps are those
    at which t' walks the flow's own grid, since a network may know no other times.

    Parameters
    ----------
    reference : Reference
    observations : Tensor
        (R, S).
    actions, velocity : Tensor
        (R, D), x_t and v(x_t, t).
    t : float
        A time of the grid, 0 ≤ t < 1.
    noise : Tensor
        (R, M, D), standard normal.
    flow_steps : int
        T.

    Returns
    -------
    Tensor
        (R, M, D), not clipped. At the last time of the grid all M are the mean x_t + (1 - t) v.

    Notes
    -----
    Cost: M (n - 1) velocity evaluations for n remaining steps. Source of the reparameterisation: GLASS Flows,
    arXiv 2509.25170, restated for x_t = (1 - t) x_0 + t x_1.
    """
    samples, here = noise.shape[1], actions[:, None]
    rows = observations.repeat_interleave(samples, 0)
    known, tau, y = t / (1.0 - t), 0.0, noise
    mean = (actions + (1.0 - t) * velocity)[:, None]  # before anything is known of y
    first = round(t * flow_steps)
    for i in range(first, flow_steps):
        if i > first:
            time = i / flow_steps
            ratio = time / (1.0 - time)
            x = (1.0 - time) / ratio * (known / (1.0 - t) * here + tau / (1.0 - tau) ** 2 * y)
            v = velocity_at(reference, rows, x.flatten(0, 1), time).view(x.shape)
            mean = x + (1.0 - time) * v
        after = _second_time(i + 1, flow_steps, known)
        y = torch.lerp(y, mean.expand_as(y), (after - tau) / (1.0 - tau))
        tau = after
    return y


def _second_time(tick: int, flow_steps: int, known: float) -> float:
    """τ at which both views together are worth time ``tick`` / T."""
    if tick == flow_steps:
        return 1.0
    own = math.sqrt(max((tick / (flow_steps - tick)) ** 2 - known**2, 0.0))
    return own / (1.0 + own)
