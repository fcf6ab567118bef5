"""Where to ask the critic: lesson 4's claims about asking at the noise and asking at the guess, over several critics.

Each number is a difference of true rewards at the same displacement (mean distance to the unsteered action of the same noise),
read off two curves of ten weights each. It is paired: the same critic, the same 256 draws of noise. Six critics, each learned
from other data and other first weights, give a mean and its standard error; 2.57 of these are the half width of the 95%
interval of Student's t with 5 degrees of freedom.
"""

import math

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.engine.metrics.matched import return_at_shift
from workbench.engine.tasks.bandits import Bandit2D
from workbench.engine.tasks.wide_bandit import DIMS, USED, WideBandit

SEEDS, M, T_FIVE = 6, 256, 2.57
WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)


def rewards_at(task: Bandit2D, seed: int, at: list[float]) -> dict[str, np.ndarray]:
    """True reward (H,) of each rule at displacements ``at`` (H,), with the critic of one seed."""
    parts, rows = task.parts(seed), torch.zeros(M, 1)
    noise = wb.draw_noise(M, 1, task.info.action_dim, torch.Generator().manual_seed(100 + seed))
    home = wb.steer(wb.make_rule("bc"), parts, rows, noise).actions
    found = {}
    for name in ("qgf", "noisy"):
        ends = [wb.steer(wb.make_rule(name, weight=weight), parts, rows, noise).actions for weight in WEIGHTS]
        far = np.array([float((end - home).norm(dim=1).mean()) for end in ends])
        found[name] = return_at_shift(far, np.array([float(task.true_reward(end).mean()) for end in ends]), at)
    return found


def lead_of_qgf(task: Bandit2D) -> np.ndarray:
    """(seeds, 2): what QGF earns more than the noisy gradient at displacements 0.05 and 0.1."""
    found = [rewards_at(task, seed, [0.05, 0.1]) for seed in range(SEEDS)]
    return np.array([one["qgf"] - one["noisy"] for one in found])


def interval(values: np.ndarray) -> tuple[float, float]:
    half = T_FIVE * values.std(ddof=1) / math.sqrt(len(values))
    return values.mean() - half, values.mean() + half


def test_in_the_plane_asking_at_the_noise_is_no_worse():
    lead = lead_of_qgf(Bandit2D())
    for column in lead.T:
        assert interval(column)[0] < 0.0  # no lead of QGF can be shown …
        assert interval(column)[1] < 0.01  # … and none larger than 0.01 is compatible with what was measured


def test_among_32_numbers_asking_at_the_noise_earns_less():
    lead = lead_of_qgf(WideBandit())
    assert (lead > 0.0).all()  # with every critic, at both displacements
    assert interval(lead[:, 0])[0] > 0.008
    assert interval(lead[:, 1])[0] > 0.015


def test_the_wide_bandit_is_a_task_like_the_others():
    task = WideBandit()
    data = task.generate(500, seed=3)
    assert data.actions.shape == (500, DIMS)
    assert data.fingerprint() == task.generate(500, seed=3).fingerprint()
    assert np.abs(data.actions[:, USED:]).max() < 0.3  # five standard deviations and a bit
    assert wb.check_parts(task.parts()) is not None
    assert task.best_on_support == pytest.approx(Bandit2D().best_on_support)
    result = wb.evaluate(wb.make_rule("qgf", weight=0.3), task.parts(), task, episodes=64, seed=0)
    assert result.returns.mean > wb.evaluate(wb.make_rule("bc"), task.parts(), task, episodes=64, seed=0).returns.mean


def test_the_flow_of_the_wide_bandit_ends_in_its_data():
    task, rows = WideBandit(), torch.zeros(2000, 1)
    noise = wb.draw_noise(2000, 1, DIMS, torch.Generator().manual_seed(0))
    actions = wb.steer(wb.make_rule("bc", flow_steps=50), task.parts(), rows, noise).actions
    data = torch.from_numpy(task.generate(2000, seed=1).actions)
    error = data.std(0) * math.sqrt(2 / 2000)  # of a difference of two means
    assert ((actions.mean(0) - data.mean(0)).abs() < 5 * error).all()
    assert torch.allclose(actions[:, USED:].std(0), data[:, USED:].std(0), rtol=0.25)
