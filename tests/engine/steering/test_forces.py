"""The forces between very many particles: the same numbers as the whole kernel gives, in a bounded part of its memory."""

import pytest
import torch
from torch import Tensor

from benchmarks.counting import count
from workbench.engine.steering import forces as blocks
from workbench.engine.steering.forces import forces, median_pair
from workbench.engine.steering.kernel import rbf, repulsion

HOW = ("published", "fixed_bandwidth", "none")


def cloud(b: int, n: int, d: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n)
    return (torch.randn(b, n, d, dtype=dtype, generator=generator) for _ in range(2))  # type: ignore[return-value]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "DENSE", 50)
    monkeypatch.setattr(blocks, "BLOCK", 60)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("size", [(3, 4, 2), (2, 13, 1), (1, 20, 3), (2, 31, 2), (1, 8, 40)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blocks_give_what_the_whole_kernel_gives(
    small: None, how: str, size: tuple[int, int, int], dtype: torch.dtype
) -> None:
    x, score = cloud(*size, dtype)
    kernel = rbf(x)
    close = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-12, "atol": 1e-12}
    pulled, apart = forces(x, score, how)  # type: ignore[arg-type]
    torch.testing.assert_close(pulled, kernel.values @ score, **close)
    torch.testing.assert_close(apart, repulsion(kernel, how), **close)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [3, 4, 7, 10, 33])
def test_the_median_and_its_pairs_are_those_of_the_sorted_matrix(small: None, n: int) -> None:
    x = next(iter(cloud(1, n, 2)))
    kernel, (median, middle) = rbf(x), median_pair(x[0])
    assert kernel.middle[0].tolist() == [i * n + j for i, j in middle]
    assert float(median) == float(kernel.distances[0].flatten()[kernel.middle[0]].mean())


@pytest.mark.parametrize("n", [9, 16])
def test_equal_distances_are_ordered_as_a_stable_sort_does(small: None, n: int) -> None:
    """A grid: most distances occur many times."""
    side = round(n**0.5)
    grid = torch.cartesian_prod(torch.arange(side), torch.arange(side)).float()[None]
    assert rbf(grid).middle[0].tolist() == [i * n + j for i, j in median_pair(grid[0])[1]]


def test_particles_in_one_place_do_not_push(small: None) -> None:
    x = torch.full((1, 12, 2), 0.3)
    pulled, apart = forces(x, torch.ones(1, 12, 2), "published")
    assert torch.equal(pulled, torch.full((1, 12, 2), 12.0))
    assert (apart == 0.0).all()


def test_memory_does_not_grow_with_pairs() -> None:
    """2500 particles have 6 million pairs, 250 MB at once; 4000 have 2.6 times as many."""
    peaks = []
    for n in (2500, 4000):
        x, score = cloud(1, n, 4, torch.float32)
        peaks.append(count(lambda: forces(x, score, "published")).peak)  # noqa: B023 -- called at once
    assert peaks[1] < 1.3 * peaks[0]
    assert peaks[1] < 150e6
