"""Labels of numbers on pages, in tables of the report and in heads of files are the glossary's; the rest are words of a list."""

import re
from pathlib import Path

import numpy as np
import pytest
from experiments.made_up import made_up_store
from experiments.small import small_grid

from workbench.engine.glossary import TERMS
from workbench.engine.tasks.registry import make_task
from workbench.experiments.job import Data
from workbench.experiments.summary import curves
from workbench.report.tables import chosen_table, cost_table, matched_table, points_table
from workbench.ui.pages.budget.table import match_table
from workbench.ui.pages.budget.table import points_table as budget_table
from workbench.ui.pages.training.draw import value_figure
from workbench.views.question import Policy, Question
from workbench.views.rollouts import play
from workbench.views.rows import landscape_rows, rollout_rows
from workbench.views.terrain import View, terrain

ROOT = Path(__file__).resolve().parents[2]
LABELS = {name for term in TERMS for name in (term.label, term.short, term.head)}
# Heads that name no number: who, where, how often, and what the row beside them says.
OTHERS = {
    "Run", "Status", "Task", "Rule", "Settings", "Seed", "95% interval", "Finished", "method", "strength", "seeds", "at", "rule",
    "runs", "rule and strength", "− best", "chosen", "return, choosing episodes", "return, reporting episodes", "regret",
    "each seed",
}  # fmt: skip


def odd(heads: list[str]) -> list[str]:
    """Heads that are neither numbers of the glossary nor on the list; "Promised, steered" says whose number it is."""
    return [
        head for head in heads if head not in OTHERS and head.partition(", ")[0] not in LABELS and head not in LABELS
    ]


def test_an_odd_label_is_found() -> None:
    assert odd(["Return", "Shift (action units)", "Promised, steered", "Q estimate", "W2"]) == ["Q estimate", "W2"]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory):
    def measure(settings, seed):
        w = float(settings.get("weight", settings.get("steps", 0)))
        returns = np.linspace(0.0, 1.0, 5) + 0.01 * w
        return returns, returns, 0.1 * w, 0.5

    axes = {"weight": (0.0, 1.0, 3.0), "steps": (0, 1, 3)}
    grid = small_grid(Data(), rules=("qgf", "grad_step"), axes=axes)
    return curves(made_up_store(tmp_path_factory.mktemp("labels") / "store", grid, measure))


def test_tables_of_the_report(found) -> None:
    tables = [chosen_table(found), cost_table(found), points_table(found), matched_table(found)]
    for table in tables:
        assert table is not None
        heads = [head for head in table.heads if not re.fullmatch(r"[\d.]+", head) and head != "Return at shift ="]
        assert odd(heads) == [], table.title


def test_tables_of_the_budget_page(found) -> None:
    shift = float(found[0].column("shift.w2")[1])
    for html in (budget_table(found), match_table(found, shift, lambda curve, value: "")):
        assert odd(re.findall(r"<th[^>]*>([^<]*)</th>", html)) == []


def test_numbers_of_landscape_and_rollouts() -> None:
    task = make_task("bandit2d")
    parts = task.parts()
    rows = landscape_rows(terrain(View(Question("bandit2d", (Policy("qgf"),), 0, 32)), parts, task))
    assert odd([row[0] for row in rows]) == []
    assert odd([row[0] for row in rollout_rows(play(Policy("qgf").make(), parts, task, 5, 0))]) == []


def test_columns_of_the_runs_page() -> None:
    script = (ROOT / "workbench/ui/pages/runs/rows.js").read_text(encoding="utf-8")
    heads = re.findall(r'head: "([^"]+)"', script)
    assert len(heads) > 8
    assert odd(heads) == []


def test_lines_of_the_training_page() -> None:
    legend = value_figure().figure.legend[0]
    assert odd([item.label.value for item in legend.items]) == []
