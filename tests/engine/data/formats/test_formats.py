"""Files of other projects, written here by the formats' own libraries: what is read of them, and what is refused in words."""

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
import zarr
from engine.data.formats.writers import LENGTHS, ROWS, WRITERS, D, S, lerobot, made, plain_npz, robomimic, zarr_folder
from pyarrow import parquet

from workbench.engine.data.columns import DataFileError
from workbench.engine.data.describe import describe
from workbench.engine.data.formats import FORMATS, format_of, read_pieces
from workbench.engine.data.formats.found import ColumnNames
from workbench.engine.data.own_datasets import add_dataset, converted, load_own, own_datasets, read_own
from workbench.engine.words import UserError


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_DATASETS", str(tmp_path / "datasets"))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("seed", [0, 5])
def test_every_format_gives_the_same_transitions(tmp_path: Path, name: str, seed: int) -> None:
    data = made(seed, LENGTHS if seed == 0 else (2, 6, 1, 9))
    found, about = converted(WRITERS[name](tmp_path, data), ColumnNames())
    keep = data["terminals"] | ~data["last"]
    np.testing.assert_allclose(found.observations, data["observations"][keep], atol=1e-6)
    np.testing.assert_allclose(found.actions, data["actions"][keep], atol=1e-6)
    np.testing.assert_array_equal(found.rewards, data["rewards"][keep].astype(np.float32))
    np.testing.assert_array_equal(found.masks == 0, data["terminals"][keep])
    inside = np.flatnonzero(found.ends == 0)
    np.testing.assert_allclose(found.next_observations[inside], found.observations[inside + 1], atol=1e-6)
    assert about.observation_dim == S
    assert about.low == [-1.0] * D


@pytest.mark.parametrize("name", WRITERS)
def test_describe_counts_what_is_there(tmp_path: Path, name: str) -> None:
    data = made()
    found = describe(WRITERS[name](tmp_path, data))
    assert (found.rows, found.dropped) == (ROWS - 1, 1)  # the row after which nobody knows what came
    assert (found.episodes, found.terminated, found.time_limits) == (3, 2, 1)
    assert (found.shortest, found.longest) == (2, 5)
    assert (found.observation_dim, found.action_dim) == (S, D)
    np.testing.assert_allclose(found.action_high, data["actions"][data["terminals"] | ~data["last"]].max(0), atol=1e-6)
    assert found.reward_mean == pytest.approx(2 / (ROWS - 1))
    assert found.not_finite == 0
    assert found.outside == 0.0
    json.dumps(found.as_dict())


@pytest.mark.parametrize("name", ["robomimic", "lerobot v2.1", "zarr 2", "parquet"])
def test_actions_beyond_one_are_scaled_and_the_scale_is_kept(tmp_path: Path, name: str) -> None:
    data = made(1, scale=90.0)
    data["actions"][:, 1] = 7.0  # a motor that never moves
    path = WRITERS[name](tmp_path, data)
    about = add_dataset(path, "arm")
    found = load_own("arm")
    assert own_datasets() == ["arm"]
    assert float(np.abs(found.actions).max()) <= 1.0
    np.testing.assert_array_equal(found.actions[:, 1], 0.0)
    from workbench.engine.tasks.registry import make_listed

    task = make_listed("data/arm")
    keep = data["terminals"] | ~data["last"]
    np.testing.assert_allclose(task.box.from_unit(found.actions), data["actions"][keep], atol=1e-4)
    assert read_own("arm") == about
    with pytest.raises(UserError, match="is there already"):
        add_dataset(path, "arm")


def test_robomimic_with_next_observations_keeps_every_row(tmp_path: Path) -> None:
    data = made()
    found, about = converted(robomimic(tmp_path, data, following=True), ColumnNames())
    assert len(found) == ROWS
    assert found.masks.sum() == ROWS - 2
    assert any("agentview_image" in note for note in about.notes)
    chosen, _ = converted(robomimic(tmp_path, data), ColumnNames(observations=("b_pos",)))
    np.testing.assert_array_equal(chosen.observations[:2], data["observations"][:2, 1:])


def test_robomimic_demonstrations_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    data = made(3, tuple([2] * 11))
    found, _ = converted(robomimic(tmp_path, data, following=True), ColumnNames())
    np.testing.assert_array_equal(found.observations, data["observations"])  # demo_10 after demo_9


def test_lerobot_without_rewards_says_what_cannot_be_learned(tmp_path: Path) -> None:
    data = made()
    root = lerobot(tmp_path, data, success=False)
    for path in (root / "data").rglob("*.parquet"):
        table = parquet.read_table(path)
        parquet.write_table(table.drop_columns(["next.reward"]), path)
    found = describe(root)
    assert any("rewards" in note and "critic cannot" in note for note in found.notes)
    assert any("observation.images.top" in note for note in found.notes)
    assert found.observation_names == ("x", "y", "z")
    assert found.action_names == ("m0", "m1")
    assert found.terminated == 0


def test_columns_are_ordered_by_their_numbers_and_chosen_by_name(tmp_path: Path) -> None:
    data = made()
    columns = {f"obs_{i}": np.full(ROWS, float(i)) for i in (10, 2, 1)}
    table = pa.table(columns | {"action": data["actions"][:, 0], "reward": data["rewards"], "done": data["last"]})
    parquet.write_table(table, tmp_path / "log.parquet")
    found, about = converted(tmp_path / "log.parquet", ColumnNames())
    assert about.observation_names == ["obs_1", "obs_2", "obs_10"]
    np.testing.assert_array_equal(found.observations[0], [1.0, 2.0, 10.0])
    found, _ = converted(tmp_path / "log.parquet", ColumnNames(("obs_2",), ("action", "obs_1"), terminal="done"))
    np.testing.assert_array_equal(found.observations[:, 0], 2.0)
    with pytest.raises(DataFileError, match="has no column of numbers 'speed'"):
        converted(tmp_path / "log.parquet", ColumnNames(("speed",)))


def test_shards_of_a_folder_are_described_one_at_a_time(tmp_path: Path) -> None:
    for number in range(3):
        path = plain_npz(tmp_path, made(number))
        path.rename(tmp_path / f"run-{number:03d}.npz")
    found = describe(tmp_path)
    assert (found.files, found.rows, found.episodes) == (3, 3 * (ROWS - 1), 9)


def without(key: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with h5py.File(path, "a") as file:
            del file[f"data/demo_1/{key}"]

    return change


def linked(path: Path) -> None:
    with h5py.File(path.with_name("other.hdf5"), "w") as file:
        file["x"] = np.zeros((5, 2))
    with h5py.File(path, "a") as file:
        del file["data/demo_0/actions"]
        file["data/demo_0/actions"] = h5py.ExternalLink("other.hdf5", "/x")


def longer(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["data/demo_2/rewards"]
        file["data/demo_2/rewards"] = np.zeros(99)


def cut_off(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (without("actions"), r"demo_1 lacks actions"),
        (without("dones"), r"demo_1 lacks dones"),
        (without("obs/b_pos"), r"demo_1 lacks obs/b_pos"),
        (linked, "links and groups are not followed"),
        (longer, r"demo_2/rewards has shape \(99,\), expected \(4, …\)"),
        (cut_off, "cut off, damaged, or is another format"),
    ],
)
def test_a_damaged_robomimic_file_is_refused(tmp_path: Path, break_it: Callable[[Path], None], words: str) -> None:
    path = robomimic(tmp_path, made())
    break_it(path)
    with pytest.raises(DataFileError, match=words) as refused:
        describe(path)
    assert str(path) in str(refused.value)


def _info(root: Path, **changes: object) -> None:
    path = root / "meta" / "info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda root: _info(root, codebase_version="v9"), "LeRobotDataset 'v9'"),
        (lambda root: _info(root, total_frames=10**12), "frames are there, and 1,000,000,000,000 should be"),
        (lambda root: _info(root, total_frames="many"), "'total_frames'"),
        (lambda root: (root / "meta/info.json").write_text("{"), "info.json"),
        (lambda root: (root / "data/chunk-000/episode_000001.parquet").unlink(), "missing or there twice"),
        (lambda root: cut_off(root / "data/chunk-000/episode_000001.parquet"), "cut off or is another format"),
        (
            lambda root: (root / "data/chunk-000/episode_000009.parquet").symlink_to(__file__),
            "leads out of the dataset's folder",
        ),
    ],
)
def test_a_damaged_lerobot_folder_is_refused(tmp_path: Path, break_it: Callable[[Path], object], words: str) -> None:
    root = lerobot(tmp_path, made())
    break_it(root)
    with pytest.raises(DataFileError, match=words):
        describe(root)


def _zarray(root: Path, name: str, **changes: object) -> None:
    path = root / "data" / name / ".zarray"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda root: _zarray(root, "action", filters=[{"id": "pickle"}]), "packed with 'pickle'"),
        (lambda root: _zarray(root, "action", compressor={"id": "os.system"}), "packed with 'os.system'"),
        (lambda root: _zarray(root, "action", dtype="|O"), "not plain numbers"),
        (lambda root: _zarray(root, "action", shape=[2**39, 2], chunks=[7, 2]), "declares"),
        (lambda root: _zarray(root, "action", chunks=[2**30, 2]), "pieces that are larger than itself"),
        (lambda root: _zarray(root, "action", shape=[-1, 2]), "shape"),
        (lambda root: (root / "data/action/.zarray").write_text("[]"), "no description of an array"),
        (
            lambda root: (root / "data/action/0.0").unlink() or (root / "data/action/0.0").symlink_to(__file__),
            "is a link",
        ),
        (lambda root: (root / "meta/episode_ends/.zarray").unlink(), "is no zarr array, or is missing"),
    ],
)
def test_a_zarr_folder_of_a_stranger_is_refused(tmp_path: Path, break_it: Callable[[Path], object], words: str) -> None:
    root = zarr_folder(tmp_path, made())
    break_it(root)
    with pytest.raises(DataFileError, match=words):
        describe(root)


@pytest.mark.parametrize("version", [2, 3])
def test_a_copy_of_the_descriptions_is_not_read_in_their_place(tmp_path: Path, version: int) -> None:
    """What was checked is what is opened: a copy of all descriptions at the root may say something else."""
    data = made()
    root = zarr_folder(tmp_path, data, version)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(str(root))
    copy = root / (".zmetadata" if version == 2 else "zarr.json")
    text = copy.read_text()
    assert "action" in text
    copy.write_text(text.replace('"<f4"', '"|O"').replace('"float32"', '"float64"'))
    found, _ = converted(root, ColumnNames())
    np.testing.assert_array_equal(found.actions, data["actions"][data["terminals"] | ~data["last"]])


@pytest.mark.parametrize("where", ["data/action", "."])
def test_an_array_that_is_described_twice_is_refused(tmp_path: Path, where: str) -> None:
    (tmp_path / "other").mkdir()
    other = zarr_folder(tmp_path / "other", made(3), 3)
    root = zarr_folder(tmp_path, made())
    (root / where / "zarr.json").write_bytes((other / where / "zarr.json").read_bytes())
    with pytest.raises(DataFileError, match="is described twice"):
        describe(root)


def test_ends_that_do_not_grow_are_refused(tmp_path: Path) -> None:
    root = zarr_folder(tmp_path, made())
    zarr.open_group(str(root), mode="a")["meta/episode_ends"][:] = np.array([5, 5, 12])
    with pytest.raises(DataFileError, match="must grow"):
        describe(root)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"obs": [[1.0], [1.0, 2.0]], "action": [0.0, 0.0], "done": [0, 1]}, "lists of several lengths"),
        ({"obs": [1.0, None], "action": [0.0, 0.0], "done": [0, 1]}, "empty entries"),
        ({"obs": [1.0, 2.0], "action": [0.0, 0.0]}, "says where episodes end"),
        ({"obs": [1.0, 2.0], "done": [0, 1]}, "looks like actions"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path: Path, columns: dict[str, list[object]], words: str) -> None:
    parquet.write_table(pa.table(columns), tmp_path / "odd.parquet")
    with pytest.raises(DataFileError, match=words):
        describe(tmp_path / "odd.parquet")


def test_a_small_table_of_many_rows_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    rows = 8_000_000
    column = pa.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int8), pa.array([0.0]))
    parquet.write_table(pa.table({"obs": column, "action": column, "done": column}), tmp_path / "bomb.parquet")
    assert (tmp_path / "bomb.parquet").stat().st_size < 1_000_000
    with pytest.raises(DataFileError, match="bytes"):
        describe(tmp_path / "bomb.parquet")


def test_what_is_no_dataset_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    for path, words in (
        (tmp_path / "none.npz", "no such file"),
        (tmp_path / "notes.txt", "not a dataset that is recognised"),
        (tmp_path, "not a dataset that is recognised"),
    ):
        with pytest.raises(DataFileError, match=words):
            list(read_pieces(path, ColumnNames()))
    (tmp_path / "replay.zarr.zip").write_bytes(b"PK")
    with pytest.raises(DataFileError, match="unpack it"):
        format_of(tmp_path / "replay.zarr.zip")
    os.mkfifo(tmp_path / "pipe.parquet")
    with pytest.raises(DataFileError):
        describe(tmp_path / "pipe.parquet")
    assert len({found.title for found in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize("name", ["../out", "a/b", "", "x" * 61, ".hidden", "a b"])
def test_a_name_leads_out_of_no_folder(tmp_path: Path, name: str) -> None:
    path = plain_npz(tmp_path, made())
    with pytest.raises(UserError, match="is no name for a dataset"):
        add_dataset(path, name)
