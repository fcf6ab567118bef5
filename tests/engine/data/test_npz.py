"""The npz door: what is written comes back, and bad files are refused with a cure."""

import errno
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from workbench.engine.data.npz import (
    DataFileError,
    load_dataset,
    read_arrays,
    regular,
    save_dataset,
    write_arrays,
)
from workbench.engine.data.transitions import make_transitions

ROWS = 12


def plain() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    observations = rng.normal(size=(ROWS + 1, 3)).astype(np.float32)
    ends = np.zeros(ROWS, dtype=bool)
    ends[[5, ROWS - 1]] = True
    return {
        "observations": observations[:-1],
        "actions": rng.uniform(-1, 1, (ROWS, 2)).astype(np.float32),
        "rewards": rng.normal(size=ROWS).astype(np.float32),
        "masks": np.where(np.arange(ROWS) == 5, 0.0, 1.0).astype(np.float32),
        "next_observations": observations[1:],
        "ends": ends,
    }


def compact() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    terminals = np.zeros(ROWS, dtype=bool)
    terminals[[4, ROWS - 1]] = True
    return {
        "observations": rng.normal(size=(ROWS, 3)).astype(np.float32),
        "actions": rng.uniform(-1, 1, (ROWS, 2)).astype(np.float32),
        "terminals": terminals,
        "qpos": rng.normal(size=(ROWS, 3)).astype(np.float32),
    }


def test_saved_data_come_back_bit_for_bit(tmp_path: Path) -> None:
    data = make_transitions(**plain())
    save_dataset(tmp_path / "a.npz", data)
    assert load_dataset(tmp_path / "a.npz").fingerprint() == data.fingerprint()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:  # numpy reads it too
        np.testing.assert_array_equal(file["actions"], data.actions)


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_arrays(tmp_path / "a.npz", plain())
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_arrays(tmp_path / "b.npz", plain())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_files_written_by_numpy_are_read(tmp_path: Path) -> None:
    for name, save in (("plain", np.savez), ("packed", np.savez_compressed)):
        save(tmp_path / f"{name}.npz", **plain(), note=np.array(["ignored"]))
        assert load_dataset(tmp_path / f"{name}.npz").fingerprint() == make_transitions(**plain()).fingerprint()


def test_terminals_and_missing_ends_are_understood(tmp_path: Path) -> None:
    arrays = plain()
    arrays["terminals"] = 1.0 - arrays.pop("masks")
    arrays["next_observations"] = arrays["next_observations"].copy()
    arrays["next_observations"][8] += 1.0  # the next row does not follow: an episode was cut off here
    del arrays["ends"]
    np.savez(tmp_path / "a.npz", **arrays)
    data = load_dataset(tmp_path / "a.npz")
    np.testing.assert_array_equal(np.flatnonzero(data.ends), [5, 8, ROWS - 1])
    np.testing.assert_array_equal(data.masks, plain()["masks"])


def test_actions_out_of_bounds_are_a_choice(tmp_path: Path) -> None:
    arrays = plain()
    arrays["actions"][3, 1] = 1.5
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=r"a\.npz: 1 of 12 rows .* first row 3 .*out_of_bounds='clip'"):
        load_dataset(tmp_path / "a.npz")
    assert load_dataset(tmp_path / "a.npz", out_of_bounds="clip").actions[3, 1] == 1.0


class Bomb:
    """Its pickle leaves a trace when it is loaded."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("exploded",)


def write_truncated(path: Path) -> None:
    np.savez(path, **plain())
    path.write_bytes(path.read_bytes()[:-200])


def write_flipped(path: Path) -> None:
    np.savez(path, **plain())
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF  # inside the first array's numbers: only its checksum tells
    path.write_bytes(content)


def write_text(path: Path) -> None:
    path.write_text("observation,action\n0,1\n")


def write_empty(path: Path) -> None:
    path.write_bytes(b"")


def write_objects(path: Path) -> None:
    np.savez(path, **{**plain(), "rewards": np.array([Bomb()] * ROWS, dtype=object)})


def write_npy(path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, plain()["actions"])


def write_member(path: Path, content: bytes) -> None:
    np.savez(path, **{name: array for name, array in plain().items() if name != "rewards"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("rewards.npy", content)


def write_lying_header(path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999, 9), }"
    write_member(path, b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 40)


def write_not_npy(path: Path) -> None:
    write_member(path, b"these are no numbers")


def changed(**arrays: np.ndarray | None):
    def write(path: Path) -> None:
        both = {**plain(), **arrays}
        np.savez(path, **{name: array for name, array in both.items() if array is not None})

    return write


NAN = plain()["observations"].copy()
NAN[7, 1] = np.nan

BAD_FILES = {
    "missing": (lambda path: None, "no such file; make one with `workbench generate"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "truncated": (write_truncated, "not a readable npz archive"),
    "damaged": (write_flipped, "not a readable npz archive"),
    "text": (write_text, "not a readable npz archive"),
    "empty": (write_empty, "not a readable npz archive"),
    "npy": (write_npy, "not a readable npz archive"),
    "objects": (write_objects, "'rewards' holds Python objects, .* never loaded"),
    "lying header": (write_lying_header, "'rewards' claims shape .* are stored"),
    "not an array": (write_not_npy, "'rewards' is not a plain array"),
    "text array": (changed(rewards=np.array(["a"] * ROWS)), "'rewards' has dtype <U1 .* real numbers"),
    "complex": (changed(rewards=np.zeros(ROWS, dtype=complex)), "'rewards' has dtype complex128 .* real numbers"),
    "scalar": (changed(actions=np.float32(1.0)), r"'actions' has dtype float32 and shape \(\)"),
    "no columns": (changed(actions=np.zeros((ROWS, 0))), r"'actions' .* shape \(12, 0\)"),
    "no rewards": (changed(rewards=None), "lacks 'rewards'; it needs observations, actions, rewards"),
    "no masks": (changed(masks=None), "has neither 'masks' nor 'terminals'"),
    "compact": (lambda path: np.savez(path, **compact()), "compact form, .* load it through its task"),
    "NaN": (changed(observations=NAN), "'observations' has NaN or infinity, first in row 7"),
    "flat actions": (changed(actions=np.zeros(ROWS)), "'actions' must have 2 dimension"),
    "short rewards": (changed(rewards=np.zeros(ROWS - 1)), "'rewards' has 11 rows but 'actions' has 12"),
    "wide next": (changed(next_observations=np.zeros((ROWS, 4)), ends=None), "differ in shape"),
    "no rows": (lambda path: np.savez(path, **{k: v[:0] for k, v in plain().items()}), "the dataset has no rows"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_refused_with_what_and_where(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write, message = BAD_FILES[name]
    path = tmp_path / "bad.npz"
    write(path)
    with pytest.raises(ValueError, match=rf"bad\.npz: .*{message}"):
        load_dataset(path)
    assert not (tmp_path / "exploded").exists()


def test_a_bomb_would_have_exploded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_objects(tmp_path / "bad.npz")
    with np.load(tmp_path / "bad.npz", allow_pickle=True) as file:
        _ = file["rewards"]
    assert (tmp_path / "exploded").exists()


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", observations=np.zeros((100_000, 10)))
    with pytest.raises(DataFileError, match=r"unpacks to 8,000,\d+ bytes, the limit is 1,000,000"):
        read_arrays(tmp_path / "a.npz", max_bytes=1_000_000)


def test_objects_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="'x' holds Python objects"):
        write_arrays(tmp_path / "a.npz", {"x": np.array([None])})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_transitions(**plain())
    save_dataset(tmp_path / "a.npz", data)
    before = (tmp_path / "a.npz").read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for name in ("a.npz", "b.npz"):
        with pytest.raises(OSError, match="disk full"):
            save_dataset(tmp_path / name, data)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    assert (tmp_path / "a.npz").read_bytes() == before


COMPACT_FAULTS = {
    "nan": ({"qpos": np.full((ROWS, 3), np.nan, dtype=np.float32)}, "'qpos' has NaN or infinity, first in row 0"),
    "length": ({"observations": np.zeros((ROWS - 2, 3))}, r"'observations' has shape \(10, 3\), expected .* 12 rows"),
    "open end": ({"terminals": np.zeros(ROWS)}, "the last row does not end a trajectory"),
    "all ends": ({"terminals": np.ones(ROWS)}, "'terminals' is 1 in every row"),
    "flat": ({"actions": np.zeros(ROWS)}, r"'actions' has shape \(12,\), expected 2 dimension"),
}


@pytest.mark.parametrize("name", COMPACT_FAULTS)
def test_faults_of_the_compact_form_are_named(name: str) -> None:
    arrays, message = COMPACT_FAULTS[name]
    with pytest.raises(DataFileError, match=f"here: .*{message}"):
        regular({**compact(), **arrays}, "here")


def test_the_compact_form_needs_terminals_and_two_rows() -> None:
    arrays = compact()
    del arrays["terminals"]
    with pytest.raises(DataFileError, match="lacks 'terminals'"):
        regular(arrays, "here")
    with pytest.raises(DataFileError, match="1 row cannot hold a transition"):
        regular({name: array[-1:] for name, array in compact().items()}, "here")
