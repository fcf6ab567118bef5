"""Which rule and strength to take: chosen on one set of episodes, told from the other, and refused in words."""

import json
from pathlib import Path

import numpy as np
import pytest
from experiments.made_up import made_up_store

from workbench.cli import main
from workbench.engine.words import UserError
from workbench.experiments.grid import Grid
from workbench.experiments.recommend import NothingFitsError, recommend
from workbench.experiments.summary import Curve, curves

# rule and strength: choosing return, reporting return, shift
TRUTH = {
    ("qgf", 0.1): (0.5, 0.4, 0.05),
    ("qgf", 1.0): (0.8, 0.7, 0.2),
    ("qgf", 10.0): (0.3, 0.9, 0.6),  # lucky on the reporting episodes: must not be chosen for it
    ("grad_step", 1): (0.6, 0.65, 0.1),
    ("grad_step", 10): (0.9, 0.6, 0.5),
}


def measure(settings: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    key = ("qgf", settings["weight"]) if "weight" in settings else ("grad_step", settings["steps"])
    chosen, reported, shift = TRUTH[key]
    spread = np.array([-0.05, 0.05]) + 0.01 * seed
    return chosen + spread, reported + spread, shift, 1.0


@pytest.fixture
def found(tmp_path: Path) -> list[Curve]:
    axes = {"qgf.weight": (0.1, 1.0, 10.0), "grad_step.steps": (1, 10)}
    grid = Grid(tasks=("three_exits",), rules=("qgf", "grad_step"), axes=axes, seeds=(0, 1, 2), episodes=2)
    return curves(made_up_store(tmp_path / "store", grid, measure))


def test_the_best_within_a_shift_is_chosen_on_the_choosing_episodes(found: list[Curve]) -> None:
    for most_shift, wanted in (
        (0.07, ("qgf", 0.1)),
        (0.1, ("grad_step", 1)),
        (0.3, ("qgf", 1.0)),
        (9.0, ("grad_step", 10)),
    ):
        chosen = recommend(found, most_shift=most_shift)
        assert (chosen.rule, chosen.strength) == wanted
        assert chosen.reported.mean == pytest.approx(TRUTH[wanted][1] + 0.01, abs=1e-6)
        assert chosen.chosen_at == pytest.approx(TRUTH[wanted][0] + 0.01, abs=1e-6)
        assert chosen.shift == pytest.approx(TRUTH[wanted][2])
        assert not set(chosen.chosen_on) & set(chosen.reported_on)
        assert len(chosen.chosen_on) == len(chosen.training_seeds) == 3


def test_the_least_shift_that_returns_enough(found: list[Curve]) -> None:
    chosen = recommend(found, least_return=0.55)
    assert (chosen.rule, chosen.strength) == ("grad_step", 1)
    assert chosen.certain
    assert chosen.command("runs/a") == "workbench evaluate runs/a --rule grad_step --set steps=1"
    uncertain = recommend(found, least_return=0.85)
    assert (uncertain.rule, uncertain.strength) == ("grad_step", 10)
    assert not uncertain.certain  # 0.6 on the reporting episodes


def test_both_limits(found: list[Curve]) -> None:
    assert recommend(found, most_shift=0.3, least_return=0.55).rule == "qgf"
    with pytest.raises(NothingFitsError, match=r"returns 0.85 within shift 0.3: the most is 0.71 .* \(qgf, weight 1\)"):
        recommend(found, most_shift=0.3, least_return=0.85)


def test_what_cannot_be_said_is_refused_in_words(found: list[Curve]) -> None:
    with pytest.raises(NothingFitsError, match=r"within shift 0.01: the least is 0.05 \(qgf, weight 0.1\)"):
        recommend(found, most_shift=0.01)
    for wrong in ({}, {"most_shift": float("nan")}, {"most_shift": -1.0}, {"least_return": float("inf")}):
        with pytest.raises(UserError):
            recommend(found, **wrong)
    with pytest.raises(UserError, match="run a sweep"):
        recommend([], most_shift=1.0)


def test_the_command_says_what_it_chose_from_what(capsys: pytest.CaptureFixture[str]) -> None:
    main(["recommend", "shipped", "--most-shift", "0.2", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["shift"] < 0.25
    assert found["reported"]["low"] < found["reported"]["mean"] < found["reported"]["high"]
    assert not set(found["chosen_on"]) & set(found["reported_on"])
    main(["recommend", "shipped", "--most-shift", "0.2"])
    words = capsys.readouterr().out
    assert "shipped example: measured with workbench" in words
    assert found["command"] in words
    with pytest.raises(SystemExit) as stopped:
        main(["recommend", "shipped", "--least-return", "3"])
    assert stopped.value.code == 2
    assert "no measured strength returns 3: the most is" in capsys.readouterr().err
