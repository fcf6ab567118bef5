"""Action chunks through the commands: fit, evaluate, steer, sweep, and going on with environment steps."""

from pathlib import Path

import numpy as np
import pytest
from commands.running import SMALL, Command, check

from workbench.cli import main


@pytest.fixture(scope="module")
def chunked(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    folder = tmp_path_factory.mktemp("chunks") / "run"
    main(["fit", "three_exits", "--out", str(folder), "--data", str(data), *SMALL, "chunk=5"])
    return folder


def test_evaluate_and_steer(command: Command, chunked: Path, tmp_path: Path) -> None:
    found = command("evaluate", chunked, "--rule", "qgf", "--episodes", 4, "--json").json
    assert found["chunk"] == 5
    assert found["network_evaluations_per_action"] == found["network_evaluations"] / 5
    out = tmp_path / "trace.npz"
    assert command("steer", chunked, "--rule", "qgf", "--out", out, "--states", 3, "--particles", 2).code == 0
    with np.load(out) as trace:
        assert trace["actions"].shape == (3, 5 * 2)
        assert trace["positions"].shape[1:] == (3, 2, 10)


def test_evaluate_with_latency(command: Command, chunked: Path) -> None:
    late = ("--rule", "qgf", "--episodes", 4, "--delay", 2, "--way", "naive")
    done = command("evaluate", chunked, *late, "--json")
    assert done.json["latency"] == {"delay": 2, "way": "naive", "execute": None, "clip": 5.0}
    assert "latency" in command("evaluate", chunked, *late).out
    refused = command("evaluate", chunked, "--rule", "qgf", "--episodes", 4, "--delay", 3)
    assert refused.code == 2
    assert "needs chunks of at least 6, and these have 5" in refused.err
    assert "latency setting 'delay'" in command("evaluate", chunked, "--rule", "qgf", "--delay", -1).err


def test_online(command: Command, chunked: Path, tmp_path: Path) -> None:
    few = ("--steps", 100, "--episodes", 2, "--updates-per-step", 0.1, "--eval-episodes", 2)
    done = command("online", chunked, "--rule", "qgf", "--out", tmp_path / "on", *few, "--json")
    assert done.code == 0, done.err
    assert done.json["env_steps"] >= 100


def test_sweep_over_chunks(command: Command, data: Path, tmp_path: Path) -> None:
    small = ("fit.steps=20", "fit.hidden=[8,8]", "fit.chunk=1,5")
    args = ("--task", "three_exits", "--rule", "qgf", "--store", tmp_path / "store", "--data", data)
    done = command("sweep", *args, "--grid", "weight=0.1", *small, "--episodes", 3, "--workers", 1, "--json")
    assert done.code == 0, done.err
    assert (done.json["done"], done.json["failed"]) == (2, 0)
    jobs = command("runs", "list", tmp_path / "store", "--json").json
    assert {job["training"].get("chunk", 1) for job in jobs} == {1, 5}
    assert all(job["returns"]["mean"] is not None for job in jobs)


def test_wrong_chunks(command: Command, data: Path, tmp_path: Path) -> None:
    args = ("fit", "three_exits", "--out", tmp_path / "r", "--data", data, *SMALL)
    check(command(*args, "chunk=0"), "training setting 'chunk'", "at least 1")
    check(command(*args, "chunk=2.5"), "training setting 'chunk'")
