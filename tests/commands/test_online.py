"""``workbench online``: from an offline run to a run that went on, stopped and taken up again."""

import json
import signal
from pathlib import Path

import pytest
from commands.running import Command, check, everything

from workbench.engine.online.learner import Learner
from workbench.engine.training.loop.checkpoint import load_run

FEW = ("--steps", "200", "--episodes", "2", "--updates-per-step", "0.2", "--eval-every", "100", "--eval-episodes", "3")


def log_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "online.jsonl").read_text().splitlines()]


def test_online_and_what_it_leaves(command: Command, trained: Path, tmp_path: Path) -> None:
    before, out = everything(trained), tmp_path / "on"
    done = command("online", trained, "--rule", "vgf", "--set", "particles=2", "--out", out, *FEW, "--json")
    assert done.code == 0, done.err
    assert everything(trained) == before
    assert done.json["env_steps"] >= 200
    log = log_of(out)
    assert [line["env_steps"] for line in log] == sorted(line["env_steps"] for line in log)
    assert log[0]["kind"] == log[-1]["kind"] == "evaluated"
    assert done.json["return"] == log[-1]["returns"]
    # the run is a run: it is evaluated like any other, and its offline data are still known
    assert command("evaluate", out, "--rule", "vgf", "--episodes", 2, "--json").code == 0
    more = command("online", trained, "--out", out, "--resume", "--steps", 300, "--json")
    assert more.json["env_steps"] >= 300
    assert log_of(out)[: len(log)] == log


def test_ctrl_c_saves_and_resume_ends_in_the_same_bytes(
    command: Command, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ("online", trained, "--rule", "best_of_n", *FEW)
    assert command(*args, "--out", tmp_path / "whole").code == 0
    learn, updates = Learner._learn, []

    def interrupted(self: Learner) -> bool:
        updates.append(1)
        if len(updates) == 7:
            signal.raise_signal(signal.SIGINT)
        return learn(self)

    monkeypatch.setattr(Learner, "_learn", interrupted)
    stopped = command(*args, "--out", tmp_path / "part")
    assert stopped.code == 130
    assert "go on with: workbench online" in stopped.err
    assert load_run(tmp_path / "part").online["counts"]["updates"] == 7
    with (tmp_path / "part" / "online.jsonl").open("a") as log:
        log.write('{"kind": "played"')  # a killed process may leave half a line
    assert command("online", trained, "--out", tmp_path / "part", "--resume").code == 0
    assert everything(tmp_path / "part") == everything(tmp_path / "whole")


def test_wrong_input(command: Command, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "on"
    check(command("online", trained, "--out", out), "--rule NAME")
    check(command("online", trained, "--rule", "vfg", "--out", out), "did you mean 'vgf'?")
    check(command("online", trained, "--rule", "vgf", "--online-share", 3, "--out", out), "less than or equal to 1")
    check(command("online", trained, "--rule", "vgf", "--out", trained), "exists; choose another --out")
    check(command("online", tmp_path, "--rule", "vgf", "--out", out), "holds no run")
    check(command("online", trained, "--out", trained, "--resume"), "is an offline run")
    assert not out.exists()
    assert command("online", trained, "--rule", "bc", "--out", out, *FEW).code == 0
    check(command("online", trained, "--out", out, "--resume", "--episodes", 9), "has episodes = 2, not 9")
    check(command("online", out, "--rule", "bc", "--out", tmp_path / "other"), "is an online run")
    check(command("fit", "three_exits", "--out", out, "--resume"), "is an online run")
