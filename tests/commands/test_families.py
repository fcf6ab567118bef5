"""D4RL's files and environments of one's own, from the command line."""

from pathlib import Path

import numpy as np
import pytest
from commands.running import Command, Done, check
from engine.data import d4rl_files
from engine.data.formats.writers import made, plain_npz

QUICK = ("--steps", "8", "--set", "hidden=[8]", "batch_size=8")
MODULE = """
import gymnasium
from engine.tasks.counting import Counting, Vectorised
gymnasium.register("Mine-v0", entry_point=Counting, disable_env_checker=True)
gymnasium.register("Many-v0", vector_entry_point=Vectorised)
"""


def ok(done: Done) -> Done:
    assert done.code == 0, done
    return done


def test_a_score_is_printed(command: Command, tmp_path: Path) -> None:
    pytest.importorskip("mujoco")
    d4rl_files.locomotion(tmp_path / "hopper_medium-v2.hdf5")
    run = tmp_path / "run"
    ok(command("fit", "d4rl/hopper-medium-v2", "--data", tmp_path, "--out", run, *QUICK))
    found = ok(command("evaluate", run, "--rule", "bc", "--episodes", 2, "--json")).json
    worth = 100 * (found["return"]["mean"] + 20.272305) / 3254.572305
    assert found["normalised_score"]["mean"] == pytest.approx(worth)
    shown = ok(command("evaluate", run, "--rule", "bc", "--episodes", 2)).out
    assert f"normalised score (0 random, 100 expert): {worth:.1f}" in shown


def test_a_kitchen_is_trained_on_where_it_cannot_be_played(command: Command, tmp_path: Path) -> None:
    pytest.importorskip("gymnasium_robotics")
    d4rl_files.kitchen(tmp_path / "kitchen-mixed-v0.hdf5")
    run = tmp_path / "run"
    ok(command("fit", "d4rl/kitchen-mixed-v0", "--data", tmp_path, "--out", run, *QUICK))
    said = ok(command("measure", "offline", run, "--rule", "bc")).out
    assert "of 3 episodes carry the estimate" in said
    assert "too few to trust it" in said
    assert "no return was measured" in said
    played = command("evaluate", run, "--rule", "bc", "--episodes", 1)
    if played.code != 0:  # with a MuJoCo that gymnasium-robotics runs with it is played
        check(played, "it runs with MuJoCo 3.3")


@pytest.mark.parametrize("name", ["Mine-v0,limit=3,over=true", "Many-v0,mode=SameStep,limit=3,over=true"])
def test_an_environment_of_ones_own(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "of_mine.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    task, file, run = f"gym/of_mine:{name}", tmp_path / "data.npz", tmp_path / "run"
    ok(command("record", task, "--out", file, "--episodes", 6))
    found = ok(command("data", "describe", file, "--json")).json
    assert (found["episodes"], found["terminated"]) == (6, 6)
    assert found["longest"] <= 5
    ok(command("fit", task, "--data", file, "--out", run, *QUICK))
    measured = ok(command("evaluate", run, "--rule", "bc", "--episodes", 3, "--json")).json
    assert measured["task"] == task  # with its arguments
    assert 3.0 <= measured["return"]["mean"] <= 5.0
    assert measured["success"]["mean"] == 1.0
    check(command("record", f"{task},size=3", "--out", tmp_path / "x.npz"), "size")
    assert not (tmp_path / "x.npz").exists()


def test_a_fitted_value_beside_the_weights(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_DATASETS", str(tmp_path / "datasets"))
    path = plain_npz(tmp_path, made(0, (10,) * 40))
    ok(command("data", "add", path, "--name", "mine"))
    run = tmp_path / "run"
    ok(command("fit", "data/mine", "--out", run, *QUICK))
    found = ok(command("measure", "offline", run, "--rule", "bc", "--fitted-q", "--json")).json
    assert found["return"] is None
    assert np.isfinite(found["fitted_q"]["mean"])
    assert found["importance"]["episodes"] == 40
    assert 1.0 <= found["importance"]["effective"] <= 40.0
