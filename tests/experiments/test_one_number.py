"""Each number is one: the same run, seed and states give it through Python, command line, sweep, pages and report."""

import json
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import torch
from commands.running import run_main
from experiments.small import small_grid

from workbench.engine.digits import figure
from workbench.engine.glossary import TERM, numbers_of
from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.metrics.shift import shift_distance
from workbench.engine.metrics.support import DataSupport
from workbench.engine.models.parts import Parts
from workbench.engine.tasks.registry import make_task
from workbench.engine.training.loop.checkpoint import load_run
from workbench.experiments.job import Data, job_of
from workbench.experiments.serial import Serial
from workbench.experiments.store import Store
from workbench.experiments.summary import curves
from workbench.experiments.sweep import sweep
from workbench.report.tables import SHOWN, number, points_table
from workbench.runs.training import training_data
from workbench.ui.pages.runs.details import describe
from workbench.views.budget import HERE_EPISODES, as_csv, here
from workbench.views.question import Policy, Question, answer
from workbench.views.rollouts import play
from workbench.views.runs import line_of

RULES = {"qgf": {"weight": 0.3}, "best_of_n": {"particles": 4}}
CLOCKS = {"ms_alone", "ms_per_action", "ms_per_decision"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, data: Data) -> Store:
    """One job for each rule, with as many episodes as the page of budgets plays."""
    made = Store(tmp_path_factory.mktemp("one") / "store", create=True)
    axes = {"qgf.weight": (0.3,), "best_of_n.particles": (4,)}
    grid = small_grid(data, rules=tuple(RULES), axes=axes, seeds=(0,), episodes=HERE_EPISODES)
    assert list(sweep(grid, made, Serial()))[-1].errors == {}
    return made


def numbers(measured: dict[str, Any]) -> dict[str, Any]:
    """Every number but those of the clock; of an interval its mean."""
    found = {key: value for key, value in numbers_of(measured).items() if key not in CLOCKS}
    return {key: value["mean"] if isinstance(value, dict) else value for key, value in found.items()}


def one(store: Store, rule: str) -> tuple[dict[str, Any], Parts, int]:
    """The result of a rule's job, its parts with their data, and the reporting seed."""
    result = next(result for result in store.results() if result["job"]["rule"] == rule)
    run = load_run(Path(store.where) / result["training"]["folder"])
    return result, replace(run.parts(), data=DataSupport(training_data(run))), result["evaluation_seeds"]["report"]


@pytest.mark.parametrize("rule", RULES)
def test_python_command_line_sweep_and_pages_say_the_same(
    store: Store, rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result, parts, seed = one(store, rule)
    task, made = make_task(result["job"]["task"]), job_of(result).make_rule()
    swept = numbers(result["report"])
    assert {"shift.w2", "own_shift.w2", "occupancy.w2", "support.inside", "gain", "promised", "earned", "gap"} <= set(
        swept
    )

    python = numbers(evaluate(made, parts, task, HERE_EPISODES, seed).as_dict())
    assert python == pytest.approx(swept)

    folder = Path(store.where) / result["training"]["folder"]
    settings = [f"{name}={value}" for name, value in RULES[rule].items()]
    done = run_main(
        capsys, "evaluate", folder, "--rule", rule, "--set", *settings, "--episodes", HERE_EPISODES, "--seed", seed, "--json"
    )  # fmt: skip
    assert numbers(json.loads(done.out)) == pytest.approx(swept)

    rollouts = play(made, parts, task, HERE_EPISODES, seed)
    assert numbers(rollouts.measured.as_dict()) == pytest.approx(swept)

    mark = here(Policy(rule, RULES[rule]), parts, task, seed)
    assert (mark.value, mark.shift, mark.transport, mark.promised) == pytest.approx(
        tuple(swept[key] for key in ("return", "shift.w2", "transport", "promised"))
    )

    row = next(row for row in store.rows() if row.rule == rule)
    shown = line_of(row)
    assert (shown["mean"], shown["shift"], shown["gap"]) == pytest.approx(
        tuple(swept[key] for key in ("return", "shift.w2", "gap"))
    )
    page = unescape(describe(store, [row]))
    for key, value in swept.items():
        assert TERM[key].head in page, key
        spelled = (f"{value:.4g}".replace("-", "−"), figure(value, 3), str(value))
        assert any(f">{text}<" in page or f">{text} <" in page for text in spelled), (key, spelled)


@pytest.mark.parametrize("rule", RULES)
def test_the_report_and_the_csv_say_the_same(store: Store, rule: str) -> None:
    swept = numbers(one(store, rule)[0]["report"])
    (curve,) = [curve for curve in curves(store) if curve.rule == rule]
    table = points_table([curve])
    (row,) = table.rows
    for key in SHOWN:
        assert row[table.heads.index(TERM[key].label)] == number(swept[key]), key
    heads, line = (text.split(",") for text in as_csv([curve]).decode().splitlines())
    for key in SHOWN:
        assert float(line[heads.index(TERM[key].column)]) == pytest.approx(swept[key], rel=1e-5, abs=1e-6), key


@pytest.mark.parametrize("rule", RULES)
def test_the_numbers_of_one_state_come_from_the_same_functions(store: Store, rule: str) -> None:
    """On Particles and Landscape: shift by `shift_distance`, support by the data, transport by the trace."""
    _, parts, _ = one(store, rule)
    state = (0.1, -0.5, 0.0, 0.5)
    found = answer(Question("three_exits", (Policy(rule, RULES[rule]),), 3, 64, state), parts, make_task("three_exits"))
    home, steered = found.traces
    shown = found.numbers[1].as_dict()
    assert shown["state.transport"] == pytest.approx(float(steered.transport.mean()))
    flat = home.positions[-1].flatten(0, 1)[: steered.positions[-1][..., 0].numel()].view_as(steered.positions[-1])
    assert shown["state.displacement"] == pytest.approx(float((steered.positions[-1] - flat).norm(dim=-1).mean()))
    assert parts.data is not None
    inside = parts.data.measure(torch.tensor([state]).numpy(), steered.actions[None].numpy()).inside
    assert shown["state.support"] == pytest.approx(inside)
    if rule == "qgf":  # twins: no floor
        assert shown["state.shift"] == pytest.approx(
            shift_distance(steered.actions[None], flat[None, :, 0], None)[0].mean
        )
        assert found.numbers[1].shift_floor == 0.0
    else:
        assert found.numbers[1].shift_floor > 0.0
