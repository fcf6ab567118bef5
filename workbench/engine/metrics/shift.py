"""Distribution shift: how far the steered actions are from the behaviour policy's (methods.md, section 7).

All distances are in action units, at the same states, from the same noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import ot
import torch
from torch import Tensor

from workbench.engine.metrics.intervals import Interval, bootstrap_mean
from workbench.engine.metrics.likelihood import EXACT_UP_TO, HiddenDerivative, log_likelihood
from workbench.engine.metrics.mmd import bandwidth, unbiased_mmd2
from workbench.engine.models.parts import Parts
from workbench.engine.steering.kernel import PAIRS
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules.bc import BC
from workbench.engine.steering.run import steer

PROJECTIONS = 64
# actions per state whose likelihood is taken; probes of Hutchinson's trace for many dimensions
LIKELY = 4
PROBES = 8


@dataclass(frozen=True)
class Shift:
    """Measured shift of a rule at a set of states.

    The chosen actions are compared with as many behaviour actions of the same noise: the chosen action's own twin where the
    pick does not look at Q (one particle, or a uniform pick), so that an unsteered policy reads exactly 0; else the first
    particle's, since the twin of the best of N is no longer a sample of the behaviour policy.

    Attributes
    ----------
    displacement : float
        Mean distance between a steered particle and the behaviour particle of the same noise, before the pick.
    w2, sliced_w2 : float
        Exact and sliced Wasserstein-2 distance: the root of its square's mean over states. Where the two clouds are not twins,
        the square of ``w2_floor`` is taken off before the root (for ``sliced_w2`` its own); 0 where nothing is left. That is
        exact for a translation; far above the floor it takes off a percent or two too much. ``w2`` is what is called *the* shift.
    w2_interval : Interval
        ``w2`` with its 95% bootstrap interval over the states.
    w2_floor : float
        The exact distance that two clouds of the behaviour policy, of this size and drawn in this way, have by chance.
        0 for twins.
    mmd2 : float
        Unbiased MMD² at the behaviour cloud's bandwidth, mean over states: no unit, at most 2, below 0 only by chance.
    nll, nll_behaviour : float or None
        Mean negative log-likelihood, nats, of the chosen actions and of the behaviour's own under the behaviour flow: of the
        T-step policy itself to D = 8, of the continuous flow with Hutchinson's trace above. Their difference is the surprise that
        steering adds. None where the flow's derivative cannot be had, or was not asked for.
    """

    displacement: float
    w2: float
    w2_interval: Interval
    w2_floor: float
    sliced_w2: float
    mmd2: float
    nll: float | None
    nll_behaviour: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return asdict(self)


def wasserstein2(x: np.ndarray, y: np.ndarray) -> float:
    """Exact Wasserstein-2 distance between two clouds of points, by linear assignment (POT).

    Parameters
    ----------
    x, y : ndarray
        (R, D) each, in action units; all points weigh the same. As many rows in both is fastest.

    Returns
    -------
    float
        In action units. Two clouds drawn from the same distribution are not at 0: `shift_between` takes that floor off.
    """
    cost = ot.dist(x, y, metric="sqeuclidean")
    weights = np.full(len(x), 1.0 / len(x)), np.full(len(y), 1.0 / len(y))
    return float(np.sqrt(max(ot.emd2(*weights, cost), 0.0)))


def sliced_wasserstein2(x: np.ndarray, y: np.ndarray, seed: int = 0) -> float:
    """Sliced W2 between two clouds (R, D), over 64 directions fixed by ``seed``."""
    if x.shape[1] == 1:  # one direction is all there is
        return float(np.sqrt(ot.wasserstein_1d(x[:, 0], y[:, 0], p=2)))
    if len(y) % len(x) == 0:  # then the optimal pairing on a line is by rank: ten times as fast as POT's general case
        directions = ot.sliced.get_random_projections(x.shape[1], PROJECTIONS, seed)
        ranked = np.repeat(np.sort(x @ directions, 0), len(y) // len(x), 0)
        return float(np.sqrt(((ranked - np.sort(y @ directions, 0)) ** 2).mean()))
    return float(ot.sliced_wasserstein_distance(x, y, n_projections=PROJECTIONS, seed=seed))


class Clouds(NamedTuple):
    """Actions at the same states, before anything is measured on them.

    Attributes
    ----------
    chosen : Tensor
        (B, R, D), what the rule chose.
    home : Tensor
        (B, R, D), behaviour actions of the same noise to compare them with.
    other : Tensor
        (B, R, D), behaviour actions too: those that the rule would have chosen without a critic. Their distance
        from ``home`` is what two clouds of the behaviour policy measure by chance.
    displacement : float
        As in `Shift`.
    transport : float
        Mean length of the way that the pushes take a particle, action units.
    """

    chosen: Tensor
    home: Tensor
    other: Tensor
    displacement: float
    transport: float


def draw_clouds(rule: Rule, parts: Parts, observations: Tensor, draws: int, generator: torch.Generator) -> Clouds:
    """Steer R = ``draws`` times at each of ``observations`` (B, S), and run the behaviour flow on the same noise."""
    noise = draw_noise(len(observations) * draws, rule.particles, parts.action_dim, generator, rule.extra_draws())
    at_once = draws * max(1, PAIRS // (draws * rule.particles**2))
    far, lengths, clouds = [], [], []
    every = observations.repeat_interleave(draws, 0)
    for first in range(0, len(every), at_once):
        here = slice(first, first + at_once)
        rows, piece = every[here], noise.states(here)
        trace = steer(rule, parts, rows, piece)
        behaviour = steer(BC(flow_steps=rule.flow_steps), parts, rows, piece).positions[-1]
        far.append(trace.of_kept((trace.positions[-1] - behaviour).norm(dim=-1)))
        lengths.append(trace.of_kept(trace.transport))
        clouds.append(torch.stack((trace.actions, *compared(rule, behaviour, piece.choice))))
    chosen, home, other = torch.cat(clouds, 1).unflatten(1, (-1, draws))
    return Clouds(chosen, home, other, float(torch.cat(far).mean()), float(torch.cat(lengths).mean()))


def compared(rule: Rule, behaviour: Tensor, choice: Tensor) -> tuple[Tensor, Tensor]:
    """Behaviour actions (B, D) to compare the chosen ones with, and as many that a uniform pick would take.

    Parameters
    ----------
    rule : Rule
    behaviour : Tensor
        (B, N, D), where the behaviour flow takes the rule's own noise.
    choice : Tensor
        (B, N), the noise of a uniform pick.
    """
    own = behaviour[torch.arange(len(behaviour), device=behaviour.device), choice.argmax(1)]
    return (own if twins(rule) else behaviour[:, 0]), own


def twins(rule: Rule) -> bool:
    """Whether the pick does not look at Q, so that the chosen action's own twin is a plain behaviour action."""
    return rule.particles == 1 or rule.pick == "uniform"


def measure_shift(rule: Rule, parts: Parts, observations: Tensor, draws: int, seed: int) -> Shift:
    """Compare a rule with the behaviour flow at the same states and noise.

    Parameters
    ----------
    rule, parts
    observations : Tensor
        (B, S), not normalised.
    draws : int
        R, actions chosen per state.
    seed : int
        Fixes the noise.
    """
    generator = torch.Generator(observations.device).manual_seed(seed)
    return shift_between(draw_clouds(rule, parts, observations, draws, generator), rule, parts, observations, seed)


def shift_between(
    clouds: Clouds, rule: Rule, parts: Parts, observations: Tensor, seed: int, likelihood: bool = True
) -> Shift:
    """`measure_shift` on clouds that are there already; ``seed`` fixes the directions of sliced W2 and Hutchinson's probes.

    ``likelihood=False`` leaves out what costs most, the negative log-likelihoods.
    """
    exact, floor = shift_distance(clouds.chosen, clouds.home, None if twins(rule) else clouds.other, seed)
    sliced, _ = shift_distance(
        clouds.chosen,
        clouds.home,
        None if twins(rule) else clouds.other,
        seed,
        partial(sliced_wasserstein2, seed=seed),
    )
    chosen, home = clouds.chosen.double(), clouds.home.double()
    several = chosen.shape[1] > 1
    nll, nll_behaviour = _surprise(rule, parts, observations, clouds, seed) if likelihood else (None, None)
    return Shift(
        displacement=clouds.displacement,
        w2=exact.mean,
        w2_interval=exact,
        w2_floor=floor,
        sliced_w2=sliced.mean,
        mmd2=float(unbiased_mmd2(chosen, home, bandwidth(home)).mean()) if several else 0.0,
        nll=nll,
        nll_behaviour=nll_behaviour,
    )


def shift_distance(
    chosen: Tensor,
    home: Tensor,
    other: Tensor | None,
    seed: int = 0,
    distance: Callable[[np.ndarray, np.ndarray], float] = wasserstein2,
) -> tuple[Interval, float]:
    """Root mean square distance over states between chosen and behaviour actions, less the floor of chance; and that floor.

    Every shift that is shown anywhere comes from here.

    Parameters
    ----------
    chosen, home : Tensor
        (B, R, D) each.
    other : Tensor or None
        (B, R, D), the actions that the rule would have chosen without a critic; their distance from ``home`` is the
        floor. None for twins, whose floor is 0.
    seed : int
        Of the bootstrap over states.
    distance : callable
        Between two clouds (R, D).
    """
    raw = _squares(chosen, home, distance)
    floors = np.zeros_like(raw) if other is None else _squares(other, home, distance)
    each = bootstrap_mean(raw - floors, seed)
    root = Interval(*(float(np.sqrt(max(value, 0.0))) for value in (each.mean, each.low, each.high)))
    return root, float(np.sqrt(floors.mean()))


def _squares(x: Tensor, y: Tensor, distance: Callable[[np.ndarray, np.ndarray], float]) -> np.ndarray:
    """Squared distances (B,)."""
    pairs = zip(x.double().cpu().numpy(), y.double().cpu().numpy(), strict=True)
    return np.array([distance(a, b) ** 2 for a, b in pairs])


def _surprise(
    rule: Rule, parts: Parts, observations: Tensor, clouds: Clouds, seed: int
) -> tuple[float | None, float | None]:
    """Mean negative log-likelihood of the first few actions per state, chosen ones and the behaviour's."""
    few = torch.stack((clouds.chosen, clouds.home))[:, :, :LIKELY]  # (2, B, R', D)
    actions = few.flatten(0, 2)
    rows = parts.normalize(observations).to(actions.dtype).repeat_interleave(few.shape[2], 0).repeat(2, 1)
    exact, probes = parts.action_dim <= EXACT_UP_TO, None
    if not exact:
        generator = torch.Generator(actions.device).manual_seed(seed)
        signs = torch.randint(0, 2, (PROBES, *actions.shape), generator=generator, device=actions.device)
        probes = signs.to(actions.dtype) * 2 - 1
    try:
        log_density = log_likelihood(
            parts.reference, rows, actions, rule.flow_steps, "euler" if exact else "ode", probes
        )
    except HiddenDerivative:
        return None, None
    means = log_density.value.view(2, -1).double().nanmean(1)
    nll, behaviour = (-float(mean) if torch.isfinite(mean) else None for mean in means)
    return nll, behaviour
