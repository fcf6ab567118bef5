"""The HDF5 door: D4RL's conventions on hand-made rows, and files that are not what they should be."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from workbench.engine.data.columns import plain_from_d4rl
from workbench.engine.data.hdf5 import read_hdf5
from workbench.engine.data.npz import DataFileError, plain_transitions

ROWS = {
    "observations": np.array([[0.0], [1], [2], [10], [11], [20], [21], [30]]),
    "actions": np.array([[0.0], [0.1], [0.2], [0.3], [0.4], [0.5], [0.6], [0.7]]),
    "rewards": np.arange(8.0),
    "terminals": np.array([0, 0, 1, 0, 0, 0, 0, 0]),  # row 2 terminates
    "timeouts": np.array([0, 0, 0, 0, 1, 0, 1, 0]),  # time runs out in rows 4 and 6; row 7 is cut off by the file's end
}


def write(path: Path, **changes: object) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in (ROWS | changes).items():
            if array is not None:
                file[name] = array
    return path


def test_rows_of_the_layout_of_d4rl() -> None:
    data = plain_transitions(plain_from_d4rl(ROWS, "x"), "x")
    assert data.observations.ravel().tolist() == [0, 1, 2, 10, 20]  # rows 4, 6 and 7: nobody knows what followed
    assert data.next_observations.ravel().tolist() == [1, 2, 2, 11, 21]
    assert data.rewards.tolist() == [0, 1, 2, 3, 5]
    assert data.masks.tolist() == [1, 1, 0, 1, 1]
    assert data.ends.tolist() == [False, False, True, True, True]


def test_next_observations_of_the_file_are_used() -> None:
    following = ROWS["observations"] + 0.5
    data = plain_transitions(plain_from_d4rl(ROWS | {"next_observations": following}, "x"), "x")
    assert len(data) == 8
    assert np.array_equal(data.next_observations, following.astype(np.float32))
    assert data.ends.tolist() == [False, False, True, False, True, False, True, True]


def test_a_row_that_terminates_as_time_runs_out_is_kept() -> None:
    both = ROWS | {"timeouts": np.array([0, 0, 1, 0, 1, 0, 1, 0])}
    assert 2.0 in plain_from_d4rl(both, "x")["observations"]


def test_columns_are_squeezed(tmp_path: Path) -> None:
    column = {name: ROWS[name][:, None] for name in ("rewards", "terminals", "timeouts")}
    plain, squeezed = read_hdf5(write(tmp_path / "a.hdf5")), read_hdf5(write(tmp_path / "b.hdf5", **column))
    assert all(np.array_equal(plain[name], squeezed[name]) for name in plain)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rewards": None}, "lacks 'rewards'"),
        ({"rewards": np.zeros((8, 2))}, r"'rewards' has shape \(8, 2\), expected \(R,\) or \(R, 1\)"),
        ({"observations": np.zeros(8)}, r"'observations' has shape \(8,\), expected \(R, …\)"),
        ({"actions": np.zeros((7, 1))}, "with R = 7 rows as in 'actions'"),
        ({"rewards": np.array([b"x"] * 8)}, "must hold real numbers"),
        ({"timeouts": np.ones(8), "terminals": np.zeros(8)}, "no row is left"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(DataFileError, match=words):
        read_hdf5(write(tmp_path / "data.hdf5", **changes))


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, content in {"text.hdf5": b"hello", "empty.hdf5": b"", "cut.hdf5": b""}.items():
        (tmp_path / name).write_bytes(content)
    whole = write(tmp_path / "whole.hdf5").read_bytes()
    (tmp_path / "cut.hdf5").write_bytes(whole[: len(whole) // 2])
    for name in ("text.hdf5", "empty.hdf5", "cut.hdf5"):
        with pytest.raises(DataFileError, match="not a readable HDF5 file"):
            read_hdf5(tmp_path / name)
    with pytest.raises(DataFileError, match="no such file"):
        read_hdf5(tmp_path / "none.hdf5")
    with pytest.raises(DataFileError, match="unpacks to 320 bytes, the limit is 100"):
        read_hdf5(tmp_path / "whole.hdf5", max_bytes=100)


def test_links_out_of_the_file_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "other.hdf5")
    for link in (h5py.ExternalLink("other.hdf5", "/rewards"), h5py.SoftLink("/terminals")):
        with pytest.raises(DataFileError, match="'rewards' is not an array in this file"):
            read_hdf5(write(tmp_path / "data.hdf5", rewards=link))
    (tmp_path / "secret").write_bytes(bytes(64))
    path = write(tmp_path / "external.hdf5", rewards=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("rewards", (8,), "f8", external=[(str(tmp_path / "secret"), 0, 64)])
    with pytest.raises(DataFileError, match="'rewards' is not an array in this file"):
        read_hdf5(path)
    layout = h5py.VirtualLayout((8,), "f8")
    layout[:] = h5py.VirtualSource(tmp_path / "other.hdf5", "rewards", (8,))
    path = write(tmp_path / "virtual.hdf5", rewards=None)
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset("rewards", layout)
    with pytest.raises(DataFileError, match="'rewards' is not an array in this file"):
        read_hdf5(path)
