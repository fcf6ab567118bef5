"""Maximum mean discrepancy between two clouds of actions, and the bound that VGF's theory puts on it.

Kernel k(x, y) = exp(-‖x - y‖² / (2σ²)) with σ fixed by the reference cloud. MMD² has no unit and lies in [0, 2].
Shapes: B states, N and R particles, D action dimensions, L transport steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from workbench.engine.models.parts import Parts, q_gradient
from workbench.engine.steering.kernel import PAIRS, rbf
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.run import steer
from workbench.engine.steering.trace import Trace

ROOT_E = math.sqrt(math.e)
BOUND_NEEDS = ("alpha", "step_size", "ascent", "repulsion")  # settings of a rule that the bound speaks of


def bandwidth(x: Tensor) -> Tensor:
    """σ (B,), action units, of VGF's kernel on particles ``x`` (B, N, D): median of d² over 2 ln(N + 1), as `rbf` has it."""
    return (0.5 / rbf(x).gamma[:, 0, 0]).sqrt()


def mmd2(x: Tensor, y: Tensor, sigma: Tensor) -> Tensor:
    r"""MMD² (B,) between two empirical distributions, ``x`` (B, N, D) and ``y`` (B, R, D).

    .. math:: \tfrac1{N^2} \sum_{ij} k(x_i, x_j) + \tfrac1{R^2} \sum_{ij} k(y_i, y_j) - \tfrac2{NR} \sum_{ij} k(x_i, y_j)

    0 for equal clouds. As an estimate for the distributions behind the clouds it is too large by about 1/N + 1/R; for that use
    `unbiased_mmd2`.
    """
    value = (
        _kernel(x, x, sigma).mean((1, 2)) + _kernel(y, y, sigma).mean((1, 2)) - 2.0 * _kernel(x, y, sigma).mean((1, 2))
    )
    return value.clamp_min(0.0)


def unbiased_mmd2(x: Tensor, y: Tensor, sigma: Tensor) -> Tensor:
    r"""Unbiased MMD² (B,) of the distributions from which the pairs (x_i, y_i), (B, N, D) each, are drawn.

    .. math:: \tfrac1{N(N-1)} \sum_{i \ne j} k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i)

    Pairs may come from the same noise; equal clouds give exactly 0. It may fall below 0 by chance, and must, to be right on
    average. Source: Gretton et al., JMLR 13 (2012), equation 4.

    Raises
    ------
    ValueError
        Fewer than two pairs, or clouds of different sizes.
    """
    n = x.shape[1]
    if x.shape != y.shape or n < 2:
        raise ValueError(
            f"pairs of at least two particles are needed, got clouds {tuple(x.shape)} and {tuple(y.shape)}"
        )
    total = _kernel(x, x, sigma) + _kernel(y, y, sigma) - 2.0 * _kernel(x, y, sigma)
    return (total.sum((1, 2)) - total.diagonal(dim1=1, dim2=2).sum(1)) / (n * (n - 1))


def _kernel(x: Tensor, y: Tensor, sigma: Tensor) -> Tensor:
    distances = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square()
    return torch.exp(-distances / (2.0 * sigma.square())[:, None, None])


def transport_bound(
    steps: Tensor | float, step_size: float, alpha: float, gradient: Tensor | float, sigma: Tensor
) -> Tensor:
    r"""VGF's bound on MMD² after L plain steps (methods.md, section 4; arXiv 2604.14265).

    .. math:: \mathrm{MMD}^2(\mu, \pi_L) \le \frac{2 \epsilon L}{\sigma \sqrt e}
              \Big( \frac{c}{\alpha} + \frac{1}{\sigma \sqrt e} \Big)

    Parameters
    ----------
    steps : Tensor or float
        L, the transport budget.
    step_size, alpha : float
        ε, action units per unit of φ, and α, units of Q.
    gradient : Tensor or float
        c, a bound on ‖∇Q‖ over everything that the particles met, Q per action unit.
    sigma : Tensor
        σ, action units, of both the run's kernel and the MMD's.
    """
    return 2.0 * step_size * steps / (sigma * ROOT_E) * (gradient / alpha + 1.0 / (sigma * ROOT_E))


class MmdCurve(NamedTuple):
    """MMD² between the behaviour particles and the transported ones at every budget up to L, from one run.

    Attributes
    ----------
    measured : Tensor
        (L + 1, B), budget 0 first.
    bound : Tensor
        (L + 1, B), the paper's bound with c the largest gradient of the whole run.
    stepwise : Tensor
        (L + 1, B), the same argument step by step, each with its own c and its own bandwidth in the repulsion. `vgf` takes a new
        median bandwidth at each step where the theorem has one for all, so this is the bound that holds for it.
    sigma : Tensor
        (B,), bandwidth of the behaviour particles: that of the MMD and of ``bound``.
    unproven : str
        Why the theory does not speak of this run; empty where it does.
    """

    measured: Tensor
    bound: Tensor
    stepwise: Tensor
    sigma: Tensor
    unproven: str


def mmd_over_budget(trace: Trace, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """MMD² (L + 1, B) between the clean particles and those after 0, 1, …, L more ticks, and σ (B,).

    One run of L steps contains every smaller budget. For rules that move particles after the flow; for the others L = 0.
    """
    clean = trace.positions[trace.settings["flow_steps"] :]
    sigma = bandwidth(clean[0]) if sigma is None else sigma
    return torch.stack([mmd2(clean[0], moved, sigma) for moved in clean]), sigma


@torch.no_grad()
def mmd_against_theory(trace: Trace, parts: Parts) -> MmdCurve:
    """Measure MMD² step by step over a run of `vgf`, and set VGF's bound beside it.

    Parameters
    ----------
    trace : Trace
        Of ``vgf``.
    parts : Parts
        Those that it was made with: the bound needs the size of their critic's gradient.

    Returns
    -------
    MmdCurve
        Measured values and bounds after 0, 1, … L transport steps, each (L + 1, B).

    Raises
    ------
    ValueError
        The trace is of a rule without a temperature α: the bound is about VGF's transport.
    """
    how = trace.settings
    missing = [name for name in BOUND_NEEDS if name not in how]
    if missing:
        raise ValueError(f"the bound is about VGF's transport; rule '{trace.rule}' has no setting '{missing[0]}'")
    step_size, alpha = float(how["step_size"]), float(how["alpha"])
    measured, sigma = mmd_over_budget(trace)
    start = trace.positions[int(how["flow_steps"]) : -1]  # where each transport step began, (L, B, N, D)
    steps, b, n, _ = start.shape
    critic = parts.pick_critic(str(how["critic"]))
    rows = parts.normalize(trace.observations).to(start.dtype).repeat_interleave(n, 0)
    steepest, own = start.new_zeros(steps, b), start.new_ones(steps, b)
    for i, x in enumerate(start):
        _, gradient = q_gradient(critic, rows, x.flatten(0, 1), "min" if how["aggregate"] == "min" else "mean")
        steepest[i] = gradient.norm(dim=-1).view(b, n).amax(1)
        own[i] = bandwidth(x)
    c = steepest.amax(0) if steps else start.new_zeros(b)
    speeds = transport_bound(1.0, step_size, alpha, steepest, sigma)
    repelled = 2.0 * step_size / (sigma * ROOT_E) * (1.0 / own - 1.0 / sigma) / ROOT_E
    stepwise = torch.cat((start.new_zeros(1, b), (speeds + repelled).cumsum(0)))
    budgets = torch.arange(steps + 1.0, device=start.device)[:, None]
    bound = transport_bound(budgets, step_size, alpha, c, sigma)
    return MmdCurve(measured, bound, stepwise, sigma, _unproven(how))


@dataclass(frozen=True)
class MmdBound:
    """The end of an `MmdCurve`, mean over states.

    Attributes
    ----------
    mmd2 : float
        Between the behaviour particles and the transported ones, before one is picked; as an estimate for the distributions it
        is too large by what two clouds of N particles differ by chance.
    bound, stepwise : float
        As in `MmdCurve`.
    unproven : str
        Why the theory does not speak of these settings; empty where it does.
    """

    mmd2: float
    bound: float
    stepwise: float
    unproven: str


def mmd_bound(rule: Rule, parts: Parts, observations: Tensor, generator: torch.Generator) -> MmdBound | None:
    """MMD² after all transport steps of a rule at ``observations`` (B, S), beside VGF's bound; None for rules that the
    bound is not about.
    """
    if any(name not in type(rule).model_fields for name in BOUND_NEEDS):
        return None
    at_once = max(1, PAIRS // rule.particles**2)
    ends, unproven = [], ""
    for rows in observations.split(at_once):
        noise = draw_noise(len(rows), rule.particles, parts.action_dim, generator, rule.extra_draws())
        curve = mmd_against_theory(steer(rule, parts, rows, noise), parts)
        ends.append(torch.stack((curve.measured[-1], curve.bound[-1], curve.stepwise[-1])))
        unproven = curve.unproven
    measured, bound, stepwise = torch.cat(ends, 1).mean(1).tolist()
    return MmdBound(measured, bound, stepwise, unproven)


def _unproven(how: Mapping[str, object]) -> str:
    reasons = []
    if how["ascent"] != "plain":
        reasons.append("Adam's step does not shrink with φ")
    if how["repulsion"] == "published":
        reasons.append("the published repulsion also moves the bandwidth")
    return "; ".join(reasons)
