"""Log-likelihood of actions under the behaviour flow: how plausible the behaviour policy finds a steered action.

Two flows can be meant, and they differ:

- ``euler``: what is really sampled, the map F of T Euler steps. Its density is an exact change of variables, so nothing
  is approximated but the inversion (Newton's method, to float rounding).
- ``ode``: the flow that T → ∞ would give, its divergence integrated backwards by Heun's rule.

Networks with QGF's time embedding are trained at t = 0, 1/T, …, 1 only and mean nothing between; both ask for the
velocity at multiples of 1/``flow_steps`` alone. Clipping to [-1, 1] is left out: the density is that of the action
before the clip. On the boundary, where the clipped policy has an atom, it is the unclipped density there.

Shapes: M rows, S observation and D action dimensions, P probes.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from workbench.engine.models.parts import Reference, velocity_at

Flow = Literal["euler", "ode"]
EXACT_UP_TO = 8  # action dimensions; above, the divergence is estimated with probes
ITERATIONS = 20
HALVINGS = 6
TOLERANCE = 1e-4  # an action that F does not reach to this distance has no likelihood


class HiddenDerivative(ValueError):
    """The velocity depends on the action, and autograd cannot see how."""


class Likelihood(NamedTuple):
    """Answer of `log_likelihood`.

    Attributes
    ----------
    value : Tensor
        (M,), log density in nats (of a density per action unit to the power D); NaN where no noise leads to the action.
    noise : Tensor
        (M, D), the a_0 that the flow turns into the action.
    """

    value: Tensor
    noise: Tensor


def log_likelihood(
    reference: Reference,
    observations: Tensor,
    actions: Tensor,
    flow_steps: int,
    flow: Flow = "euler",
    probes: Tensor | None = None,
) -> Likelihood:
    r"""Log density of ``actions`` under the flow of ``reference`` (methods.md, sections 2 and 7).

    .. math:: \text{euler:}\quad \log p(a_T) = \log \mathcal N(a_0; 0, I)
              - \sum_i \log \big|\det(I + \delta\, \partial_a v(s, a_i, i/T))\big|
    .. math:: \text{ode:}\quad \log p(a_1) = \log \mathcal N(a_0; 0, I) - \int_0^1 \mathrm{tr}\, \partial_a v(s, a_t, t)\, dt

    Parameters
    ----------
    reference : callable
        v(observations (M, S), actions (M, D), t (M,)) -> (M, D), differentiable in the action; any torch code.
    observations : Tensor
        (M, S), as the reference expects them (normalised).
    actions : Tensor
        (M, D), action units.
    flow_steps : int
        T of the policy that is sampled. For ``ode`` the number of Heun steps; more are better where v is trained for
        every t.
    flow : {"euler", "ode"}
    probes : Tensor, optional
        (P, M, D), independent entries of mean 0 and variance 1. With them ``ode`` takes Hutchinson's estimate of the
        trace, mean over P of zᵀ (∂v/∂a) z, unbiased for the divergence. Needed there when D > 8.

    Returns
    -------
    Likelihood
        Where F folds space, so that several a_0 lead to one action, ``euler`` counts the one that it finds: a lower bound.

    Raises
    ------
    ValueError
        ``ode`` with D > 8 and no probes, probes of another shape, or a velocity whose derivative is hidden (`HiddenDerivative`).
    """
    shape = tuple(actions.shape)
    if probes is not None and (flow != "ode" or tuple(probes.shape[1:]) != shape):
        raise ValueError(
            f"probes are for flow='ode' and must be (P, M, D) with (M, D) = {shape}, got {tuple(probes.shape)}"
        )
    if flow == "ode" and probes is None and shape[1] > EXACT_UP_TO:
        raise ValueError(
            f"the exact divergence is for D ≤ {EXACT_UP_TO}, these actions have D = {shape[1]}; pass probes (P, M, D), "
            "for example torch.randn(8, *actions.shape, generator=generator), or use flow='euler'"
        )
    observations, actions = observations.detach(), actions.detach()
    if flow == "euler":
        return _euler(reference, observations, actions, flow_steps)
    return _ode(reference, observations, actions, flow_steps, probes)


def standard_normal_log_density(x: Tensor) -> Tensor:
    """Log density (M,) of N(0, I) at ``x`` (M, D)."""
    return -0.5 * (x.square().sum(-1) + x.shape[-1] * math.log(2.0 * math.pi))


def velocity_and_jacobian(
    reference: Reference, observations: Tensor, actions: Tensor, t: float, until: float | None = None
) -> tuple[Tensor, Tensor]:
    """Velocity (M, D) and ∂v_i/∂a_j (M, D, D) at one time: one forward pass, then a backward pass per dimension.

    With ``until`` that of a step which ends there, as `velocity_at` has it.

    Rows are taken to be independent of each other, as everywhere in the workbench.
    """
    velocity, leaf = _differentiable(reference, observations, actions, t, until)
    units = torch.eye(actions.shape[1], dtype=actions.dtype, device=actions.device)
    rows = [_pull(velocity, leaf, unit.expand_as(actions)) for unit in units]
    return velocity.detach(), torch.stack(rows, 1)


def _euler(reference: Reference, observations: Tensor, actions: Tensor, flow_steps: int) -> Likelihood:
    """Undo the T steps one by one, adding up the log determinants."""
    x, log_det = actions, torch.zeros_like(actions[:, 0])
    reached = torch.ones_like(log_det, dtype=torch.bool)
    for i in reversed(range(flow_steps)):
        x, step_log_det, residual = _undo(
            reference, observations, x, (i / flow_steps, (i + 1) / flow_steps), 1.0 / flow_steps
        )
        log_det = log_det + step_log_det
        reached &= residual < TOLERANCE
    value = standard_normal_log_density(x) - log_det
    return Likelihood(torch.where(reached, value, torch.nan), x)


def _undo(
    reference: Reference, observations: Tensor, target: Tensor, step: tuple[float, float], delta: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Solve x + δ v(s, x, t) = target, t the beginning of ``step``, by Newton's method, each row's step halved until it helps.

    Returns x (M, D), log|det(I + δ J)| there (M,), and how far x + δ v still is from the target (M,).
    """
    eye = torch.eye(target.shape[1], dtype=target.dtype, device=target.device)
    close = 8.0 * torch.finfo(target.dtype).eps * (1.0 + target.norm(dim=1))
    x = target
    for _ in range(ITERATIONS):
        velocity, jacobian = velocity_and_jacobian(reference, observations, x, *step)
        slope, miss = eye + delta * jacobian, x + delta * velocity - target
        size = miss.norm(dim=1)
        if bool((size <= close).all()):
            break
        away, _ = torch.linalg.solve_ex(slope, miss)
        away, share = torch.nan_to_num(away), torch.ones_like(size)
        for _ in range(HALVINGS):
            tried = x - share[:, None] * away
            with torch.no_grad():
                now = (tried + delta * velocity_at(reference, observations, tried, *step) - target).norm(dim=1)
            worse = (now > size) & (now > close)
            if not bool(worse.any()):
                break
            share = torch.where(worse, 0.5 * share, share)
        x = torch.where((now <= size)[:, None], tried, x)
    else:
        velocity, jacobian = velocity_and_jacobian(reference, observations, x, *step)
        slope, size = eye + delta * jacobian, (x + delta * velocity - target).norm(dim=1)
    return x, torch.linalg.slogdet(slope).logabsdet, size


def _ode(
    reference: Reference, observations: Tensor, actions: Tensor, flow_steps: int, probes: Tensor | None
) -> Likelihood:
    """Heun's rule backwards for the action and its divergence together."""
    x, total, delta = actions, torch.zeros_like(actions[:, 0]), 1.0 / flow_steps
    velocity, divergence = _velocity_and_divergence(reference, observations, x, 1.0, probes)
    for i in reversed(range(flow_steps)):
        with torch.no_grad():
            guess = velocity_at(reference, observations, x - delta * velocity, i / flow_steps)
        x = x - 0.5 * delta * (velocity + guess)
        before = divergence
        velocity, divergence = _velocity_and_divergence(reference, observations, x, i / flow_steps, probes)
        total = total + 0.5 * delta * (before + divergence)
    return Likelihood(standard_normal_log_density(x) - total, x)


def _velocity_and_divergence(
    reference: Reference, observations: Tensor, actions: Tensor, t: float, probes: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Velocity (M, D) and its divergence (M,): the exact trace, or Hutchinson's estimate with ``probes``."""
    if probes is None:
        velocity, jacobian = velocity_and_jacobian(reference, observations, actions, t)
        return velocity, jacobian.diagonal(dim1=1, dim2=2).sum(1)
    velocity, leaf = _differentiable(reference, observations, actions, t)
    estimates = [(_pull(velocity, leaf, z) * z).sum(1) for z in probes]
    return velocity.detach(), torch.stack(estimates).mean(0)


def _differentiable(
    reference: Reference, observations: Tensor, actions: Tensor, t: float, until: float | None = None
) -> tuple[Tensor, Tensor]:
    """The velocity with its graph, and the action it was asked at."""
    with torch.enable_grad():
        leaf = actions.detach().requires_grad_()
        velocity = velocity_at(reference, observations, leaf, t, until)
    if not velocity.requires_grad:  # a field that ignores the action is fine, one that hides its derivative is not
        with torch.no_grad():
            if not torch.equal(velocity_at(reference, observations, actions + 0.1, t, until), velocity):
                raise HiddenDerivative(
                    "the velocity field hides its derivative in the action: it detaches it or turns autograd off "
                    "(torch.no_grad, .detach(), .numpy()); the likelihood needs it"
                )
        velocity = velocity + 0.0 * leaf
    return velocity, leaf


def _pull(velocity: Tensor, leaf: Tensor, weights: Tensor) -> Tensor:
    """Σ_i weights_i ∂v_i/∂a, (M, D)."""
    gradient: Tensor | None = torch.autograd.grad(velocity, leaf, weights, retain_graph=True, allow_unused=True)[0]
    return torch.zeros_like(weights) if gradient is None else gradient
