"""Training from Python in three lines."""

from pathlib import Path
from typing import Any

import pytest
import torch

import workbench as wb
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.bandits import Bandit2D
from workbench.engine.training.loop.fit import Progress
from workbench.runs.training import TrainingRun

SMALL: dict[str, Any] = {"steps": 20, "hidden": (8, 8), "batch_size": 32}


def theta(parts: Parts, name: str = "critic") -> torch.Tensor:
    return parts.part(name).net.theta


def test_three_lines() -> None:
    task = wb.make_task("bandit2d")
    parts = wb.train(task, steps=300, hidden=(32, 32))
    steered = wb.evaluate(wb.make_rule("qgf"), parts, task, episodes=50, seed=1)
    assert steered.as_dict()["return"] is not None
    assert parts.device.type == "cpu"


def test_it_is_what_the_command_trains(tmp_path: Path) -> None:
    run = TrainingRun.open("bandit2d", tmp_path / "run", dict(SMALL, seed=3))
    list(run.progress())
    for parts in (wb.train("bandit2d", seed=3, **SMALL), wb.train("bandit2d", out=tmp_path / "own", seed=3, **SMALL)):
        for name in ("reference", "critic", "value"):
            assert torch.equal(theta(parts, name), theta(run.trainer.parts(), name))
    kept = wb.load_run(tmp_path / "own")
    assert kept.finished
    assert torch.equal(theta(kept.parts()), theta(run.trainer.parts()))
    with pytest.raises(ValueError, match="exists; choose another"):
        wb.train("bandit2d", out=tmp_path / "own", **SMALL)


@pytest.mark.parametrize("rules", ["fql", RULES["fql"], wb.make_rule("fql"), ["fql", "rebrac"]])
def test_the_parts_of_rules_are_trained_too(rules: Any) -> None:
    parts = wb.train("bandit2d", rules=rules, **SMALL)
    assert "one_step" in parts.available()
    assert ("rebrac_actor" in parts.available()) == isinstance(rules, list)


def test_a_single_rule_is_the_actor(tmp_path: Path) -> None:
    wb.train("bandit2d", rules="rebrac", critic="td_actor", out=tmp_path / "run", **SMALL)
    assert wb.load_run(tmp_path / "run").config.actor == "rebrac"
    wb.train("bandit2d", rules="rebrac", critic="td_actor", actor="fql", out=tmp_path / "other", **SMALL)
    assert wb.load_run(tmp_path / "other").config.actor == "fql"


def test_data_may_be_given(tmp_path: Path) -> None:
    data = Bandit2D().generate(300, 7)
    seen: list[Progress] = []
    mine = wb.train("bandit2d", data=data, progress=seen.append, **SMALL)
    assert seen[-1].step == seen[-1].total == 20
    assert not torch.equal(theta(mine), theta(wb.train("bandit2d", **SMALL)))
    with pytest.raises(ValueError, match=r"in memory alone.*data=PATH"):
        wb.train("bandit2d", data=data, out=tmp_path / "run", **SMALL)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"step": 3}, "no setting 'step'; did you mean 'steps'"),
        ({"steps": 0}, "'steps': must be .*at least 1"),
        ({"rules": "fqll"}, "no rule named 'fqll'"),
        ({"rules": "fql", "parts": ("edp_flow",)}, "given twice: by the rules fql and by parts="),
        ({"device": "cuda"}, "no CUDA device"),
        ({"data": "nowhere.npz"}, "nowhere.npz"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, Any], message: str) -> None:
    if given.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(ValueError, match=message):
        wb.train("bandit2d", **given)
