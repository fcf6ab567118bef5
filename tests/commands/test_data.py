"""``workbench data`` and ``record``: a file that somebody brings, from what it holds to a strength that was chosen on it."""

from pathlib import Path

import numpy as np
import pytest
from commands.running import Command, Done, check
from engine.data.formats.writers import WRITERS, made
from engine.data.shard_files import walk, write

import workbench as wb
from workbench.engine.data.footprint import AUTO, KEEP


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_DATASETS", str(tmp_path / "datasets"))


def ok(done: Done) -> Done:
    assert done.code == 0, done
    return done


@pytest.mark.parametrize("kind", ["robomimic", "lerobot v3.0"])
def test_a_file_is_described_added_trained_on_and_steered(command: Command, tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path, made(0, (40,) * 8, scale=20.0))
    found = ok(command("data", "describe", path, "--json")).json
    assert found["rows"] == 8 * 40 - 1
    assert found["outside"] > 0.9
    ok(command("data", "add", path, "--name", "mine"))
    assert "mine" in ok(command("data", "list", "--json")).json
    run = tmp_path / "run"
    trained = ok(command("fit", "data/mine", "--out", run, "--steps", "60", "--set", "hidden=[16]", "batch_size=32"))
    assert "workbench measure offline" in trained.out
    measured = ok(command("measure", "offline", run, "--rule", "qgf", "--json")).json
    assert measured["return"] is None
    assert measured["shift"]["w2"] >= 0.0
    assert 0.0 <= measured["support"]["inside"] <= 1.0
    still = command("measure", "offline", run, "--rule", "qgf", "--set", "weight=0", "--json")
    assert ok(still).json["shift"]["displacement"] == 0.0
    refused = command("evaluate", run, "--rule", "qgf")
    check(refused, "no return can be measured")
    tuned = ok(command("tune", run, "--rule", "qgf", "--offline", "--over", "weight=0,1", "--in-support", "0"))
    assert "no return was measured" in tuned.out
    assert "use it: workbench measure offline" in tuned.err


def test_a_dataset_towards_goals_of_its_own(command: Command, tmp_path: Path) -> None:
    ok(command("data", "add", WRITERS["npz"](tmp_path, made(0, (40,) * 8)), "--name", "mine"))
    run, small = tmp_path / "run", ("--steps", "40", "--set", "hidden=[16]", "batch_size=32")
    trained = ok(command("fit", "data/mine", "--goal-conditioned", "--out", run, *small))
    assert "workbench measure offline" in trained.out
    loaded = wb.load_run(run)
    states = wb.make_task("data/mine").info.observation_dim
    assert (loaded.task, loaded.parts().observation_dim) == ("data/mine:goals", 2 * states)
    data = wb.make_task("data/mine:goals").own_data()
    assert set(np.unique(data.rewards)) == {-1.0, 0.0}
    assert ok(command("measure", "offline", run, "--rule", "qgf", "--json")).json["shift"]["w2"] >= 0.0
    ok(command("fit", "data/mine:goals", "--out", tmp_path / "same", *small))
    weights = [wb.load_run(folder).parts().reference.state_dict() for folder in (run, tmp_path / "same")]
    assert all(np.array_equal(one, two) for one, two in zip(*(part.values() for part in weights), strict=True))
    check(
        command("fit", "three_exits", "--goal-conditioned", "--out", tmp_path / "x"),
        "is for data/NAME, got three_exits",
    )
    check(command("fit", "data/other:goals", "--out", tmp_path / "x"), "there: mine")


def test_a_dataset_that_is_not_there_names_those_that_are(command: Command, tmp_path: Path) -> None:
    ok(command("data", "add", WRITERS["npz"](tmp_path, made()), "--name", "mine"))
    refused = command("fit", "data/other", "--out", tmp_path / "run")
    check(refused, "there: mine")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("seed", [0, 3])
def test_episodes_of_an_own_policy_are_recorded(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    (tmp_path / "my_policy.py").write_text(
        "import numpy as np\n"
        "def up(observations):\n    return np.tile([0.0, 0.4], (len(observations), 1))\n"
        "def wrong(observations):\n    return np.zeros(3)\n"
        "def wild(observations):\n    return np.full((len(observations), 2), 7.0)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    out = tmp_path / "up.npz"
    arguments = ("record", "three_exits", "--episodes", "20", "--seed", str(seed))
    ok(command(*arguments, "--out", out, "--policy", "my_policy:up"))
    with np.load(out, allow_pickle=False) as arrays:
        np.testing.assert_allclose(arrays["actions"], np.tile(np.float32([0.0, 0.4]), (len(arrays["actions"]), 1)))
        assert int(arrays["ends"].sum()) == 20
    for name, words in (("wrong", "the shape (3,)"), ("wild", "actions lie in [-1, 1]"), ("none", "no attribute")):
        refused = command(*arguments, "--out", tmp_path / f"{name}.npz", "--policy", f"my_policy:{name}")
        check(refused, words)
        assert not (tmp_path / f"{name}.npz").exists()
    ok(command("fit", "three_exits", "--data", out, "--out", tmp_path / "run", "--steps", "5"))


def test_a_run_records_its_own_episodes(command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    ok(command("fit", "bandit2d", "--out", run, "--steps", "5", "--set", "hidden=[16]"))
    arguments = ("record", "bandit2d", "--policy", run, "--rule", "bc", "--episodes", "30")
    ok(command(*arguments, "--out", tmp_path / "a.npz"))
    ok(command(*arguments, "--out", tmp_path / "b.npz"))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_shards_train_alike_in_memory_and_from_disk(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_ROWS", str(tmp_path / "rows"))
    write(tmp_path / "data", walk(400), (100, 200, 300))
    told = ok(command("data", "describe", tmp_path / "data")).out
    assert "memory of a training" in told
    assert "with all rows in memory; at most" in told
    runs = {}
    for where in ("memory", "disk"):
        run = tmp_path / where
        flags = ("--out", run, "--rows-in", where, "--steps", "30", "--set", "hidden=[16]", "batch_size=32")
        done = ok(command("fit", "gym/Pendulum-v1", "--data", tmp_path / "data", *flags))
        assert f"400 rows in 4 files, kept {'on disk' if where == 'disk' else 'in memory'}" in done.err
        assert ("unpacking 400 rows" in done.err) == (where == "disk")
        runs[where] = next(run.glob("state-*.safetensors")).read_bytes()
    assert runs["memory"] == runs["disk"]
    again = ok(command("fit", "gym/Pendulum-v1", "--out", tmp_path / "disk", "--resume", "--rows-in", "disk"))
    assert "unpacking" not in again.err
    assert KEEP.get() is AUTO, "one command's --rows-in reaches the next in this process"
