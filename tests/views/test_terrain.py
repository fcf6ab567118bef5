"""The arrays of the landscape page: planes, sections, the ensemble's spread, and trust."""

import numpy as np
import pytest
import torch

from workbench.engine.models.landscapes import Bumps
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.bandits import Bandit1D, Bandit2D
from workbench.views.question import Policy, Question
from workbench.views.terrain import GRID, LINE, View, basis_of, density, member_values, terrain


def cloud(dim, rows=400):
    scales = np.geomspace(1.0, 0.01, dim)
    return (np.random.default_rng(0).normal(size=(rows, dim)) * scales * 0.3).astype(np.float32)


def test_coordinates_and_actions_are_inverse_on_the_plane():
    for plane in ((0, 2), "principal"):
        basis = basis_of(cloud(5), plane)
        np.testing.assert_allclose(basis.directions @ basis.directions.T, np.eye(2), atol=1e-6)
        spots = np.random.default_rng(1).uniform(-1, 1, (7, 2))
        np.testing.assert_allclose(basis.coordinates(basis.actions(spots)), spots, atol=1e-5)


def test_two_coordinates_keep_their_origin_and_the_others_stand_at_the_mean():
    actions = cloud(4) + 0.2
    basis = basis_of(actions, (1, 3))
    point = basis.actions(np.array([0.5, -0.5]))
    np.testing.assert_allclose(point[[1, 3]], [0.5, -0.5])
    np.testing.assert_allclose(point[[0, 2]], actions.mean(0)[[0, 2]], rtol=1e-5)


def test_the_principal_plane_shows_the_most():
    actions = cloud(6)
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]
    turned = (actions @ rotation).astype(np.float32)
    principal = basis_of(turned, "principal").share
    assert principal == pytest.approx(basis_of(actions, (0, 1)).share, rel=1e-2)
    assert all(basis_of(turned, (i, j)).share <= principal + 1e-6 for i in range(6) for j in range(i))


def test_a_plane_that_does_not_exist():
    for plane in ((0, 0), (0, 3)):
        with pytest.raises(ValueError, match="two different coordinates of 0 to 2"):
            basis_of(cloud(3), plane)


def two_members():
    flow = Bandit2D().behaviour
    bump = Bumps(torch.zeros(1, 2), torch.tensor([0.5]), torch.tensor([[1.0], [3.0]]))
    return Parts(1, 2, flow, bump)


def test_members_and_sections():
    parts = two_members()
    q = member_values(parts, torch.zeros(1), np.zeros((3, 2)), "target")
    np.testing.assert_allclose(q, [[1.0] * 3, [3.0] * 3])
    found = terrain(View(Question("bandit2d", (Policy("qgf"),), shown=64)), parts, object())
    assert found.values.shape == found.spread.shape == (GRID, GRID)
    np.testing.assert_allclose(found.spread, found.values / 2, rtol=1e-4)  # members 1 and 3 times the same bump
    section = found.sections[0]
    assert section.place.shape == (LINE,)
    np.testing.assert_allclose(section.high, 3 * section.low, rtol=1e-4)
    assert (section.low <= section.mean).all()
    assert found.truth is None


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_a_terrain_on_the_bandits_or_says_why_not(name):
    for task in (Bandit1D(), Bandit2D()):
        parts = task.parts()
        view = View(Question(task.info.name, (Policy(name),), shown=64))
        if not set(RULES[name].needs) <= set(parts.available()):
            with pytest.raises(ValueError, match="needs part"):
                terrain(view, parts, task)
            continue
        found = terrain(view, parts, task)
        rows = 1 if task.info.action_dim == 1 else GRID
        assert found.values.shape[0] == rows
        assert np.isfinite(found.values).all()
        assert found.truth.shape == found.values.shape
        asked = np.isfinite(found.trust.share)
        assert asked == bool(torch.isfinite(found.answer.traces[1].queries).any())


def test_trust_falls_as_the_rule_goes_too_far():
    task = Bandit2D()
    parts = task.parts()
    shares = [
        terrain(View(Question("bandit2d", (Policy("qgf", {"weight": weight}),), shown=512)), parts, task).trust.share
        for weight in (0.03, 1.0, 30.0)
    ]
    assert shares[0] > 0.7
    assert shares[0] > shares[1] > shares[2]


def test_a_density_integrates_to_one():
    place = np.linspace(-2, 2, 801)
    values = density(np.random.default_rng(0).uniform(-1, 1, 100), place)
    assert np.trapezoid(values, place) == pytest.approx(1.0, abs=1e-3)
