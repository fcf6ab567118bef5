"""Importance weighting: what the data's own episodes would have earned, had the steered policy chosen their actions.

Each decision of the data weighs as much as the steered policy would rather have made it, ρ = π(a|s) / μ(a|s), an episode by the
product of its decisions' weights. Few episodes carry the sum once the policies differ: how many, is said beside it.

The ratio needs no density of either policy. A classifier that tells steered actions from the data's at the same states knows it:
its odds are the ratio (Sugiyama, Suzuki and Kanamori, Density Ratio Estimation, 2012). So every rule can be weighed, also those
that pick among particles or push them against one another, which have no likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from workbench.engine.data.transitions import Transitions
from workbench.engine.metrics.intervals import Interval
from workbench.engine.models.mlp import Mlp, MlpShape
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.run import act

ENOUGH = 30.0  # effective episodes; below, a handful of episodes decides the number
EPISODES = 1024  # that are weighed, evenly spread over the data
ROWS = 16_384  # that the classifier learns from
AT_ONCE = 4096  # rows steered at a time
HIDDEN = 48
STEPS = 300
BATCH = 256  # of each kind
LEARNING_RATE = 1e-3
DECAY = 1e-2  # what the network adds has to be worth it
RIDGE = 1e-4
PRODUCTS = 32  # dimensions up to which the actions' products are asked about
FARTHEST = 20.0  # of the classifier's log odds
RESAMPLES = 500


@dataclass(frozen=True)
class Importance:
    """What importance weighting says, and how far it can be trusted.

    Attributes
    ----------
    value : Interval
        Discounted value from the starts of the data's episodes, task units: weighted per-decision importance sampling.
    episodes : int
        N, that were weighed.
    effective : float
        (Σ w)² / Σ w², from 1 to N: with weights all alike it is N.
    share : float
        ``effective`` / N.
    largest : float
        Share of the largest weight in the sum of all.
    decisions : float
        The effective share of single decisions, without products: how far the policies differ in one step.
    """

    value: Interval
    episodes: int
    effective: float
    share: float
    largest: float
    decisions: float

    @property
    def enough(self) -> bool:
        """Whether the value rests on enough episodes to be looked at."""
        return self.effective >= ENOUGH

    def in_words(self) -> str:
        """How many episodes carry the estimate, and whether they are enough."""
        carry = f"{max(1, round(self.effective)):,} of {self.episodes:,} episodes carry the estimate"
        if self.enough:
            return f"importance weighting: {carry}"
        return f"importance weighting: {carry} (largest weight {self.largest:.0%}), too few to trust it"

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return {
            "value": self.value.as_dict(),
            "episodes": self.episodes,
            "effective": self.effective,
            "share": self.share,
            "largest": self.largest,
            "decisions": self.decisions,
            "enough": self.enough,
        }


def importance(log_ratios: np.ndarray, data: Transitions, discount: float, seed: int = 0) -> Importance:
    r"""Weigh the episodes of ``data``.

    .. math:: \hat V = \sum_t \gamma^t \frac{\sum_i w_{it} r_{it}}{\sum_i w_{it}}, \qquad
              w_{it} = \prod_{k \le t} \frac{\pi(a_{ik} \mid s_{ik})}{\mu(a_{ik} \mid s_{ik})}, \qquad
              N_\text{eff} = \frac{(\sum_i w_i)^2}{\sum_i w_i^2}

    Source: Precup, Sutton and Singh, Eligibility Traces for Off-Policy Policy Evaluation (ICML 2000), the weighted per-decision
    estimator; Kong (1992) for the effective number. An episode that is over earns 0 from there on and keeps its weight. What
    would have come after a time limit is left out.

    Parameters
    ----------
    log_ratios : ndarray
        (R,) log π(a|s) − log μ(a|s) of each row.
    data : Transitions
        R rows of whole episodes.
    discount : float
        γ.
    seed : int
        Fixes the bootstrap over episodes.
    """
    ratios = np.asarray(log_ratios, dtype=np.float64)
    first = np.concatenate(([0], np.flatnonzero(data.ends)[:-1] + 1))
    lengths = np.diff(np.append(first, len(data)))
    count, longest = len(first), int(lengths.max())
    steps = np.minimum(np.arange(longest)[None, :], lengths[:, None] - 1)
    inside = np.arange(longest)[None, :] < lengths[:, None]
    rows = first[:, None] + steps
    logs = np.cumsum(np.where(inside, ratios[rows], 0.0), axis=1)  # (N, T); it stays after an episode's end
    paid = np.where(inside, data.rewards[rows].astype(np.float64), 0.0)
    weights = np.exp(logs - logs.max(0, keepdims=True))
    factors = discount ** np.arange(longest)

    def value(times: np.ndarray) -> np.ndarray:
        """The estimate of each resample, (B,), which took each episode so many ``times`` (B, N)."""
        whole = times @ weights
        means = np.divide(times @ (weights * paid), whole, out=np.zeros_like(whole), where=whole > 0)
        return np.asarray(means @ factors)

    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), RESAMPLES).astype(np.float64)
    low, high = np.quantile(value(drawn), (0.025, 0.975))
    last = weights[:, -1]
    effective = _effective(last)
    single = np.exp(ratios - ratios.max())
    return Importance(
        Interval(float(value(np.ones((1, count)))[0]), float(low), float(high)),
        count,
        effective,
        effective / count,
        float(last.max() / last.sum()),
        _effective(single) / len(single),
    )


def weigh(rule: Rule, parts: Parts, data: Transitions, seed: int) -> Importance | None:
    """`importance` of a rule by a classifier; None for action chunks, whose decisions the rows of data are not.

    Parameters
    ----------
    rule, parts
    data : Transitions
        At most 1024 of its episodes are weighed, evenly spread.
    seed : int
        Fixes noise, classifier and bootstrap.
    """
    if parts.chunk > 1:
        return None
    some = _episodes(data)
    return importance(log_ratios(rule, parts, some, seed), some, parts.discount, seed)


def log_ratios(rule: Rule, parts: Parts, data: Transitions, seed: int) -> np.ndarray:
    """Estimate log π(a|s) − log μ(a|s) (R,) at the rows of ``data``, π being ``rule`` and μ whoever acted in the data.

    Two classifiers learn from half of the episodes each and judge the other half, so that none is asked about what it has seen.
    """
    generator = torch.Generator().manual_seed(seed)
    half = (np.cumsum(np.append(0, data.ends[:-1])) % 2).astype(bool)
    if half.all() or not half.any():  # one episode alone
        half = np.arange(len(data)) % 2 == 1
    where = parts.normalize(torch.from_numpy(np.asarray(data.observations)).to(parts.device)).cpu()
    taken = torch.from_numpy(data.actions)
    sides = []
    for side in (False, True):
        known = np.flatnonzero(half == side)
        rows = np.sort(known[torch.randperm(len(known), generator=generator)[:ROWS].numpy()])
        chosen = _act_at(rule, parts, torch.from_numpy(data.observations[rows]), seed)
        sides.append(_Examples(torch.cat((where[rows], taken[rows]), 1), torch.cat((where[rows], chosen), 1)))
    both = torch.cat([torch.cat(side) for side in sides])
    mean, std = both.mean(0), both.std(0).clamp_min(1e-3)
    scaled = [_Examples(*((array - mean) / std for array in side)) for side in sides]
    asked = (torch.cat((where, taken), 1) - mean) / std
    weights = torch.stack([_logistic(side, data.action_dim) for side in scaled])
    rest = _remainders(scaled, weights, data.action_dim, generator)
    with torch.no_grad():
        plain = _features(asked, data.action_dim) @ weights.T  # (R, 2)
        odds = (plain + rest(asked)[:, :, 0].T).clamp(-FARTHEST, FARTHEST).numpy()
    return np.asarray(np.where(half, odds[:, 0], odds[:, 1]))  # the first learned where ``half`` is False


class _Examples(NamedTuple):
    """States with actions (R, S + D), scaled: the data's, and those that the rule chose at the same states."""

    taken: Tensor
    chosen: Tensor


def _features(inputs: Tensor, dims: int) -> Tensor:
    """Of states with actions (R, S + D): 1, all numbers, and the actions' squares and products (Gaussians need no more)."""
    actions = inputs[:, -dims:]
    first, second = torch.triu_indices(dims, dims) if dims <= PRODUCTS else torch.arange(dims).repeat(2, 1)
    return torch.cat((torch.ones(len(inputs), 1), inputs, actions[:, first] * actions[:, second]), 1)


def _logistic(side: _Examples, dims: int) -> Tensor:
    """Weights (F,) of the logistic regression that tells chosen from taken: exact where both policies are Gaussian."""
    inputs = torch.cat((_features(side.taken, dims), _features(side.chosen, dims)))
    labels = torch.cat((torch.zeros(len(side.taken)), torch.ones(len(side.chosen))))
    weights = torch.zeros(inputs.shape[1], requires_grad=True)
    search = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        with torch.enable_grad():
            odds = inputs @ weights
            total = nn.functional.binary_cross_entropy_with_logits(odds, labels) + RIDGE * weights.square().sum()
            total.backward()
        return total

    search.step(loss)
    return weights.detach()


def _remainders(sides: list[_Examples], weights: Tensor, dims: int, generator: torch.Generator) -> Mlp:
    """Networks (a member for each side) that add to the log odds what a logistic regression with ``weights`` cannot say."""
    width = sides[0].taken.shape[1]
    network = Mlp(MlpShape(width, 1, (HIDDEN, HIDDEN), "gelu", "none", len(sides)), generator)
    adam = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, weight_decay=DECAY)
    labels = torch.cat((torch.zeros(BATCH), torch.ones(BATCH))).expand(len(sides), -1)
    for step in range(STEPS):
        adam.param_groups[0]["lr"] = LEARNING_RATE * 0.5 * (1.0 + np.cos(np.pi * step / STEPS))
        batch = []
        for side in sides:
            index = torch.randint(0, len(side.taken), (BATCH,), generator=generator)
            batch.append(torch.cat((side.taken[index], side.chosen[index])))
        known = torch.stack([_features(some, dims) @ weight for some, weight in zip(batch, weights, strict=True)])
        with torch.enable_grad():
            odds = known + network(torch.stack(batch))[:, :, 0]
            adam.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(odds, labels).backward()
        adam.step()
    return network


def _act_at(rule: Rule, parts: Parts, observations: Tensor, seed: int) -> Tensor:
    """One action of ``rule`` at each of ``observations`` (R, S), on the CPU."""
    generator = torch.Generator(parts.device).manual_seed(seed)
    chosen = []
    for rows in observations.split(AT_ONCE):
        noise = draw_noise(len(rows), rule.particles, parts.action_dim, generator, rule.extra_draws())
        chosen.append(act(rule, parts, rows.to(parts.device), noise).cpu())
    return torch.cat(chosen)


def _episodes(data: Transitions) -> Transitions:
    """At most `EPISODES` whole episodes, evenly spread."""
    last = np.flatnonzero(data.ends)
    if len(last) <= EPISODES:
        return data
    which = np.linspace(0, len(last) - 1, EPISODES).round().astype(int)
    number = np.searchsorted(last, np.arange(len(data)))
    keep = np.isin(number, which)
    return Transitions(**{name: array[keep] for name, array in vars(data).items()})


def _effective(weights: np.ndarray) -> float:
    return float(weights.sum() ** 2 / np.square(weights).sum())
