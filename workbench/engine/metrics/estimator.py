"""Quality of a guidance estimator: does its gradient survive noise, and how much Q does it reach (QGF, figures 3 and 4).

Shapes: B states, N particles, D action dimensions, T flow steps, E noise levels, W weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from workbench.engine.metrics.intervals import Interval, bootstrap_mean
from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.inputs import check_inputs
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.protocol import DuringFlow
from workbench.engine.steering.rules.bc import BC
from workbench.engine.steering.run import steer

SILENT = 1e-12  # a gradient shorter than this has no direction


@dataclass(frozen=True)
class Sensitivity:
    """Answer of `noise_sensitivity`.

    Attributes
    ----------
    sizes : tuple of float
        ‖ε‖, action units.
    cosine : list of Interval
        For each size, cos(g(a_t), g(a_t + ε)), mean over flow steps and particles; 95% bootstrap interval over states.
    by_time : ndarray
        (E, T), the same for each flow step by itself; NaN where all gradients are silent.
    silent : list of float
        For each size, share of the pairs left out, since one of the two gradients is 0 and points nowhere.
    """

    sizes: tuple[float, ...]
    cosine: list[Interval]
    by_time: np.ndarray
    silent: list[float]


@torch.no_grad()
def noise_sensitivity(
    rule: DuringFlow, parts: Parts, observations: Tensor, noise: Noise, directions: Tensor, sizes: Sequence[float]
) -> Sensitivity:
    r"""How far a rule's guidance turns when the action it is asked at is moved a little.

    .. math:: \cos\big(g(a_t), g(a_t + \epsilon)\big), \qquad t = 0, 1/T, \dots, (T-1)/T

    Source: QGF, arXiv 2606.11087, figure 3; methods.md, section 7. The points a_t are those of the unsteered flow, the same for
    all rules. An estimator that turns under small noise is following detail of the critic that is not there.

    Parameters
    ----------
    rule : DuringFlow
        Its ``guidance`` is measured; its weight does not matter.
    parts : Parts
    observations : Tensor
        (B, S), not normalised.
    noise : Noise
        ``start`` (B, N, D).
    directions : Tensor
        (T, B, N, D), standard normal; only their direction counts: ε is uniform on the sphere of radius ‖ε‖.
    sizes : sequence of float
        ‖ε‖ > 0, action units.

    Raises
    ------
    ValueError
        Directions of another shape, or parts that the rule needs and does not find.
    """
    check_inputs(rule, parts, observations, noise)
    flow_steps = rule.flow_steps
    if directions.shape != (flow_steps, *noise.start.shape):
        raise ValueError(
            f"directions must be (T, B, N, D) = {(flow_steps, *noise.start.shape)}, got {tuple(directions.shape)}"
        )
    path = steer(BC(flow_steps=flow_steps), parts, observations, noise).positions
    rows = parts.normalize(observations).to(noise.start.dtype).repeat_interleave(noise.start.shape[1], 0)
    unit = directions / directions.norm(dim=-1, keepdim=True)

    def guidance(actions: Tensor, t: float) -> Tensor:
        return rule.guided(parts, rows, actions, rule.velocity(parts, rows, actions, t), t, noise.extra)[0]

    cosines = torch.full((len(sizes), flow_steps, *noise.start.shape[:2]), torch.nan)
    for tick in range(flow_steps):
        t, here = tick / flow_steps, path[tick]
        g = guidance(here, t)
        for level, size in enumerate(sizes):
            moved = guidance(here + size * unit[tick], t)
            lengths = g.norm(dim=-1) * moved.norm(dim=-1)
            cosine = (g * moved).sum(-1) / lengths
            cosines[level, tick] = torch.where(lengths > SILENT**2, cosine, torch.nan).cpu()
    return Sensitivity(
        tuple(sizes),
        [_mean_over_states(level) for level in cosines],
        cosines.nanmean((2, 3)).numpy(),
        [float(level.isnan().float().mean()) for level in cosines],
    )


def _mean_over_states(cosines: Tensor) -> Interval:
    """Mean of (T, B, N), resampled over states; states whose gradients are all silent are left out."""
    by_state = cosines.nanmean((0, 2)).double()
    heard = by_state[~by_state.isnan()].numpy()
    return bootstrap_mean(heard) if heard.size else Interval(float("nan"), float("nan"), float("nan"))


def q_reached(
    rule: DuringFlow, parts: Parts, observations: Tensor, noise: Noise, weights: Sequence[float]
) -> np.ndarray:
    """Mean Q (W,), task units, of the particles that guidance with each weight ends at (QGF, figure 4).

    The critic that guides also judges: this measures how well an estimator climbs, not how good the action is.
    Particles are not picked among.

    Parameters
    ----------
    rule, parts, observations, noise
        As in `noise_sensitivity`.
    weights : sequence of float
        Guidance weights w.
    """
    rows = parts.normalize(observations).to(noise.start.dtype).repeat_interleave(noise.start.shape[1], 0)
    reached = []
    for weight in weights:
        end = steer(rule.model_copy(update={"weight": weight}), parts, observations, noise).positions[-1]
        with torch.no_grad():
            q = q_values(parts.pick_critic(rule.critic), rows, end.flatten(0, 1), rule.aggregate)
        reached.append(float(q.mean()) / parts.reward_scale)
    return np.array(reached)
