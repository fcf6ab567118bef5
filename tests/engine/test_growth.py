"""How work and memory grow with every size that a user sets: counted, so that no clock decides."""

import itertools
import math

import numpy as np
import pytest
import torch

from benchmarks.counting import count
from benchmarks.growth import AXES, counted, fit

SLACK = 0.12  # what is there at any size weighs less and less


@pytest.mark.parametrize("name", AXES)
def test_nothing_grows_faster_than_its_formula(name: str) -> None:
    axis = AXES[name]
    costs = counted(axis)
    for (small, one), (large, other) in itertools.pairwise(zip(axis.counted, costs, strict=True)):
        ratio = math.log(large / small)
        assert math.log(other.work / one.work) / ratio < axis.most + SLACK
        assert math.log(other.peak / one.peak) / ratio < axis.memory + SLACK
        if axis.loops:
            assert math.log(other.calls / one.calls) / ratio < axis.most + SLACK
        else:
            assert other.calls == one.calls


def test_only_the_kernel_the_width_and_the_chain_are_quadratic() -> None:
    assert {name for name, axis in AXES.items() if axis.most > 1.0} == {"kernel", "width", "chain"}


def test_what_is_counted() -> None:
    def call() -> None:
        a = torch.ones(10, 20)
        b = a @ torch.ones(20, 5)
        for _ in range(3):
            c = b + 1.0  # each is forgotten before the next but one is made
        c.view(-1)
        c.add_(1.0)

    found = count(call)
    assert found.flops == 2 * 10 * 20 * 5
    assert found.written == 200 + 100 + 50 + 3 * 50 + 50
    assert found.peak == 4 * (200 + 100 + 50 + 50 + 50) - 4 * 100


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_an_exponent_is_found_with_its_interval(power: float) -> None:
    sizes = [10, 20, 40, 80, 160, 320]
    exact = fit(sizes, [3.0 * size**power for size in sizes])
    assert exact == pytest.approx((power, power, power), abs=1e-9)
    noise = np.exp(np.random.default_rng(0).normal(0.0, 0.1, len(sizes)))
    low, high = fit(sizes, [3.0 * size**power * one for size, one in zip(sizes, noise, strict=True)])[1:]
    assert low < power < high
