"""Shift against known answers: translations, order statistics of best-of-N, Gaussians."""

import math
from dataclasses import asdict

import numpy as np
import ot
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from workbench.engine.metrics.shift import draw_clouds, measure_shift, sliced_wasserstein2, wasserstein2
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.registry import make_task


@pytest.mark.parametrize("d", [1, 2, 5])
def test_wasserstein_of_a_shifted_cloud(d: int) -> None:
    """A translation by c is at exact distance ‖c‖, at sliced distance ‖c‖ / √d on average over directions."""
    rng = np.random.default_rng(d)
    x, c = rng.normal(size=(40, d)), rng.normal(size=d)
    assert wasserstein2(x, x + c) == pytest.approx(np.linalg.norm(c), rel=1e-6)
    assert wasserstein2(x, x[::-1]) == pytest.approx(0.0, abs=1e-7)
    assert sliced_wasserstein2(x, x + c) == pytest.approx(np.linalg.norm(c) / np.sqrt(d), rel=0.35)
    assert sliced_wasserstein2(x, x[::-1]) == pytest.approx(0.0, abs=1e-7)


def test_wasserstein_is_the_best_assignment() -> None:
    x, y = np.array([[0.0], [1.0], [5.0]]), np.array([[5.5], [0.5], [1.5]])
    assert wasserstein2(x, y) == pytest.approx(0.5)
    assert sliced_wasserstein2(x, y) == pytest.approx(0.5)


def still_parts(slope: float = 1.0, dim: int = 2) -> Parts:
    """A flow that stands still and a critic Q = slope · a₁, so that every push is known."""
    return Parts(
        observation_dim=1,
        action_dim=dim,
        reference=lambda s, a, t: torch.zeros_like(a),
        critic=lambda s, a: slope * a[:, 0],
    )


def narrow_parts(slope: float = 1.0, dim: int = 2) -> Parts:
    """A flow a ← 0.9 a, ten times: a Gaussian of standard deviation 0.35, hardly clipped."""
    return Parts(1, dim, reference=lambda s, a, t: -a, critic=lambda s, a: slope * a[:, 0])


def test_shift_of_known_pushes() -> None:
    """QGF adds w · slope in all; GradStep adds L · ε · slope, where the clip does not bite (noise small)."""
    parts, states = still_parts(0.5), torch.zeros(3, 1)
    shift = measure_shift(make_rule("bc"), parts, states, 16, seed=0)
    assert (shift.displacement, shift.w2, shift.sliced_w2, shift.mmd2) == (0.0, 0.0, 0.0, 0.0)
    assert shift.nll == shift.nll_behaviour
    guided = measure_shift(make_rule("qgf", weight=0.1), parts, states, 16, seed=0)
    assert transport(make_rule("qgf", weight=0.1), parts, states) == pytest.approx(0.05, rel=1e-5)
    assert 0.0 < guided.displacement <= 0.05 + 1e-6  # clipped particles move less
    assert guided.w2 <= 0.05 + 1e-6
    steps = measure_shift(make_rule("grad_step", steps=4, step_size=0.01), parts, states, 16, seed=0)
    assert steps.displacement <= 0.02 + 1e-6
    way = transport(make_rule("grad_step", steps=4, step_size=0.01), parts, states)
    assert way == pytest.approx(steps.displacement, rel=1e-4)  # straight pushes: the path is the displacement


def transport(rule: Rule, parts: Parts, states: torch.Tensor) -> float:
    return draw_clouds(rule, parts, states, 16, torch.Generator().manual_seed(0)).transport


@pytest.mark.parametrize("particles", [2, 8])
def test_w2_of_best_of_n_in_closed_form(particles: int) -> None:
    """The best of N of one dimension has quantiles F⁻¹(u^{1/N}); W2 is the distance of the quantile functions.

    200 states with 32 draws each; what chance adds to the raw distance is taken off to a few percent.
    """
    u = (np.arange(100_000) + 0.5) / 100_000
    behaviour, best = np.clip(norm.ppf(u), -1, 1), np.clip(norm.ppf(u ** (1 / particles)), -1, 1)
    exact = math.sqrt(((best - behaviour) ** 2).mean())
    rule = make_rule("best_of_n", particles=particles)
    found = measure_shift(rule, still_parts(dim=1), torch.zeros(200, 1), 32, seed=0)
    assert found.displacement == 0.0
    assert found.w2 == pytest.approx(exact, rel=0.05)
    assert found.sliced_w2 == found.w2  # one direction is all there is
    assert found.w2_floor > 0.1
    if particles == 2:  # near the floor, where it matters: the raw distance reads too much
        assert math.hypot(found.w2, found.w2_floor) > 1.03 * exact


@pytest.mark.parametrize("pick", ["greedy", "softmax", "uniform"])
def test_no_floor_where_nothing_is_chosen(pick: str) -> None:
    """Several particles and a critic that likes all alike: the picked action is a plain sample, whatever picks it."""
    rule = make_rule("best_of_n", particles=4, pick=pick)
    found = measure_shift(rule, still_parts(slope=0.0), torch.zeros(60, 1), 32, seed=0)
    assert found.w2 < 0.03  # two clouds of 32 read 0.4
    assert found.sliced_w2 < 0.03
    assert abs(found.mmd2) < 0.003
    assert found.w2_floor == 0.0 if pick == "uniform" else found.w2_floor > 0.3


def test_likelihood_of_a_known_shift() -> None:
    """A Gaussian of standard deviation s moved by c is less likely by c²/2s² nats; four standard errors of c z / s."""
    parts, states, c, s = narrow_parts(), torch.zeros(64, 1), 0.2, 0.9**10
    found = measure_shift(make_rule("grad_step", steps=4, step_size=0.05), parts, states, 32, seed=0)
    assert found.nll - found.nll_behaviour == pytest.approx(c**2 / (2 * s**2), abs=4 * c / s / math.sqrt(256) + 0.02)
    assert found.nll_behaviour == pytest.approx(math.log(2 * math.pi * math.e * s**2), abs=4 / math.sqrt(256))


def test_mmd_of_a_known_shift() -> None:
    """Two Gaussians of standard deviation s in the plane, c apart, at the bandwidth that 512 of them give.

    MMD² = 2 σ²/(σ² + 2s²) (1 − exp(−c² / (2 (σ² + 2s²)))) for D = 2; σ² = median d² / (2 ln 513), d² ~ 2s² χ²₂.
    """
    c, s, draws = 0.2, 0.9**10, 512
    variance = 2 * s**2 * 2 * math.log(2) / (2 * math.log(draws + 1))
    wide = variance + 2 * s**2
    exact = 2 * variance / wide * (1 - math.exp(-(c**2) / (2 * wide)))
    rule = make_rule("grad_step", steps=4, step_size=0.05)
    found = measure_shift(rule, narrow_parts(), torch.zeros(8, 1), draws, seed=0)
    assert found.mmd2 == pytest.approx(exact, rel=0.1)


def test_a_reference_without_derivative_has_no_likelihood() -> None:
    def hidden(s: Tensor, a: Tensor, t: Tensor) -> Tensor:
        return -a.detach()

    shift = measure_shift(make_rule("qgf"), Parts(1, 2, hidden, lambda s, a: a[:, 0]), torch.zeros(3, 1), 8, seed=0)
    assert shift.nll is None
    assert shift.nll_behaviour is None
    assert shift.w2 > 0.0


def test_many_dimensions_take_probes() -> None:
    shift = measure_shift(make_rule("bc"), narrow_parts(dim=9), torch.zeros(32, 1), 8, seed=0)
    back = 1.105**10  # Heun's factor from the action to its noise; the divergence is -9 everywhere
    expected = 9 * (0.5 * math.log(2 * math.pi) + 0.5 * (0.9**10 * back) ** 2 - 1.0)
    assert shift.nll_behaviour == pytest.approx(expected, abs=4 * 0.64 * math.sqrt(9 / 128))
    assert shift == measure_shift(make_rule("bc"), narrow_parts(dim=9), torch.zeros(32, 1), 8, seed=0)


@pytest.mark.parametrize("name", ["best_of_n", "vgf"])
def test_shift_in_pieces_is_the_shift(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory grows with particles² under a kernel: many are measured a few states at a time."""
    rule, parts, states = make_rule(name, particles=6), make_task("bandit2d").parts(), torch.zeros(7, 1)
    whole = measure_shift(rule, parts, states, 4, seed=1)
    for pairs in (1, 4 * 36 * 2):  # one state at a time; two, with one left over
        monkeypatch.setattr("workbench.engine.metrics.shift.PAIRS", pairs)
        again = asdict(measure_shift(rule, parts, states, 4, seed=1))
        for key, value in asdict(whole).items():
            assert again[key] == pytest.approx(value, rel=1e-4), key


def test_the_fast_sliced_distance_equals_pot():
    rng = np.random.default_rng(0)
    for rows in (60, 20, 60 // 4):
        x, y = rng.normal(size=(rows, 3)), rng.normal(1.0, 2.0, size=(60, 3))
        known = ot.sliced_wasserstein_distance(x, y, n_projections=64, seed=5)
        assert sliced_wasserstein2(x, y, seed=5) == pytest.approx(known, rel=1e-9)
