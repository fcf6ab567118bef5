"""Distribution shift: how far the steered actions are from the behaviour policy's (methods.md, section 7).

All distances are in action units, at the same states, from the same noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import ot
import torch
from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules.bc import BC
from workbench.engine.steering.run import steer

PROJECTIONS = 64
PAIRS = 2**24  # pairs of particles held at a time: a rule with a kernel needs some 100 bytes for each


@dataclass(frozen=True)
class Shift:
    """Measured shift and budget of a rule.

    Attributes
    ----------
    displacement : float
        Mean distance between a steered particle and the behaviour particle of the same noise, before the pick.
    w2, sliced_w2 : float
        Exact and sliced Wasserstein-2 distance between the chosen actions and as many behaviour actions, mean over
        states. With one particle the two are pairs of the same noise; with more the behaviour action is the first
        particle's, so that even a uniform pick reads above 0, by the sampling noise of two finite clouds.
    budget : float
        Mean length of the pushes along a particle's way (transport budget, measured).
    """

    displacement: float
    w2: float
    sliced_w2: float
    budget: float


def wasserstein2(x: np.ndarray, y: np.ndarray) -> float:
    """Exact W2 between two clouds (R, D) of equal weights, by linear assignment through POT."""
    cost = ot.dist(x, y, metric="sqeuclidean")
    weights = np.full(len(x), 1.0 / len(x)), np.full(len(y), 1.0 / len(y))
    return float(np.sqrt(max(ot.emd2(*weights, cost), 0.0)))


def sliced_wasserstein2(x: np.ndarray, y: np.ndarray, seed: int = 0) -> float:
    """Sliced W2 between two clouds (R, D), over 64 directions fixed by ``seed``."""
    if x.shape[1] == 1:  # one direction is all there is
        return float(np.sqrt(((np.sort(x[:, 0]) - np.sort(y[:, 0])) ** 2).mean()))
    return float(ot.sliced_wasserstein_distance(x, y, n_projections=PROJECTIONS, seed=seed))


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
    noise = draw_noise(len(observations) * draws, rule.particles, parts.action_dim, generator)
    at_once = draws * max(1, PAIRS // (draws * rule.particles**2))
    far, budgets, distances = [], [], []
    for rows, *pieces in zip(
        *(x.split(at_once) for x in (observations.repeat_interleave(draws, 0), *noise)), strict=True
    ):
        piece = Noise(*pieces)
        trace = steer(rule, parts, rows, piece)
        behaviour = steer(BC(flow_steps=rule.flow_steps), parts, rows, piece).positions[-1]
        far.append((trace.positions[-1] - behaviour).norm(dim=-1))
        budgets.append(trace.budget)
        # the first particle is a plain sample of the behaviour policy; for N = 1 it is the chosen action's own twin
        for pair in zip(trace.actions.split(draws), behaviour[:, 0].split(draws), strict=True):
            x, y = (cloud.double().cpu().numpy() for cloud in pair)
            distances.append((wasserstein2(x, y), sliced_wasserstein2(x, y, seed)))
    w2, sliced_w2 = np.mean(distances, 0)
    return Shift(float(torch.cat(far).mean()), float(w2), float(sliced_w2), float(torch.cat(budgets).mean()))
