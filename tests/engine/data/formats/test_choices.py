"""Which columns may be chosen, by format; every name that is offered is one that the reader takes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from engine.data.formats import writers

from workbench.engine.data.describe import describe
from workbench.engine.data.formats.choices import choices_of
from workbench.engine.data.formats.found import ColumnNames

NAMES = {
    "robomimic": {"observations": ("a_grip", "b_pos")},
    "lerobot": dict.fromkeys(
        ("observations", "actions", "reward"), ("observation.state", "action", "next.reward", "next.success")
    ),
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_of_files_that_name_their_columns(tmp_path: Path, kind: str) -> None:
    write: Callable[..., Path] = vars(writers)[kind]
    path = write(tmp_path, writers.made())
    found = choices_of(path)
    assert {role: found[role] for role in NAMES[kind]} == NAMES[kind]
    for name in found["observations"]:
        assert describe(path, ColumnNames(observations=(name,))).observation_dim >= 1


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_names_of_tables(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table.{suffix}"
    if suffix == "csv":
        path.write_text("x,y,u,word,end\n0.5,1,0.2,a,0\n0.6,1,0.1,b,1\n")
    else:
        import pyarrow
        from pyarrow import parquet

        columns = {"x": [0.5, 0.6], "y": [1, 1], "u": [0.2, 0.1], "word": ["a", "b"], "end": [0, 1]}
        parquet.write_table(pyarrow.table(columns), path)
    found = choices_of(path)
    assert set(found) == {"observations", "actions", "reward", "terminal", "timeout", "episode"}
    assert set(found.values()) == {("x", "y", "u", "end")}  # words are no numbers
    assert describe(path, ColumnNames(("x", "y"), ("u",), terminal="end")).rows == 2


def test_formats_that_need_no_names_offer_none(tmp_path: Path) -> None:
    path = tmp_path / "plain.npz"
    writers.write_arrays(
        path, {name: writers.made()[name] for name in ("observations", "actions", "rewards", "terminals")}
    )
    assert choices_of(path) == {}


def test_names_in_a_zarr_folder(tmp_path: Path) -> None:
    path = writers.zarr_folder(tmp_path, writers.made())
    found = choices_of(path)
    assert {"state", "action"} <= set(found["observations"])
    assert found["observations"] == found["actions"]
