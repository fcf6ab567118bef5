"""Lesson 5: what α, the repulsion and Adam do to a cloud of particles, against a target that can be computed.

The critic is 1 minus the squared distance to the nearer of two peaks. Each number is a mean over 32 groups of 16 particles;
differences are paired, group by group, and their standard error is that of 32 such differences. Required differences are four of
these, for each of five seeds of noise.
"""

import itertools
import json

import numpy as np
import pytest
import torch
from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import steer
from workbench.engine.tasks.bandits import Bandit2D

GROUPS, N, SEEDS, ALPHAS = 32, 16, range(5), (0.03, 0.1, 0.3, 1.0, 3.0)
PEAKS = torch.tensor([[-0.5, -0.3], [0.5, 0.3]])
SETTLED = {"ascent": "plain", "step_size": 0.02, "steps": 100, "repulsion": "fixed_bandwidth"}
ADAM = {"ascent": "adam", "step_size": 0.1, "repulsion": "fixed_bandwidth"}


def hills(observations: Tensor | None, actions: Tensor) -> Tensor:
    return 1.0 - torch.cdist(actions, PEAKS).amin(1).square()


PARTS = Parts(1, 2, Bandit2D().behaviour, hills)


def noise(seed: int) -> Noise:
    return draw_noise(GROUPS, N, 2, torch.Generator().manual_seed(seed))


def cloud(seed: int, **settings: object) -> Tensor:
    rule = make_rule("vgf", particles=N, pick="uniform", **settings)
    return steer(rule, PARTS, torch.zeros(GROUPS, 1), noise(seed)).positions[-1]


def apart(positions: Tensor) -> Tensor:
    """Mean distance of two particles, by group."""
    return torch.cdist(positions, positions).sum((1, 2)) / (N * (N - 1))


def far(positions: Tensor) -> Tensor:
    """Mean distance to the nearer peak, by group."""
    return torch.cdist(positions, PEAKS).amin(-1).mean(1)


def target(alpha: float) -> tuple[float, float]:
    """The same two distances for draws from exp(Q/α), by a grid."""
    axis = torch.linspace(-1.0, 1.0, 61)
    plane = torch.cartesian_prod(axis, axis)
    p = torch.softmax(hills(None, plane) / alpha, 0)
    return float(p @ torch.cdist(plane, plane) @ p), float(p @ torch.cdist(plane, PEAKS).amin(1))


def in_errors(more: Tensor, less: Tensor) -> float:
    difference = more - less
    return float(difference.mean() / (difference.std() / len(difference) ** 0.5))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_settled_cloud_is_as_wide_as_its_target_and_wider_with_alpha(seed: int) -> None:
    clouds = [cloud(seed, **SETTLED, alpha=alpha) for alpha in ALPHAS]
    for measure in (apart, far):
        for less, more in itertools.pairwise(clouds):
            assert in_errors(measure(more), measure(less)) > 4.0
    for alpha, positions in zip(ALPHAS, clouds, strict=True):
        for measured, wanted in zip((apart(positions), far(positions)), target(alpha), strict=True):
            assert float(measured.mean()) == pytest.approx(wanted, rel=0.12)
    start = cloud(seed, steps=0)
    assert in_errors(far(start), far(clouds[0])) > 4.0  # gathered: nearer to the peaks than it began
    assert in_errors(far(clouds[-1]), far(start)) > 4.0  # kept wide: farther than it began


@pytest.mark.parametrize("seed", SEEDS)
def test_up_to_a_tenth_the_cloud_has_arrived_and_far_above_it_creeps_to_the_walls(seed: int) -> None:
    for alpha in (0.03, 0.1):
        once, twice = (apart(cloud(seed, **SETTLED | {"steps": steps}, alpha=alpha)).mean() for steps in (100, 200))
        assert float(twice) == pytest.approx(float(once), rel=0.02)
    for alpha in (1.0, 3.0):
        assert float(apart(cloud(seed, **SETTLED | {"steps": 200}, alpha=alpha)).mean()) > 1.1 * target(alpha)[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_with_adam_the_first_step_is_as_long_whatever_alpha_is_and_the_spread_does_not_follow(seed: int) -> None:
    start = cloud(seed, steps=0)
    once = [cloud(seed, **ADAM, steps=1, alpha=alpha) for alpha in ALPHAS]
    for positions in once:
        assert float((positions - start).norm(dim=-1).mean()) == pytest.approx(0.1 * 2**0.5, rel=0.01)
    settled = [float(apart(cloud(seed, **SETTLED, alpha=alpha)).mean()) for alpha in (ALPHAS[0], ALPHAS[-1])]
    spreads = [float(apart(positions).mean()) for positions in once]
    assert max(spreads) - min(spreads) < 0.25 * (settled[1] - settled[0])
    ten = cloud(seed, **ADAM, steps=10, alpha=3.0)
    assert float(apart(ten).mean()) > 1.3 * target(3.0)[0]  # farther out than the target
    plain = cloud(seed, **SETTLED, alpha=3.0)
    assert in_errors(far(ten), far(plain)) > 4.0


@pytest.mark.parametrize("seed", SEEDS)
def test_without_repulsion_each_particle_ends_on_the_peak_that_was_nearer(seed: int) -> None:
    start, alone = cloud(seed, steps=0), cloud(seed, **SETTLED | {"repulsion": "none"}, alpha=0.1)
    assert float(far(alone).mean()) < 0.125 * target(0.1)[1]  # of the target's own spread little is left
    before, after = (torch.cdist(positions, PEAKS).argmin(-1) for positions in (start, alone))
    assert float((before == after).float().mean()) > 0.95
    left = float((after == 0).float().mean())
    assert 0.35 < left < 0.65  # on both peaks: four errors of a share of 512 are 0.09


@pytest.mark.parametrize("seed", SEEDS)
def test_only_the_uniform_pick_keeps_the_spread(seed: int) -> None:
    distances = {}
    for pick in ("greedy", "softmax", "uniform"):
        rule = make_rule("vgf", particles=N, pick=pick, temperature=0.1, **SETTLED, alpha=1.0)
        trace = steer(rule, PARTS, torch.zeros(GROUPS, 1), noise(seed))
        distances[pick] = torch.cdist(trace.actions, PEAKS).amin(1)
        everyone = far(trace.positions[-1])
    assert in_errors(distances["uniform"], distances["greedy"]) > 4.0
    assert float(distances["greedy"].mean()) < float(distances["softmax"].mean()) < float(distances["uniform"].mean())
    assert abs(in_errors(distances["uniform"], everyone)) < 3.0


def test_the_table_of_l_train_and_l_test_says_what_the_lesson_says(root) -> None:
    """Three training seeds, 300 episodes each: the error of a mean return is at most 0.5/√900 = 0.017, of a difference 0.024."""
    table = json.loads((root / "notebooks" / "data" / "budgets.json").read_text())["rows"]

    def mean(what: str, l_train: int, l_test: int) -> float:
        found = [row[what] for row in table if (row["l_train"], row["l_test"]) == (l_train, l_test)]
        assert len(found) == 3
        return float(np.mean(found))

    for l_train in (0, 1, 3):
        at = {l_test: mean("return", l_train, l_test) for l_test in (0, 1, 3, 10, 30)}
        assert at[3] > max(at[0], at[30]) + 4 * 0.024
        assert at[3] == max(at.values())
        shift = [mean("shift", l_train, l_test) for l_test in (0, 1, 3, 10, 30)]
        assert shift == sorted(shift)
    assert np.ptp([mean("return", l_train, 3) for l_train in (0, 1, 3)]) < 2 * 0.024
    for l_test in (0, 1, 3, 10, 30):
        gaps = [mean("gap", l_train, l_test) for l_train in (0, 1, 3)]
        assert gaps == sorted(gaps)
