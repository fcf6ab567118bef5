"""What the page "Bring your own" says, whose datasets they are, and snippets that run."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from engine.data.formats.writers import made, robomimic
from engine.published_trees import tree_of

from workbench.commands.data import describe as describe_command
from workbench.engine.data.own_datasets import NAME, add_dataset, own_datasets, read_own, remove_dataset
from workbench.engine.tasks.registry import make_listed
from workbench.engine.words import UserError
from workbench.runs import brought
from workbench.runs.owner import digest
from workbench.views import bring


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_DATASETS", str(tmp_path / "datasets"))
    monkeypatch.setenv("WORKBENCH_STORE", str(tmp_path / "store"))


def looked_at(path: Path) -> dict:
    """What the errand says of a file, as it comes through JSON."""
    order = brought.Order(do="look", path=str(path))
    return json.loads(json.dumps(brought._spoken(brought.look(order, lambda words: None))))


def test_the_page_says_what_the_command_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = robomimic(tmp_path, made(scale=3.0))
    about = looked_at(path)["about"]
    describe_command(path)
    printed = capsys.readouterr().out
    for label, value in bring.dataset_rows(about):
        assert any(line.startswith(label) and line.rstrip().endswith(value) for line in printed.splitlines()), label
    assert any("scaled by their smallest and largest" in caution for caution in bring.cautions(about))


def test_rows_with_nan_stand_in_the_way(tmp_path: Path) -> None:
    data = made()
    data["observations"][3] = np.nan
    about = looked_at(robomimic(tmp_path, data))["about"]
    assert bring.obstacles(about).startswith("1 row")
    assert "drop or repair" in bring.obstacles(about)
    data["actions"][:] = np.nan
    (tmp_path / "low_dim.hdf5").unlink()
    about = looked_at(robomimic(tmp_path, data))["about"]
    assert about["action_low"] == [None, None]  # JSON has no NaN
    assert dict(bring.dataset_rows(about))["  range"] == "nan to nan"


def test_a_dataset_is_its_owner_s(tmp_path: Path) -> None:
    path = robomimic(tmp_path, made())
    add_dataset(path, "ann-1", source="low_dim.hdf5", owner=digest("ann"))
    add_dataset(path, "by-command")
    assert list(bring.mine("ann", anybody=False)) == ["ann-1"]
    assert list(bring.mine("ben", anybody=False)) == []
    assert list(bring.mine("ben", anybody=True)) == ["ann-1", "by-command"]
    assert bring.check_mine("ann-1", "ann", anybody=False).rows == 11
    for name in ("by-command", "ann-2", "../ann-1"):
        with pytest.raises(UserError, match="there is no dataset"):
            bring.check_mine(name, "ann", anybody=False)
    assert dict(bring.kept_rows("ann-1"))["came from"] == "low_dim.hdf5"
    assert str(tmp_path) not in json.dumps(bring.kept_rows("by-command"))
    remove_dataset("ann-1")
    assert own_datasets() == ["by-command"]
    with pytest.raises(UserError):
        remove_dataset("../by-command")


def test_as_many_as_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_dataset(robomimic(tmp_path, made()), "one", owner=digest("ann"))
    bring.check_room("ann")
    monkeypatch.setattr(bring, "MOST_KEPT", 1)
    bring.check_room("ben")
    with pytest.raises(UserError, match="you keep 1 datasets"):
        bring.check_room("ann")


def test_a_draft_is_adopted_whole(tmp_path: Path) -> None:
    path, draft = robomimic(tmp_path, made()), bring.draft_folder()
    name = bring.name_for("low dim (1).hdf5")
    assert name.startswith("low-dim-1-")
    add_dataset(path, name, folder=draft, owner=digest("ann"))
    assert own_datasets() == []
    assert bring.adopt(draft, name) == f"data/{name}"
    assert own_datasets() == [name]
    assert read_own(name).owner == digest("ann")
    assert list(draft.iterdir()) == []
    add_dataset(path, name, folder=draft)
    with pytest.raises(UserError, match="is there already"):
        bring.adopt(draft, name)


@pytest.mark.parametrize("name", ["", "...", "-_-", "köln.npz", "a" * 200, "../../x.hdf5", "_x"])
def test_every_file_gets_a_name_that_a_dataset_can_have(name: str) -> None:
    assert NAME.fullmatch(bring.name_for(name))


def test_paths_of_the_server_lead_below_the_permitted_folder(tmp_path: Path) -> None:
    root = tmp_path / "served"
    (root / "in").mkdir(parents=True)
    (root / "in" / "a.npz").write_bytes(b"x")
    (tmp_path / "secret").write_bytes(b"x")
    (root / "link").symlink_to(tmp_path / "secret")
    assert bring.served_path("in/a.npz", root) == root / "in" / "a.npz"
    for wrong in (
        "../secret",
        "/etc/passwd",
        str(tmp_path / "secret"),
        "link",
        "in/../../secret",
        "",
        " ",
        "a\0b",
        "x" * 5000,
        "no",
    ):
        with pytest.raises(UserError, match="there is no file or folder"):
            bring.served_path(wrong, root)
    with pytest.raises(UserError, match="its owner permits a folder with: workbench serve --data DIR"):
        bring.served_path("in/a.npz", None)


def test_tasks_that_fit_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "params_7.pkl"
    path.write_bytes(pickle.dumps(tree_of("qgf", (3, 2, (8, 8), 2))))
    found = looked_at(path)
    add_dataset(robomimic(tmp_path, made()), "mine", owner=digest("ann"))
    there = bring.mine("ann", anybody=False)
    assert bring.tasks_for(found, there) == {"Your data: mine": "data/mine"}
    assert bring.tasks_for(found | {"env": "cube-single-v0"}, {}) == {
        "OGBench: cube-single-v0 (its settings say so)": "ogbench/cube-single-v0"
    }
    assert bring.tasks_for(found | {"env": "../x"}, {}) == {}
    chunked = found | {"observation_dim": 4, "action_dim": 6, "settings": found["settings"] | {"chunk": 3}}
    assert list(bring.tasks_for(chunked, {}).values()) == ["three_exits"]
    rows = dict(bring.checkpoint_rows(chunked))
    assert rows["actions"] == "6 (a chunk of 3 steps)"
    assert rows["discount γ"] == "0.99 (nobody said: assumed)"


def test_the_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    robomimic(tmp_path, made(0, (30, 30, 30)))
    (tmp_path / "params_7.pkl").write_bytes(pickle.dumps(tree_of("qgf", (4, 2, (8, 8), 2))))
    data = bring.dataset_code("low_dim.hdf5", {"observations": ["b_pos"]})
    kept = bring.kept_code("low_dim")
    small = "steps=3, hidden=(8, 8), batch_size=8"
    exec(compile(data.replace("wb.train(task", f"wb.train(task, {small}"), "snippet", "exec"), {})  # noqa: S102 -- the page's own
    assert "2: b_pos[0], b_pos[1]" in capsys.readouterr().out
    exec(compile(kept.replace("wb.train('data/low_dim'", f"wb.train('data/low_dim', {small}"), "snippet", "exec"), {})  # noqa: S102 -- as above
    assert make_listed("data/low_dim").info.observation_dim == 2
    reading = {"chunk": None, "discount": 0.9}
    code = bring.checkpoint_code("params_7.pkl", "three_exits", reading, "qgf")
    assert "workbench import params_7.pkl --task three_exits --out RUN --discount 0.9" in code
    code = code.replace("episodes=200", "episodes=4")
    exec(compile(code, "snippet", "exec"), {})  # noqa: S102 -- as above
    assert "'promised'" in capsys.readouterr().out


def test_pictures_go_with_what_is_described(tmp_path: Path) -> None:
    answer = looked_at(robomimic(tmp_path, made()))
    assert sum(answer["actions"]["counts"][0]) == answer["about"]["rows"]
