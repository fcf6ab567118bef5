"""The page Compare: what a link says, what is compared, files for a paper, and what a person does with it in a browser."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from experiments.made_up import made_up_store
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect
from ui.until import until_read

from workbench.engine.words import UserError
from workbench.experiments.grid import Grid
from workbench.experiments.own_store import STORE_VARIABLE
from workbench.experiments.scores import boarded
from workbench.experiments.store import Store
from workbench.experiments.summary import curves
from workbench.ui.pages.compare.page import ComparePage, _compared
from workbench.ui.server.lab import sweeps
from workbench.ui.server.parts_cache import Cache
from workbench.views.compare import compare, profile_series, scaling_series

GRID = Grid(
    tasks=("bandit2d", "three_exits"),
    rules=("bc", "qgf", "best_of_n"),
    axes={"qgf.weight": (0.1, 1.0), "best_of_n.particles": (2, 8), "fit.steps": (60,)},
    seeds=(0, 1, 2),
    episodes=4,
)
SKILL = {0.1: 0.1, 1.0: 0.3, 2.0: 0.2, 8.0: 0.5}


def measure(settings: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Best-of-N settings have 2 and 8 particles, QGF's weights one each, the flow neither."""
    strength = settings.get("weight", settings["particles"] if settings["particles"] > 1 else 0.0)
    returns = SKILL.get(strength, 0.0) + 0.01 * seed + np.linspace(-0.05, 0.05, 4)
    return returns, returns, 0.1, 0.5


@pytest.fixture(scope="module")
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare") / "store"
    made_up_store(folder, GRID, measure)
    return folder


@pytest.fixture
def opened(store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ComparePage]:
    monkeypatch.setenv(STORE_VARIABLE, str(store_folder))
    sweeps.cache_clear()
    page = ComparePage({}, Cache())
    settle(page)
    yield page
    page.left()
    sweeps.cache_clear()


def settle(page: ComparePage) -> None:
    """The store has been read, and what is asked now is answered here."""
    until_read(page._reading)
    page._latest.drop()
    page._answered(page._asked(), _compared(page._asked()), None)


def test_everything_is_compared_until_somebody_chooses(opened: ComparePage) -> None:
    assert opened.methods.value == ["bc", "best_of_n", "qgf"]
    assert opened.tasks.value == ["bandit2d", "three_exits"]
    assert opened.state() == {}
    assert opened.shown is not None
    assert [one.method for one in opened.shown.board.standings] == ["best_of_n", "qgf", "bc"]
    assert [line.name for line in opened.shown.profiles] == ["bc", "best_of_n", "qgf"]
    shown = str(opened._standings.object)
    assert shown.index("best_of_n") < shown.index("qgf")
    assert "FQL" in str(opened._missing.object)  # of the registry, and not measured


def test_a_link_says_what_is_compared(opened: ComparePage) -> None:
    opened.methods.value, opened.measure.value, opened.scaled.value = ["bc", "qgf"], "success", "three_exits"
    said = opened.state()
    assert said == {"methods": "bc|qgf", "by": "success", "scaled": "three_exits"}
    opened.restore({})
    assert opened.state() == {}
    opened.restore(said)
    assert opened.state() == said
    opened.restore({"methods": "no such|qgf", "on": "three_exits", "by": "luck"})
    assert opened.state() == {"methods": "qgf", "on": "three_exits"}


def test_nothing_ticked_is_said(opened: ComparePage) -> None:
    opened.tasks.value = []
    opened._ask()
    assert "Tick at least one method and one task" in str(opened._head.object)
    for ask in (opened.sheet, opened._board):
        with pytest.raises(UserError, match="nothing to compare yet"):
            ask()


def test_a_link_is_kept_until_the_store_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "none"))
    sweeps.cache_clear()
    page = ComparePage({"methods": "qgf", "by": "success", "rule": "vgf"}, Cache())
    assert page.state() == {"methods": "qgf", "by": "success"}
    settle(page)
    assert page.state() == {"methods": "qgf", "by": "success"}  # of the shipped example
    assert "Shipped example" in str(page._head.object)
    assert "shipped_curves" in page.code()
    page.left()
    sweeps.cache_clear()


def test_files_for_a_paper(opened: ComparePage) -> None:
    tex = opened._latex().decode()
    assert tex.count(r"\begin{tabular}") == tex.count(r"\end{tabular}") == 3
    assert r"best\_of\_n" in tex
    assert not re.search(r"(?<!\\)[_%#]", tex)
    rows = list(csv.DictReader(io.StringIO(opened.exports()[1].make().decode())))
    assert len(rows) == 3 * 2
    best = next(row for row in rows if (row["method"], row["task"]) == ("best_of_n", "bandit2d"))
    assert float(best["value"]) == pytest.approx(0.51, abs=1e-3)
    assert best["strengths"] == "8 8 8"


def test_computing_is_drawn_by_what_it_costs(store_folder: Path) -> None:
    found = curves(Store(store_folder))
    lines = {line.name: line for line in scaling_series(found, "bandit2d")}
    # the made-up store says 20 evaluations for every strength: one point each, at the strength that the choosing episodes prefer
    assert {name: line.x.tolist() for name, line in lines.items()} == {
        key: [20.0] for key in ("bc", "best_of_n", "qgf")
    }
    assert lines["qgf"].y == pytest.approx([0.31])
    assert lines["qgf"].labels == ("qgf, weight = 1",)
    assert [line.name for line in scaling_series(found, "bandit2d", ["bc"])] == ["bc"]
    assert scaling_series(found, "no such") == []


def test_the_numbers_are_those_of_the_table(store_folder: Path) -> None:
    found = curves(Store(store_folder))
    board = compare(found, ["qgf", "bc"], ["three_exits"])
    assert board.cells["qgf", "three_exits"].value == boarded(found).cells["qgf", "three_exits"].value
    assert len(profile_series(board)) == 2
    with pytest.raises(UserError, match="'luck' is no measure"):
        compare(found, measure="luck")


@pytest.mark.browser
def test_in_a_browser(page: Tab, server: str) -> None:
    page.goto(f"{server}/compare")
    table = page.get_by_role("region", name="All tasks together")
    expect(table).to_contain_text("best_of_n")
    expect(page.locator(".wb-profiles canvas[role=img]")).to_be_visible()
    page.get_by_role("checkbox", name="best_of_n").uncheck()
    expect(table).not_to_contain_text("best_of_n")
    expect(page).to_have_url(re.compile("methods=bc%7Cqgf"))
    page.reload()
    expect(page.get_by_role("region", name="Task by task", exact=True)).to_contain_text("three_exits")
    expect(page.get_by_role("region", name="All tasks together")).not_to_contain_text("best_of_n")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("menuitem", name="LaTeX").click()
    assert waiting.value.path().read_text(encoding="utf-8").count("tabular") > 2
