"""Every command, from data to a trace."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands.running import SMALL, Command

from workbench import commands
from workbench.engine.data.npz import load_dataset
from workbench.engine.glossary import BEHAVIOUR, TERM
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.registry import FAMILIES, TASKS
from workbench.engine.training.losses import CRITICS

COMMANDS = ("doctor", "tasks", "rules", "generate", "fit", "evaluate", "steer", "serve")
TIMES = ("ms_per_action", "ms_per_decision", "ms_alone")
RESULT = {
    "version", "task", "rule", "settings", "episodes", "seed", "return", "success", "gain", "promised", "earned", "gap",
    "transport", "shift", "own_shift", "occupancy", "states", "mmd_bound", "support", "coverage", "chunk", "latency",
    "network_evaluations", "network_evaluations_per_action", *TIMES,
}  # fmt: skip

SHIFT = {"displacement", "w2", "w2_interval", "w2_floor", "sliced_w2", "mmd2", "nll", "nll_behaviour"}


def workbench(root: Path, *args: object) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "workbench.cli", *map(str, args)],
        env=os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help(command: Command, name: str) -> None:
    done = command(*filter(None, [name]), "--help")
    assert done.code == 0
    assert "usage: workbench" in done.out
    if not name:
        assert all(known in done.out for known in COMMANDS)
    assert done.err == ""


SHORT = [
    f"{name} {inner}".strip()
    for name, one in commands.COMMANDS.items()
    for inner in (one if isinstance(one, dict) else ("",))
]


@pytest.mark.parametrize("words", SHORT)
def test_help_is_for_people(command: Command, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No spelling of Python's, and a flag that turns something off says so."""
    monkeypatch.setenv("COLUMNS", "400")
    said = command(*words.split(), "--help").out
    assert "{None}" not in said
    for line in said.partition("─ options")[2].splitlines():
        if (flag := re.search(r"--(no-\S+) +(\S.*)", line)) and "[" not in flag[1]:
            assert flag[2].startswith("turn off: "), line


def test_help_says_of_each_command_what_it_is_for(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    said = dict(re.findall(r"• (\S+) *([^│\n]*)", command("--help").out))
    assert said.keys() == commands.COMMANDS.keys()
    assert all(words.strip() for words in said.values()), said
    assert commands.GROUPS.keys() == {name for name, one in commands.COMMANDS.items() if isinstance(one, dict)}


def test_as_a_process(root: Path) -> None:
    done = workbench(root, "tasks", "--json")
    assert done.returncode == 0
    assert "three_exits" in [task["name"] for task in json.loads(done.stdout)]
    assert done.stderr == ""
    done = workbench(root, "rules", "--jason")
    assert done.returncode == 2
    assert "--json" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_is_no_error(root: Path) -> None:
    script = f'"{sys.executable}" -m workbench.cli rules --json | head -c 1'
    done = subprocess.run(
        ["bash", "-c", script], env=os.environ | {"PYTHONPATH": str(root)}, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "["
    assert done.stderr == ""


def test_doctor(command: Command) -> None:
    found = command("doctor", "--json").json
    assert {"workbench", "python", "torch", "cuda", "compiler", "fp32 GFLOP/s", "extra ogbench"} <= set(found)
    assert found["fp32 GFLOP/s"] > 0
    text = command("doctor")
    assert all(name in text.out for name in found)
    assert text.code == 0


def test_tasks(command: Command) -> None:
    found = command("tasks", "--json").json
    assert [task["name"] for task in found] == [*TASKS, *(f"{family}/<id>" for family in FAMILIES)]
    for task in found[: len(TASKS)]:
        assert set(task) >= {"name", "title", "observation_dim", "action_dim", "horizon", "summary", "extra"}
    text = command("tasks").out
    assert all(name in text for name in TASKS)
    assert "extra: )" not in text


def test_rules(command: Command) -> None:
    found = command("rules", "--json").json
    assert [rule["name"] for rule in found] == list(RULES)
    for about in found:
        rule = RULES[about["name"]]
        assert about["paper"] == rule.paper
        assert about["equation"] == rule.equation
        assert about["needs"] == list(rule.needs)
        assert [item["name"] for item in about["settings"]] == list(rule.model_fields)
        for item in about["settings"]:
            assert item["meaning"]
            assert "unit" in item
            if item["type"] in ("integer", "number"):
                assert item["low"] <= item["default"] <= item["high"]
    text = command("rules").out
    assert all(rule.equation in text for rule in RULES.values())


def test_generate_fit_evaluate(command: Command, tmp_path: Path) -> None:
    done = command("generate", "three_exits", "--out", tmp_path / "data", "--rows", 1500, "--seed", 3)
    assert done.code == 0
    assert f"workbench fit three_exits --data {tmp_path / 'data'}" in done.err
    made = load_dataset(tmp_path / "data" / "three_exits.npz")
    assert len(made) == 1500
    assert made.fingerprint() == TASKS["three_exits"]().generate(1500, 3).fingerprint()

    run = tmp_path / "new" / "run"
    done = command("fit", "three_exits", "--data", tmp_path / "data", "--out", run, "--json", *SMALL)
    assert done.code == 0
    result = done.json
    assert (result["task"], result["step"], result["total_steps"], result["stopped"]) == ("three_exits", 50, 50, False)
    assert set(result["losses"]) == {"flow", "critic", "value"}
    assert "fit: 50 of 50 steps" in done.err
    assert json.loads((run / "progress.jsonl").read_text())["step"] == 50

    done = command("evaluate", run, "--rule", "qgf", "--episodes", 3, "--set", "weight=0.5")
    assert done.code == 0
    for word in ("Return", "Success", "Transport (action units)", "Gap", "Own-way shift", "weight=0.5", BEHAVIOUR):
        assert word in done.out


def test_fit_of_td_vgf_without_data(command: Command, tmp_path: Path) -> None:
    few = ("particles=2", "transport_steps=1", "flow_steps=2", "reference_steps=5", "hidden=[8,8]")
    done = command("fit", "bandit1d", "--critic", "td_vgf", "--steps", 5, "--out", tmp_path / "run", "--set", *few)
    assert done.code == 0
    assert "trained 10 steps" in done.out
    assert re.search(r"on [\d,]+ episodes of 1 row;", done.out)
    assert command("evaluate", tmp_path / "run", "--rule", "vgf", "--episodes", 2, "--json").json["task"] == "bandit1d"


@pytest.mark.parametrize("rule", RULES)
def test_evaluate(command: Command, trained: Path, rule: str) -> None:
    first = command("evaluate", trained, "--rule", rule, "--episodes", 3, "--seed", 5, "--json")
    assert first.code == 0
    result = first.json
    assert set(result) == RESULT
    assert (result["task"], result["rule"], result["episodes"], result["seed"]) == ("three_exits", rule, 3, 5)
    for name in ("return", "success", "gain", "promised", "earned", "gap"):
        assert set(result[name]) == {"mean", "low", "high"}
        assert result[name]["low"] <= result[name]["mean"] <= result[name]["high"]
    assert set(result["shift"]) == SHIFT
    assert set(result["support"]) == {"distance", "usual", "inside"}
    bounded = {"mmd2", "bound", "stepwise", "unproven"} if "alpha" in result["settings"] else set()
    assert set(result["mmd_bound"] or {}) == bounded
    assert set(result["own_shift"]) == {"displacement", "w2", "w2_interval", "w2_floor"}
    assert set(result["occupancy"]) == {"w2", "floor"}
    assert result["states"] == {"from": "dataset", "count": 64}
    assert len(result["coverage"]["shares"]) == 4
    assert result["settings"] == RULES[rule]().model_dump()
    again = command("evaluate", trained, "--rule", rule, "--episodes", 3, "--seed", 5, "--json").json
    assert all(result[name] > 0.0 for name in TIMES)
    assert again | dict.fromkeys(TIMES, 0) == result | dict.fromkeys(TIMES, 0)


def test_evaluate_without_the_data(command: Command, tmp_path: Path) -> None:
    """Data that are gone cost the support distance and nothing else, and the reader is told."""
    assert command("generate", "three_exits", "--out", tmp_path / "data", "--rows", 1500).code == 0
    run = tmp_path / "run"
    assert command("fit", "three_exits", "--data", tmp_path / "data", "--out", run, *SMALL).code == 0
    here = command("evaluate", run, "--rule", "bc", "--episodes", 2)
    assert TERM["support.inside"].label in here.out
    (tmp_path / "data" / "three_exits.npz").rename(tmp_path / "elsewhere.npz")
    gone = command("evaluate", run, "--rule", "bc", "--episodes", 2)
    assert gone.code == 0
    assert "support is not measured" in gone.err
    assert "not measured: Support" in gone.out


def test_an_actor_trains_its_own_part(command: Command, data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    flags = ("--critic", "td_actor", "--set", "actor=fql", "n_step=2", *SMALL)
    done = command("fit", "three_exits", "--data", data, "--out", run, "--json", *flags)
    assert done.code == 0, done.err
    assert set(done.json["losses"]) == {"flow", "critic", "one_step"}
    done = command("evaluate", run, "--rule", "fql", "--episodes", 3, "--json")
    assert done.code == 0
    assert done.json["rule"] == "fql"
    flags = ("--critic", "td_actor", "--rule", "rebrac", "--set", "n_step=2", *SMALL)
    done = command("fit", "three_exits", "--data", data, "--out", tmp_path / "other", "--json", *flags)
    assert set(done.json["losses"]) == {"flow", "critic", "rebrac_actor"}
    assert json.loads((tmp_path / "other" / "run.json").read_text())["config"]["actor"] == "rebrac"
    offered = command("fit", "--help").out
    assert "{" + ",".join(CRITICS) + "}" in offered


def test_settings_may_be_given_in_one_flag_or_in_several(command: Command, trained: Path, tmp_path: Path) -> None:
    given = [
        ("--set", "steps=2", "particles=4", "pick=uniform"),
        ("--set", "steps=2", "--set", "particles=4", "pick=uniform"),
    ]
    for number, flags in enumerate(given):
        done = command("steer", trained, "--rule", "vgf", *flags, "--out", tmp_path / f"{number}.npz", "--json")
        settings = done.json["settings"]
        assert (settings["steps"], settings["particles"], settings["pick"]) == (2, 4, "uniform")


@pytest.mark.parametrize("rule", RULES)
def test_steer(command: Command, trained: Path, tmp_path: Path, rule: str) -> None:
    out = tmp_path / "trace.npz"
    done = command(
        "steer", trained, "--rule", rule, "--out", out, "--states", 3, "--particles", 5, "--seed", 7, "--json"
    )
    assert done.code == 0
    ticks = RULES[rule]().ticks()
    assert (done.json["ticks"], done.json["states"], done.json["particles"]) == (ticks, 3, 5)
    with np.load(out, allow_pickle=False) as file:
        arrays: dict[str, Any] = {name: file[name] for name in file.files}
    shapes = {
        "positions": (ticks + 1, 3, 5, 2),
        "times": (ticks + 1,),
        "pushes": (ticks, 3, 5, 2),
        "queries": (ticks, 3, 5, 2),
        "q_along": (ticks, 3, 5),
        "q": (3, 5),
        "picked": (3,),
        "observations": (3, 4),
        "actions": (3, 2),
        "transport": (3, 5),
    }
    assert {name: arrays[name].shape for name in shapes} == shapes
    assert set(arrays) - set(shapes) == {"about", *(name for name in arrays if name.startswith("term."))}
    about = json.loads(str(arrays["about"]))
    settings = RULES[rule]().model_dump()
    assert about == {"task": "three_exits", "rule": rule, "settings": settings, "seed": 7, "drawn": 5, "chunk": 1}
    np.testing.assert_array_equal(arrays["actions"], arrays["positions"][-1][np.arange(3), arrays["picked"]])
    np.testing.assert_array_equal(arrays["times"][[0, -1]], [0.0, 1.0])
    assert (
        "3 states × 5 particles"
        in command(
            "steer", trained, "--rule", rule, "--out", tmp_path / "b.npz", "--states", 3, "--particles", 5, "--seed", 7
        ).out
    )
    assert (tmp_path / "b.npz").read_bytes() == out.read_bytes()


def test_a_finished_run_is_resumed_without_harm(command: Command, data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command("fit", "three_exits", "--out", run, "--data", data, *SMALL)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    assert command("fit", "three_exits", "--out", run, "--resume").code == 0
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_clipping_is_a_choice_that_the_run_remembers(command: Command, data: Path, tmp_path: Path) -> None:
    with np.load(data / "three_exits.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["actions"][7] = 3.0
    np.savez(tmp_path / "three_exits.npz", **arrays)
    done = command("fit", "three_exits", "--out", tmp_path / "run", "--data", tmp_path, "--clip-actions", *SMALL)
    assert done.code == 0
    assert command("fit", "three_exits", "--out", tmp_path / "run", "--resume").code == 0
