"""Curves from results: known numbers in, the same numbers out; choosing never sees what is reported."""

from pathlib import Path

import numpy as np
import pytest
from experiments.made_up import made_up_store
from hypothesis import given
from hypothesis import strategies as st

from workbench.experiments.grid import Grid
from workbench.experiments.job import Data
from workbench.experiments.store import Store
from workbench.experiments.summary import curves, matched

WEIGHTS = (0.0, 0.3, 30.0)
CHOOSE = {0.0: 0.1, 0.3: 0.6, 30.0: 0.7}  # the choosing episodes were lucky at 30
REPORT = {0.0: 0.2, 0.3: 0.8, 30.0: 0.4}


def flat(value: float, seed: int) -> np.ndarray:
    return np.array([value - 0.1, value + 0.1]) + 0.01 * seed


def measure(settings: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    w = settings.get("weight", settings.get("steps", 0) / 10)
    key = min(WEIGHTS, key=lambda weight: abs(weight - w))
    return flat(CHOOSE[key], seed), flat(REPORT[key], seed), WEIGHTS.index(key) / 10 + 0.001 * seed, 1.0 + key


def grid(**changes: object) -> Grid:
    given_ = {
        "tasks": ("three_exits",),
        "rules": ("qgf",),
        "axes": {"weight": WEIGHTS},
        "seeds": (0, 1, 2),
        "episodes": 2,
    }
    return Grid(**given_ | changes)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return made_up_store(tmp_path / "store", grid(), measure)


def test_a_curve_is_what_was_measured(store: Store) -> None:
    (curve,) = curves(store)
    assert (curve.task, curve.rule, curve.axis, curve.fixed, curve.name) == ("three_exits", "qgf", "weight", {}, "qgf")
    assert [point.value for point in curve.points] == list(WEIGHTS)
    np.testing.assert_allclose(curve.column("return"), [REPORT[w] + 0.01 for w in WEIGHTS], atol=1e-6)
    np.testing.assert_allclose(curve.column("shift.w2"), [0.001, 0.101, 0.201])
    np.testing.assert_allclose(curve.column("promised"), [1.0, 1.3, 31.0])
    for point in curve.points:
        assert point.seeds == (0, 1, 2)
        assert point.returns.low < point.returns.mean < point.returns.high
        np.testing.assert_allclose(point.per_seed["return"], REPORT[point.value] + 0.01 * np.arange(3), atol=1e-6)
        np.testing.assert_allclose(point.per_seed["choose"], CHOOSE[point.value] + 0.01 * np.arange(3), atol=1e-6)
        assert point.costs == {"network_evaluations": 20.0, "ms_per_decision": 0.5, "ms_alone": 2.0}


def test_the_budget_is_chosen_on_one_set_and_reported_on_the_other(store: Store) -> None:
    (curve,) = curves(store)
    assert curve.choice is not None
    assert curve.choice.strength == 30.0  # the best of the choosing episodes, though not of the reporting ones
    assert curve.choice.chosen_at == pytest.approx(0.71)
    assert curve.choice.reported.mean == pytest.approx(0.41)
    assert curve.choice.regret == pytest.approx(0.4)


@given(st.permutations([0.1, 0.5, 0.9]))
def test_what_is_reported_never_changes_what_is_chosen(
    tmp_path_factory: pytest.TempPathFactory, report: list[float]
) -> None:
    def other(settings: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        chosen, _, w2, q = measure(settings, seed)
        return chosen, flat(report[WEIGHTS.index(settings["weight"])], seed), w2, q

    (curve,) = curves(made_up_store(tmp_path_factory.mktemp("store") / "s", grid(seeds=(0,)), other))
    assert curve.choice is not None
    assert curve.choice.strength == 30.0
    assert curve.choice.reported.mean == pytest.approx(report[2])


def test_curves_are_told_apart_by_what_else_varies(tmp_path: Path) -> None:
    axes = {"weight": WEIGHTS, "particles": (1, 4), "fit.tau": (0.01, 0.02)}
    found = curves(made_up_store(tmp_path / "store", grid(axes=axes, seeds=(0,)), measure))
    assert len(found) == 4
    assert {curve.axis for curve in found} == {"weight"}
    assert {curve.name for curve in found} == {
        f"qgf particles={n} fit.tau={tau}" for n in (1, 4) for tau in (0.01, 0.02)
    }


def test_another_number_is_the_axis_where_the_strength_does_not_vary(tmp_path: Path) -> None:
    axes = {"flow_steps": (5, 10), "weight": (0.3,)}
    (curve,) = curves(made_up_store(tmp_path / "store", grid(axes=axes), measure))
    assert curve.axis == "flow_steps"
    assert [point.value for point in curve.points] == [5.0, 10.0]


def test_an_unfinished_sweep_compares_only_what_all_budgets_have(tmp_path: Path) -> None:
    store = made_up_store(
        tmp_path / "store", grid(), measure, lambda job: job.seed == 2 and job.settings["weight"] == 0.3
    )
    (curve,) = curves(store)
    assert [len(point.seeds) for point in curve.points] == [3, 2, 3]
    assert {played.run for played in curve.played} == {0, 1}
    assert curve.choice is not None
    assert curve.choice.reported.mean == pytest.approx(0.405)


def test_no_choice_where_no_seed_has_all_budgets(tmp_path: Path) -> None:
    store = made_up_store(
        tmp_path / "store", grid(), measure, lambda job: job.seed == WEIGHTS.index(job.settings["weight"])
    )
    (curve,) = curves(store)
    assert curve.choice is None
    assert matched([curve]) is None


def test_matched_shift(tmp_path: Path) -> None:
    store = made_up_store(
        tmp_path / "store", grid(rules=("qgf", "grad_step"), axes={"weight": WEIGHTS, "steps": (0, 3, 200)}), measure
    )
    found = matched(curves(store))
    assert found is not None
    at, table = found.at, found.returns
    assert set(table) == {"qgf", "grad_step"}
    assert 0.0 < at[0] < at[-1] < 0.201
    assert table["qgf"] == table["grad_step"]  # the same numbers were made up for both
    middle = table["qgf"][len(at) // 2]
    assert middle is not None
    assert 0.2 < middle.mean < 0.81
    other = next(name for name in table if name != found.against)
    assert [(one.mean, one.low, one.high) for one in found.differences[other] if one is not None] == [
        (0.0, 0.0, 0.0)
    ] * len(at)


def test_curves_that_were_measured_apart_are_called_apart(tmp_path: Path) -> None:
    store = made_up_store(tmp_path / "store", grid(), measure)
    other = grid(episodes=3)

    def longer(settings: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        chosen, reported, w2, q = measure(settings, seed)
        return np.append(chosen, chosen.mean()), np.append(reported, reported.mean()), w2, q

    made_up_store(tmp_path / "store", other, longer)
    found = curves(store)
    assert [curve.name for curve in found] == ["qgf episodes=2", "qgf episodes=3"]
    folder = Data(fingerprint="0123456789abcdef", folder="there")
    made_up_store(tmp_path / "store", grid(data=folder), measure)
    names = [curve.name for curve in curves(store)]
    assert len(set(names)) == len(names) == 3
    assert "qgf episodes=2 data=01234567" in names
