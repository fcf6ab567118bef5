r"""Real-time chunking: draw a chunk of actions of which the first ones are decided already, by guided inpainting of the flow.

While a decision is on its way, the robot plays the chunk before it. So the first d steps of the new chunk are known, and the
next ones should not jump away from what the old chunk had planned for them. Source: Black, Galliker and Levine, "Real-time
execution of action chunking flow policies", arXiv 2506.07339: the flow's velocity is corrected at every step by

.. math:: v' = v + \min\Big(\beta, \frac{1-t}{t\, r_t^2}\Big)\; J^\top W (Y - \hat a), \qquad
          \hat a = a + (1-t)\, v, \quad J = \frac{\partial \hat a}{\partial a}, \quad r_t^2 = \frac{(1-t)^2}{t^2 + (1-t)^2}

with Y what the old chunk planned and W how much each step is held to it. For a standard normal action that must become y, and
without the bound β, this is v' = (y - a) / (1 - t): straight there. Departures: the steps that are decided are also set to Y at
the end, exactly, and the critic judges the chunk with them in place, so that guidance and pick value what will be played.

Shapes: M rows, h steps of a chunk, A = D / h numbers a step.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from workbench.engine.models.critic import Aggregate
from workbench.engine.models.parts import Normalizer, Parts, Pull, q_gradient, velocity_and_pull, velocity_at
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.run import act
from workbench.engine.words import UserError

CLIP = 5.0  # β of the paper


def hold(chunk: int, decided: int, shared: int) -> Tensor:
    """How much each of a chunk's steps is held to the old plan, (h,): 1 where decided, then falling, 0 where there is no plan.

    Parameters
    ----------
    chunk : int
        h.
    decided : int
        d: the first steps, which will be over when the chunk is ready.
    shared : int
        Steps that the old plan reaches into this chunk, at least d.

    Notes
    -----
    Between the two it is c (e^c - 1) / (e - 1) with c = (shared - i) / (shared - d + 1), as published.
    """
    weights = torch.zeros(chunk)
    for i in range(shared):
        c = min(1.0, (shared - i) / (shared - decided + 1))
        weights[i] = 1.0 if i < decided else c * math.expm1(c) / math.expm1(1.0)
    return weights


def correction(t: float, clip: float) -> float:
    """min(β, (1 - t) / (t r²)) at flow time ``t``."""
    against = t * (1.0 - t)
    return clip if against <= 0.0 else min(clip, (t * t + (1.0 - t) ** 2) / against)


class _Behind(nn.Module):
    """A part whose rows begin with a plan (M, D) that it does not know of."""

    def __init__(self, inner: Any, width: int) -> None:
        super().__init__()
        self.inner, self.width = inner, width

    def forward(self, rows: Tensor, *more: Any) -> Any:
        """The part at the rows without the plan."""
        return self.inner(rows[:, self.width :], *more)


class _HeldFlow(nn.Module):
    """A velocity field that leads to chunks near the plan which its rows begin with.

    A rule that differentiates through the flow sees the correction as a constant: its own derivative would be a second one.
    """

    held: Tensor
    takes_number = True  # see `velocity_at`

    def __init__(self, inner: Any, held: Tensor, clip: float) -> None:
        super().__init__()
        self.inner, self.clip = inner, clip
        self.register_buffer("held", held)

    def forward(self, rows: Tensor, actions: Tensor, t: float) -> Tensor:
        """v' (M, D)."""
        return self._held(rows, actions, t, None)

    def average(self, rows: Tensor, actions: Tensor, t: float, until: float) -> Tensor:
        """v' (M, D) of a step to ``until``."""
        return self._held(rows, actions, t, until)

    def average_and_pull(self, rows: Tensor, actions: Tensor, t: float, until: float) -> tuple[Tensor, Pull]:
        """v' (M, D), and its Jacobian transposed, the correction being a constant."""
        _, pull = velocity_and_pull(self.inner, rows[:, self.held.numel() :], actions, t, until)
        return self._held(rows, actions, t, until), pull

    def _held(self, rows: Tensor, actions: Tensor, t: float, until: float | None) -> Tensor:
        width = self.held.numel()
        plan, behind = rows[:, :width], rows[:, width:]
        fixed = actions.detach()
        velocity, pull = velocity_and_pull(self.inner, behind, fixed, t, until)
        with torch.no_grad():
            error = self.held * (plan - fixed - (1.0 - t) * velocity)
            added = correction(t, self.clip) * (error + (1.0 - t) * pull(error))
        if torch.is_grad_enabled() and actions.requires_grad:
            velocity = velocity_at(self.inner, behind, actions, t, until)
        return velocity + added


class _HeldCritic(nn.Module):
    """A critic of chunks whose first numbers are decided, whatever it is shown there."""

    decided: Tensor

    def __init__(self, inner: Any, decided: Tensor) -> None:
        super().__init__()
        self.inner = inner
        self.register_buffer("decided", decided)

    def forward(self, rows: Tensor, actions: Tensor) -> Tensor:
        """Q of the chunks as they will be played."""
        width = self.decided.numel()
        q: Tensor = self.inner(rows[:, width:], torch.where(self.decided, rows[:, :width], actions))
        return q

    def value_and_grad(self, rows: Tensor, actions: Tensor, how: Aggregate) -> tuple[Tensor, Tensor]:
        """As `q_gradient`; nothing pulls at what is decided."""
        width = self.decided.numel()
        played = torch.where(self.decided, rows[:, :width], actions)
        q, grad = q_gradient(self.inner, rows[:, width:], played, how)
        return q, torch.where(self.decided, torch.zeros_like(grad), grad)


def held_parts(rule: Rule, parts: Parts, decided: int, shared: int, clip: float = CLIP) -> Parts:
    """Parts whose observations (D + S numbers) begin with a plan of the chunk, (h · A), and whose flows keep near it.

    The plan travels in the observation, so every rule steers with these parts as with any others, and rows stay with their plans
    however a rule splits or repeats them.

    Raises
    ------
    UserError
        The rule draws its actions from no flow, so that there is nothing to inpaint.
    """
    flows = rule.flows()
    if not flows:
        raise UserError(
            f"rule '{rule.name}' draws its action without a flow, so a chunk cannot be completed; use way='naive' or 'pause'"
        )
    width, device = parts.action_dim, parts.device
    held = hold(parts.chunk, decided, shared).repeat_interleave(parts.step_dim).to(device)
    fixed = torch.arange(width, device=device) < decided * parts.step_dim

    def wrapped(name: str, part: Any) -> Any:
        return _HeldFlow(part, held, clip) if name in flows else _Behind(part, width)

    normalizer = parts.normalizer
    if normalizer is not None:
        still = torch.zeros(width, dtype=normalizer.mean.dtype, device=device)
        normalizer = Normalizer(torch.cat((still, normalizer.mean)), torch.cat((still + 1.0, normalizer.std)))
    return replace(
        parts,
        observation_dim=width + parts.observation_dim,
        reference=wrapped("reference", parts.reference),
        critic=None if parts.critic is None else _HeldCritic(parts.critic, fixed),
        target_critic=None if parts.target_critic is None else _HeldCritic(parts.target_critic, fixed),
        value=None if parts.value is None else _Behind(parts.value, width),
        normalizer=normalizer,
        extra={name: wrapped(name, part) for name, part in parts.extra.items()},
        behaviour_states=None,
        data=None,
    )


def act_on(rule: Rule, held: Parts, observations: Tensor, plan: Tensor, decided: int, noise: Noise) -> Tensor:
    """Choose a chunk per state, as `act` does, that goes on from ``plan``.

    Parameters
    ----------
    rule : Rule
    held : Parts
        From `held_parts`.
    observations : Tensor
        (B, S), not normalised.
    plan : Tensor
        (B, D), what the old chunk planned for the steps of this one; whatever stands beyond its reach counts nothing.
    decided : int
        d, as for `held_parts`.
    noise : Noise

    Returns
    -------
    Tensor
        (B, D), whose first d steps are the plan's.
    """
    chosen = act(rule, held, torch.cat((plan, observations.to(plan.dtype)), 1), noise)
    first = decided * held.step_dim
    return torch.cat((plan[:, :first], chosen[:, first:]), 1)
