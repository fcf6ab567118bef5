"""The two histograms of a dataset count every row and every episode once, over all of its pieces."""

import numpy as np
import pytest

from workbench.engine.data import pictures
from workbench.engine.data.pictures import MOST_DIMS, Pictures


def piece(actions: np.ndarray, lengths: tuple[int, ...]) -> dict[str, np.ndarray]:
    ends = np.zeros(sum(lengths), dtype=bool)
    ends[np.cumsum(lengths) - 1] = True
    return {"actions": actions, "ends": ends}


def test_every_row_is_counted_in_its_place() -> None:
    both = Pictures()
    both.add(piece(np.array([[-2.0, 0.0]] * 3 + [[2.0, 0.0]] * 2), (2, 3)))
    both.add(piece(np.array([[2.0, np.nan], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]), (4,)))
    actions = both.actions()
    assert (actions.edges[0], actions.edges[-1]) == (-2.0, 2.0)
    first, second = np.array(actions.counts)
    assert (first.sum(), second.sum()) == (8, 8)  # the row with NaN is left out
    assert (first[0], first[-1]) == (3, 2)
    assert second.max() == 8
    lengths = both.lengths()
    assert lengths.edges == (1.5, 2.5, 3.5, 4.5)
    assert lengths.counts == ((1, 1, 1),)


@pytest.mark.parametrize("longest", [1, 2, 24, 25, 100, 1001])
def test_bins_of_lengths_hold_whole_numbers(longest: int) -> None:
    one = Pictures()
    lengths = (1, longest, longest)
    one.add(piece(np.zeros((sum(lengths), 1)), lengths))
    found = one.lengths()
    assert sum(found.counts[0]) == 3
    assert len(found.counts[0]) <= pictures.BINS
    assert found.counts[0][-1] >= 2
    assert all(edge % 1 == 0.5 for edge in found.edges)


def test_wide_actions_and_large_pieces_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_ROWS", 10)
    one = Pictures()
    one.add(piece(np.linspace(0, 1, 100 * 20).reshape(100, 20), (100,)))
    counts = one.actions().counts
    assert len(counts) == MOST_DIMS
    assert {sum(row) for row in counts} == {10}


def test_rows_that_are_all_damaged_give_no_picture() -> None:
    one = Pictures()
    one.add(piece(np.full((3, 2), np.nan), (3,)))
    assert one.actions().counts == ()
