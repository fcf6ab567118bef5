"""Where episodes end: one answer for HDF5 and npz, whatever the columns' types and whichever of them are there."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from workbench.engine.data.boundaries import episodes_in_words, not_followed, resets
from workbench.engine.data.npz import DataFileError
from workbench.engine.data.transitions import Transitions
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import load_saved

LENGTHS = (60, 25, 90)
LAST = (np.cumsum(LENGTHS) - 1).tolist()
Columns = dict[str, np.ndarray]


def columns() -> Columns:
    """Three episodes for Pendulum, each a slow walk from a place of its own; the second terminates, time cuts off the others."""
    rng = np.random.default_rng(0)
    walks = [10.0 * i + np.cumsum(rng.normal(0, 0.01, (length + 1, 3)), 0) for i, length in enumerate(LENGTHS)]
    rows = sum(LENGTHS)
    terminals, timeouts = np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool)
    terminals[LAST[1]] = timeouts[LAST[0]] = timeouts[LAST[2]] = True
    return {
        "observations": np.concatenate([walk[:-1] for walk in walks]),
        "next_observations": np.concatenate([walk[1:] for walk in walks]),
        "actions": rng.uniform(-2, 2, (rows, 1)),
        "rewards": np.arange(rows, dtype=float),
        "terminals": terminals,
        "timeouts": timeouts,
    }


def load(path: Path, arrays: Columns) -> Transitions:
    if path.suffix == ".npz":
        np.savez(path, **arrays)  # type: ignore[arg-type]
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    return load_saved(make_task("gym/Pendulum-v1"), path)


def without(*names: str) -> Columns:
    return {name: array for name, array in columns().items() if name not in names}


VARIANTS: dict[str, Columns] = {
    "all": columns(),
    "no timeouts": without("timeouts"),
    "timeouts all 0": columns() | {"timeouts": np.zeros(sum(LENGTHS))},
    "float32 and float64": without("timeouts") | {"observations": columns()["observations"].astype("f4")},
    "float64 and float32": without("timeouts") | {"next_observations": columns()["next_observations"].astype("f4")},
    "0 and 255": columns() | {name: columns()[name].astype("u1") * 255 for name in ("terminals", "timeouts")},
    "columns": columns() | {name: columns()[name][:, None] for name in ("rewards", "terminals", "timeouts")},
    "float flags": columns() | {name: columns()[name].astype("f8") for name in ("terminals", "timeouts")},
    "masks": without("terminals") | {"masks": 1.0 - columns()["terminals"]},
}


@pytest.mark.parametrize("suffix", ["npz", "hdf5"])
@pytest.mark.parametrize("arrays", VARIANTS.values(), ids=VARIANTS)
def test_the_same_episodes_through_every_door(tmp_path: Path, arrays: Columns, suffix: str) -> None:
    data = load(tmp_path / f"data.{suffix}", arrays)
    assert np.flatnonzero(data.ends).tolist() == LAST
    assert np.flatnonzero(data.masks == 0).tolist() == [LAST[1]]


def test_half_precision_is_compared_as_such() -> None:
    seen = np.random.default_rng(1).normal(size=(41, 3))
    assert np.flatnonzero(not_followed(seen[:-1].astype("f2"), seen[1:])).tolist() == [39]
    assert np.flatnonzero(not_followed(seen[:-1], seen[1:].astype("f2"))).tolist() == [39]


@pytest.mark.parametrize("suffix", ["npz", "hdf5"])
def test_a_guess_says_what_it_found(tmp_path: Path, suffix: str) -> None:
    with pytest.warns(UserWarning, match=r"guessed from jumps of the observations: 3 episodes of 25 to 90 rows"):
        data = load(tmp_path / f"data.{suffix}", without("timeouts", "next_observations"))
    assert len(data) == sum(LENGTHS) - 2  # what followed the two rows where time ran out is not known
    assert data.ends.sum() == 3
    assert (
        np.abs(data.next_observations - data.observations) < 1.0
    ).all()  # no row leads from one episode into another
    same_place = without("timeouts", "next_observations") | {
        "observations": np.random.default_rng(2).normal(size=(175, 3))
    }
    with pytest.warns(UserWarning, match="2 episodes of 85 to 90 rows"):
        load(tmp_path / f"same.{suffix}", same_place)


def test_odd_data_for_the_guess() -> None:
    assert not resets(np.zeros((5, 2))).any()
    assert not resets(np.zeros((1, 2))).any()
    assert not resets(np.full((4, 2), np.nan)).any()
    assert episodes_in_words(np.array([0, 0, 1, 0], dtype=bool)) == "2 episodes of 1 to 3 rows"
    assert episodes_in_words(np.zeros(4, dtype=bool)) == "1 episode of 4 rows"


@pytest.mark.parametrize("suffix", ["npz", "hdf5"])
@pytest.mark.parametrize("name", ["terminals", "timeouts"])
@pytest.mark.parametrize("value", [0.5, 7.0, -1.0, np.nan])
def test_flags_that_are_none(tmp_path: Path, suffix: str, name: str, value: float) -> None:
    flags = columns()[name].astype(float)
    flags[33] = value
    with pytest.raises(DataFileError, match=f"'{name}' must be 0 or 1, got {value:g} in row 33"):
        load(tmp_path / f"data.{suffix}", columns() | {name: flags})


@pytest.mark.parametrize("suffix", ["npz", "hdf5"])
@pytest.mark.parametrize("row", [5, 70, 174 - 20])
@pytest.mark.parametrize(
    ("name", "value"), [("rewards", np.nan), ("observations", np.inf), ("actions", 9.0), ("rewards", 1e200)]
)
def test_rows_are_those_of_the_file(tmp_path: Path, suffix: str, row: int, name: str, value: float) -> None:
    """Also where rows before them were dropped, since time ran out there."""
    arrays = without("next_observations")
    arrays[name] = arrays[name].copy()
    arrays[name][row] = value
    with pytest.raises(ValueError, match=r"first row|first in row") as caught:
        load(tmp_path / f"data.{suffix}", arrays)
    found = re.search(r"'(\w+)' has|(actions) outside", str(caught.value))
    assert found is not None
    assert re.findall(r"first (?:in )?row (\d+)", str(caught.value)) == [str(row)]
