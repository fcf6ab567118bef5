"""What "Copy as code" gives: it imports public names and views alone, everything that it names is there, and it runs."""

import ast
import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from experiments.made_up import made_up_store
from experiments.small import small_grid

import workbench
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.registry import make_listed
from workbench.experiments.job import Data
from workbench.experiments.store import Store
from workbench.ui.shell.page import Page
from workbench.ui.shell.registry import PAGES, page_class
from workbench.views import bring, language, policies, snippets
from workbench.views.links import TASKS, has_peak, state_of
from workbench.views.policies import UPLOAD, Source
from workbench.views.question import Policy, Question
from workbench.views.rollout_links import TASKS as TASKS_WITH_EPISODES
from workbench.views.rollouts import Order
from workbench.views.runs import Filter
from workbench.views.terrain import Plane

OUTSIDE = {"matplotlib.pyplot", "numpy", "pandas"}
RUN, UPLOADED = "run:aaaa1111", f"{UPLOAD}{'0' * 32}"


def mistakes(code: str) -> list[str]:
    """What a snippet imports against the rule, or names that are not there."""
    wrong = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            wrong += [f"import {one.name}" for one in node.names if one.name not in {*OUTSIDE, "workbench"}]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if not module.startswith("workbench.views."):
                wrong.append(f"from {module} import …")
                continue
            there = importlib.import_module(module)
            wrong += [f"{module} has no {one.name}" for one in node.names if not hasattr(there, one.name)]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "wb":
            wrong += [] if node.attr in workbench.__all__ else [f"wb.{node.attr} is not public"]
    return wrong


@pytest.mark.parametrize(
    "line",
    [
        "from workbench.ui.notebook import picture",
        "from workbench.experiments.store import Store",
        "import workbench.ui.notebook",
        "from workbench import views",
        "import torch",
        "from workbench.views.paper import no_such_name",
        "import workbench as wb\nwb.no_such_name()",
    ],
)
def test_the_check_catches(line: str) -> None:
    assert len(mistakes(line)) == 1


def question(task: str, *rules: str) -> Question:
    """A question on ``task``, with a moved peak where there is one."""
    dims = policies.find(task).task.info.action_dim
    peak = (0.25,) * dims if has_peak(task) else None
    return Question(task, tuple(Policy(rule) for rule in rules), 3, 32, state_of(task), peak)


def particles() -> list[str]:
    """Snippets of every rule, of two rules at once, and on every task."""
    every = [question("bandit2d", rule) for rule in RULES] + [question("bandit2d", "qgf", "fql")]
    every += [question(task, "vgf") for task in (*TASKS, RUN, UPLOADED)]
    return [snippets.particles(one) for one in (*every, question(RUN, "fql"))]


def landscapes() -> list[str]:
    """As for particles, and along principal directions."""
    planes: list[Plane] = [(0, 1), "principal"]
    every = [question("bandit2d", rule) for rule in RULES] + [question(task, "qgf") for task in (*TASKS, RUN, UPLOADED)]
    return [snippets.landscape(one, plane) for one in every for plane in planes]


def rollouts() -> list[str]:
    """Every rule, and every task that has episodes."""
    orders = [Order("three_exits", rule) for rule in RULES]
    return [snippets.rollouts(one) for one in (*orders, *(Order(task, "qgf") for task in (*TASKS_WITH_EPISODES, RUN)))]


def budgets() -> list[str]:
    """A store, also one in a folder with quotation marks."""
    return [snippets.budget(where, "bandit2d") for where in ("store", 'it\'s "mine"')]


def compares() -> list[str]:
    """A store, the shipped example, and names with quotation marks."""
    names = [
        "qgf",
        "qgf pick='a \"b\"' particles=4 temperature=0.123456 fit.hidden=(512, 512, 512, 512) fit.discount=0.999",
    ]
    return [
        snippets.compare(where, names, ["three_exits"], "success", "three_exits")
        for where in ("store", "it's mine", "")
    ]


def runs() -> list[str]:
    """Without a filter, with all of them, and a comparison."""
    full = Filter("bandit2d", "qgf", "done", 'weight=1 it\'s "quoted"')
    return [snippets.runs("store", one, keys) for one in (Filter(), full) for keys in ([], ["aaaa"], ["aaaa", "bbbb"])]


def trainings() -> list[str]:
    """At the end of a run, and at a moment of it."""
    return [snippets.training("run", "three_exits", step) for step in (-1, 0, 200)]


def brought() -> list[str]:
    """Files with and without chosen columns, a dataset that was kept, and checkpoints."""
    many = {"observations": [f"a long name {number}" for number in range(40)], "reward": 'it\'s "pay"'}
    data = [bring.dataset_code("it's mine.hdf5", columns) for columns in ({}, many)]
    readings: list[dict[str, object]] = [{"chunk": None}, {"discount": 0.97, "activation": "gelu", "chunk": 5}]
    found = [
        bring.checkpoint_code("params_1.pkl", task, one, "qgf") for one in readings for task in ("three_exits", "")
    ]
    return [*data, bring.kept_code("mine-0a1b2c"), *found]


def languages() -> list[str]:
    """At the best strength, and at a chosen one."""
    return [language.code_of(one) for one in (language.Reading(), language.Reading("vgf", 200, 2, 7))]


SNIPPETS: dict[str, Callable[[], list[str]]] = {
    "particles": particles,
    "landscape": landscapes,
    "rollouts": rollouts,
    "budget": budgets,
    "compare": compares,
    "runs": runs,
    "training": trainings,
    "language": languages,
    "bring": brought,
}


@pytest.fixture
def _with_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of the store and an uploaded checkpoint are among the policies; their parts are not read."""
    run = SimpleNamespace(folder=Path("trained") / "aaaa1111", probes=np.zeros((1, 4)))
    found = Source(RUN, "a run", make_listed("three_exits"), run)
    uploaded = Source(UPLOADED, "an upload", make_listed("three_exits"), run)
    monkeypatch.setitem(policies._found, RUN, found)
    monkeypatch.setattr(policies, "_shown", {UPLOADED: uploaded})


def test_every_page_with_code_is_checked_here() -> None:
    assert {name for name in PAGES if page_class(name).code is not Page.code} == set(SNIPPETS)


@pytest.mark.usefixtures("_with_a_run")
@pytest.mark.parametrize("name", SNIPPETS)
def test_snippets_import_public_names_and_views(name: str) -> None:
    for code in SNIPPETS[name]():
        assert mistakes(code) == [], code
        assert all(len(line) <= 130 for line in code.splitlines()), code


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # what a snippet saves


def run(code: str) -> dict[str, object]:
    """What a snippet leaves behind."""
    space: dict[str, object] = {}
    exec(compile(code, "snippet", "exec"), space)  # noqa: S102 -- our own snippet
    return space


@pytest.mark.parametrize("task", ["bandit1d", "bandit2d"])
def test_particles_run(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    space = run(snippets.particles(question(task, "qgf", "vgf")))
    assert (tmp_path / "particles.png").stat().st_size > 5000
    assert [line.partition(" ")[0] for line in capsys.readouterr().out.splitlines()] == ["bc", "qgf", "vgf"]
    assert space["question"] == replace(question(task, "qgf", "vgf"), peak=None)  # the task itself has moved its peak


@pytest.mark.parametrize("task", ["bandit1d", "bandit2d"])
def test_landscapes_run(task: str) -> None:
    ground = run(snippets.landscape(question(task, "qgf"), (0, 1)))["ground"]
    assert Path("landscape.png").stat().st_size > 5000
    assert len(ground.basis.names) == make_listed(task).info.action_dim


def test_rollouts_run() -> None:
    order = Order("bandit2d", "qgf", {"weight": 0.3}, 3.0, 20, 1)
    space = run(snippets.rollouts(order))
    assert [one.strength for one in space["played"]] == ["weight 0.3", "weight 3"]
    assert [len(one.record.returns) for one in space["played"]] == [20, 20]
    assert Path("rollouts.png").stat().st_size > 5000


def test_budget_and_runs_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def measure(settings: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        returns = np.linspace(0.0, 1.0, 5) + 0.01 * settings["weight"]
        return returns, returns, 0.1 * settings["weight"], 0.5

    where = tmp_path / "it's a store"
    made_up_store(where, small_grid(Data(), rules=("qgf",), axes={"weight": (0.0, 1.0)}), measure)
    rows = Store(where).rows()
    task = rows[0].task
    board = run(snippets.compare(str(where), ["qgf"], [task], "return", task))["board"]
    assert (board.methods, board.tasks) == (("qgf",), (task,))
    assert Path("compare.png").stat().st_size > 5000
    assert "qgf" in capsys.readouterr().out
    (curve,) = run(snippets.budget(str(where), task))["measured"]
    assert curve.name == "qgf"
    assert Path("budget.png").stat().st_size > 5000
    capsys.readouterr()
    space = run(snippets.runs(str(where), Filter(text="weight=1"), [row.key for row in rows]))
    assert [row.settings for row in space["rows"]] == [
        row.settings for row in rows if row.settings.get("weight") == 1.0
    ]
    printed = capsys.readouterr().out
    assert all(row.key[:8] in printed for row in rows)
