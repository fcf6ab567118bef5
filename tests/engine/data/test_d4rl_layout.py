"""D4RL's families: recognised by their arrays, with episodes that end where they do, and nothing else changed."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from engine.data import d4rl_files as files

from workbench.engine.data.describe import describe
from workbench.engine.data.hdf5 import read_hdf5, read_layout


def ends_of(arrays: dict[str, np.ndarray]) -> list[int]:
    """Numbers of the file's rows that are the last of an episode."""
    return arrays["rows"][arrays["ends"] | (np.arange(len(arrays["rows"])) == len(arrays["rows"]) - 1)].tolist()


def test_antmaze(tmp_path: Path) -> None:
    arrays, layout = read_layout(files.antmaze(tmp_path / "a.hdf5"))
    assert layout.family == "antmaze"
    assert ends_of(arrays) == [4, 10, 16]  # rows 5 and 17 were cut off by time, and what followed them is not known
    assert arrays["rows"][arrays["masks"] == 0].tolist() == [10]
    assert arrays["rewards"].sum() == 1.0
    found = describe(tmp_path / "a.hdf5")
    assert (found.format, found.episodes, found.terminated, found.time_limits) == ("D4RL's HDF5, antmaze", 3, 1, 2)
    assert any("no part of it" in note for note in found.notes)


def test_antmaze_with_resets_that_are_not_marked(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="1 resets are not marked in 'timeouts'.*first after row 5"):
        arrays = read_hdf5(files.antmaze(tmp_path / "a.hdf5", marked=False))
    assert ends_of(arrays) == [4, 10, 16]


def test_maze2d_has_no_end_but_time(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="neither 'timeouts' nor"):
        arrays, layout = read_layout(files.maze2d(tmp_path / "a.hdf5"))
    assert layout.family == "maze2d"
    assert ends_of(arrays) == [18]
    assert (arrays["masks"] == 1).all()
    assert arrays["rewards"].sum() == 3.0


def test_maze2d_s_waypoints_are_no_terminations(tmp_path: Path) -> None:
    arrays = read_hdf5(files.maze2d(tmp_path / "a.hdf5", waypoints=True))
    assert (arrays["masks"] == 1).all()
    assert set(arrays["rows"].tolist()) == set(range(19)) - {5, 12}
    assert ends_of(arrays) == [4, 11, 18]
    steps = np.abs(arrays["next_observations"] - arrays["observations"]).max()
    assert 0 < steps < 0.5  # no transition crosses


def test_kitchen_ends_by_itself_where_all_is_done(tmp_path: Path) -> None:
    arrays, layout = read_layout(files.kitchen(tmp_path / "a.hdf5"))
    assert layout.family == "kitchen"
    assert arrays["rows"][arrays["masks"] == 0].tolist() == [10]
    assert ends_of(arrays) == [4, 10, 16]
    found = describe(tmp_path / "a.hdf5")
    assert (found.episodes, found.terminated, found.time_limits, found.dropped) == (3, 1, 2, 1)


@pytest.mark.parametrize(
    ("sizes", "hand"), [((45, 24), "pen"), ((39, 28), "door"), ((46, 26), "hammer"), ((39, 30), "relocate")]
)
def test_adroit(tmp_path: Path, sizes: tuple[int, int], hand: str) -> None:
    arrays, layout = read_layout(files.adroit(tmp_path / "a.hdf5", *sizes))
    assert layout.title == f"D4RL's HDF5, Adroit {hand}"
    assert (arrays["masks"] == 1).all()
    assert ends_of(arrays) == [3, 9]


def test_locomotion(tmp_path: Path) -> None:
    arrays, layout = read_layout(files.locomotion(tmp_path / "a.hdf5"))
    assert layout.family == "locomotion"
    assert ends_of(arrays) == [4, 10]
    assert arrays["rows"][arrays["masks"] == 0].tolist() == [4]


def test_a_link_beside_the_data_is_not_followed(tmp_path: Path) -> None:
    path = files.maze2d(tmp_path / "a.hdf5")
    with h5py.File(path, "a") as file:
        goals = file["infos/goal"][()]
        del file["infos/goal"]
        file["infos/goal"] = h5py.ExternalLink("elsewhere.hdf5", "/goal")
    with pytest.warns(UserWarning, match="neither"):
        assert read_layout(path)[1].family == ""
    with h5py.File(path, "a") as file:
        del file["infos"]
        file["infos"] = h5py.ExternalLink("elsewhere.hdf5", "/")
        file["kept"] = goals
    with pytest.warns(UserWarning, match="neither"):
        assert read_layout(path)[1].family == ""
