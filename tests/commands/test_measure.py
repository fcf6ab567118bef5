"""``workbench measure``: tables of what needs no episodes."""

from pathlib import Path

import pytest
from commands.running import Command, check

from workbench.engine.steering.protocol import DuringFlow
from workbench.engine.steering.rules import RULES


def test_estimator(command: Command, trained: Path) -> None:
    found = command("measure", "estimator", trained, "--states", 6, "--noise", 1e-4, 0.5, "--json").json
    assert {"qgf", "qgf_jacobian", "qgf_chain", "bptt", "noisy"} <= set(found)
    assert all(issubclass(RULES[name], DuringFlow) for name in found)
    for levels in found.values():
        assert [level["noise"] for level in levels] == [1e-4, 0.5]
        assert levels[0]["mean"] > levels[1]["mean"]
        assert all(level["low"] <= level["mean"] <= level["high"] for level in levels)
    some = command("measure", "estimator", trained, "--states", 6, "--noise", 1e-4, 0.5, "--rule", "noisy")
    assert f"{found['noisy'][1]['mean']:.4f}" in some.out
    assert "qgf" not in some.out


def test_mmd(command: Command, trained: Path) -> None:
    settings = ("--set", "steps=4", "step_size=0.002", "alpha=0.02", "particles=5")
    found = command("measure", "mmd", trained, "--states", 3, *settings, "--json").json
    assert [row["steps"] for row in found["curve"]] == [0, 1, 2, 3, 4]
    assert found["unproven"] == ""
    assert all(row["measured"] <= row["stepwise"] + 1e-6 for row in found["curve"])
    shown = command("measure", "mmd", trained, "--states", 3, *settings, "ascent=adam").out
    assert "not proven for these settings: Adam" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("estimator", "--noise", "0"), "above 0"),
        (("estimator", "--rule", "vgf"), "no gradient during the flow"),
        (("estimator", "--states", "0"), "--states must be 1 to"),
        (("mmd", "--set", "weight=1"), "no setting 'weight'"),
    ],
)
def test_errors(command: Command, trained: Path, words: tuple[str, ...], said: str) -> None:
    check(command("measure", words[0], trained, *words[1:]), said)
