"""Wasserstein distance on a line between clouds of different sizes."""

import numpy as np
import pytest

from workbench.engine.metrics.shift import sliced_wasserstein2


def test_clouds_of_different_sizes_on_a_line():
    x = np.array([[0.0], [1.0]])
    assert sliced_wasserstein2(x, np.repeat(x, 3, 0)) == pytest.approx(0.0, abs=1e-9)
    assert sliced_wasserstein2(x, np.array([[0.5]])) == pytest.approx(0.5)
    same = np.random.default_rng(0).normal(size=(50, 1))
    shifted = np.random.default_rng(1).permutation(same) + 0.3
    assert sliced_wasserstein2(same, shifted) == pytest.approx(0.3)
