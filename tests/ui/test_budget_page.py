"""The page of budgets: arrays, equal shift, code, and what a person does with it in a browser."""

import csv
import io
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab
from ui.saving import DRAWN, save_all, see_offline
from ui.until import until_read

from workbench.engine.steering.rules import RULES
from workbench.experiments.grid import Grid
from workbench.experiments.own_store import STORE_VARIABLE, store_folder
from workbench.experiments.serial import Serial
from workbench.experiments.store import Store
from workbench.experiments.summary import Curve, curves
from workbench.experiments.sweep import sweep
from workbench.ui.pages.budget.page import BudgetPage
from workbench.ui.server.lab import sweeps
from workbench.ui.server.parts_cache import CACHE, Cache
from workbench.views.budget import (
    FIRST,
    STORIES,
    as_csv,
    grid_of,
    here,
    match,
    points_of,
    seed_lines,
    story_shift,
    strengths_of,
)
from workbench.views.question import Policy

SMALL = Grid(
    tasks=("bandit2d",),
    rules=("bc", "qgf", "grad_step"),
    axes={
        "qgf.weight": (0.1, 1.0, 10.0),
        "grad_step.steps": (1, 10, 100),
        "fit.steps": (50,),
        "fit.hidden": ([8, 8],),
    },
    seeds=(0, 1),
    episodes=30,
)


def fill(folder: Path) -> Store:
    store = Store(folder, create=True)
    for progress in sweep(SMALL, store, Serial()):
        assert progress.failed == 0, progress.errors
    return store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("budget") / "store"
    fill(made)
    return made


@pytest.fixture(scope="module")
def found(folder: Path) -> list[Curve]:
    return curves(Store(folder))


@pytest.fixture
def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BudgetPage]:
    monkeypatch.setenv(STORE_VARIABLE, str(folder))
    sweeps.cache_clear()
    page = BudgetPage({"task": "bandit2d"}, CACHE)
    until_read(page._reading)
    yield page
    page.left()
    sweeps.cache_clear()


def test_the_store_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "mine"))
    assert store_folder() == tmp_path / "mine"
    monkeypatch.delenv(STORE_VARIABLE)
    assert store_folder().name == "store"


def test_the_first_sweep_is_a_valid_one() -> None:
    assert len(grid_of(FIRST).jobs()) == 36


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_can_be_swept(rule: str) -> None:
    values = strengths_of(rule)
    assert len(grid_of([rule]).jobs()) == 2 * max(1, len(values))
    assert list(values) == sorted(values)
    assert len(values) > 2 or not RULES[rule].bc_at


def test_every_seed_has_its_line(found: list[Curve]) -> None:
    curve = next(curve for curve in found if curve.rule == "qgf")
    x, y = seed_lines(curve, "shift.w2", "return")
    assert np.isnan(x).sum() == 2
    assert np.isfinite(y).sum() == 6
    columns = points_of(curve)
    assert columns["value"] == pytest.approx(np.nanmean(y.reshape(2, 4)[:, :3], 0))
    assert (columns["low"] <= columns["value"]).all()


def test_equal_shift_is_read_off_between_budgets(found: list[Curve]) -> None:
    curve = next(curve for curve in found if curve.rule == "qgf")
    shift = curve.column("shift.w2")
    matches, missing = match(found, float(shift[1]))
    assert "bc" in missing  # one budget is no curve
    own = next(one for one in matches if one.curve is curve)
    assert own.value == pytest.approx(1.0, rel=1e-2)
    assert own.returns is not None
    assert own.returns.mean == pytest.approx(curve.points[1].returns.mean, abs=1e-6)
    assert own.returns.low <= own.returns.mean <= own.returns.high
    others = [one for one in matches if one.difference is not None]  # paired: all but the best
    assert len(others) == len(matches) - 1
    middle = match([curve], float((shift[1] + shift[2]) / 2))[0][0]
    assert middle.value == pytest.approx(np.sqrt(10.0), rel=0.01)  # half way in the logarithm
    assert match(found, 100.0)[0] == []


def test_whole_settings_stay_whole(found: list[Curve]) -> None:
    curve = next(curve for curve in found if curve.rule == "grad_step")
    shift = curve.column("shift.w2")
    matches, _ = match([curve], float((shift[0] + shift[1]) / 2))
    assert matches[0].value == int(matches[0].value)


def test_csv_has_every_budget(found: list[Curve]) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(found).decode())))
    assert len(rows) == 7
    assert {row["curve"] for row in rows} == {"bc", "qgf", "grad_step"}


def test_here_is_an_evaluation_of_its_own() -> None:
    task, parts = CACHE.task("bandit2d"), CACHE.wait("bandit2d")
    mark = here(Policy("qgf", {"weight": 1.0}), parts, task, 3)
    assert mark.low <= mark.value <= mark.high
    assert mark.shift > 0.05
    still = here(Policy("bc"), parts, task, 3)
    assert still.shift < mark.shift


def test_the_page_draws_what_the_store_holds(opened: BudgetPage) -> None:
    assert opened.task.value == "bandit2d"
    assert set(opened.rules.value) == {"bc", "qgf", "grad_step"}
    assert len(opened._pictures.sources) == 3
    assert "Return against shift, bandit2d" in opened._head.object
    opened.rules.value = ["qgf"]
    assert len(opened._pictures.sources) == 1
    assert opened.state()["curves"] == "qgf"
    opened.restore({"curves": "qgf|bc", "task": "bandit2d"})
    assert set(opened.rules.value) == {"bc", "qgf"}
    opened.equal.match()
    assert "Two rules" in opened.notice.text
    opened.restore({"task": "bandit2d"})
    for story in STORIES:
        opened.equal.match(story)
        assert "At shift" in opened.equal.table.object
        assert opened._pictures.at.location == pytest.approx(float(opened._pictures.scale.to(opened.state()["shift"])))
        assert opened.state()["shift"] == pytest.approx(story_shift(story, opened._shown()), rel=1e-3)
    again = BudgetPage({name: str(value) for name, value in opened.state().items()}, CACHE)
    assert again.equal.shift == opened.equal.shift
    again.left()
    opened.equal.match()
    assert "At shift" in opened.equal.table.object
    keys = opened._shown()[-1].points[0].keys
    opened.equal.tapped.data = {"key": [keys[0]]}
    assert "1 of the points" in opened.equal.table.object
    assert f"./runs?run={','.join(keys)}" in opened.equal.table.object
    opened.equal.tapped.data = {"key": []}
    assert "./particles?task=bandit2d" in opened.equal.table.object


def test_marking_waits_for_the_policy_by_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, later = threading.Event(), []

    def build(task: Any, report: Any) -> Any:
        made.wait(60)
        return task.parts()

    monkeypatch.setenv(STORE_VARIABLE, str(folder))
    sweeps.cache_clear()
    page = BudgetPage({"task": "bandit2d", "rule": "qgf"}, Cache(build))
    monkeypatch.setattr(page, "again", later.append)
    page.mine.mark()
    assert "Training the built-in task" in page.notice.text
    assert "press" not in page.notice.text
    made.set()
    page.cache.wait("bandit2d")
    asked = [call for call in later if call == page.mine.mark]
    assert len(asked) == 1
    later.clear()
    asked[0]()
    assert page.mine.mark not in later
    end = time.monotonic() + 60
    while not page.mine.marks and time.monotonic() < end:
        time.sleep(0.02)
    assert [mark.policy.rule for mark in page.mine.marks] == ["qgf"]
    page.left()
    sweeps.cache_clear()


@pytest.mark.usefixtures("own_folder")  # the snippet saves its picture
def test_the_code_draws_the_same(opened: BudgetPage) -> None:
    space: dict = {}
    exec(compile(opened.code(), "snippet", "exec"), space)  # noqa: S102 -- the page's own snippet
    assert [curve.name for curve in space["measured"]] == [curve.name for curve in opened._shown()]


@pytest.mark.browser
def test_a_person_finds_runs_marks_settings_and_matches_shift(
    page: Tab, browser: Browser, server: str, folder: Path, store_folder: Path, tmp_path: Path
) -> None:
    page.goto(f"{server}/budget?task=bandit2d&rule=qgf&weight=1")
    expect(page.get_by_text("Shipped example: measured with workbench")).to_be_visible(timeout=90_000)
    shutil.copytree(folder, store_folder, dirs_exist_ok=True)  # somebody sweeps into the same store meanwhile
    expect(page.get_by_role("heading", name="Return against shift, bandit2d")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Shipped example")).to_have_count(0)
    page.locator(".wb-here button").click()
    expect(page.get_by_role("heading", name="You are here")).to_be_visible(timeout=30_000)
    page.locator(".wb-match button").click()
    expect(page.get_by_role("heading", name="At shift")).to_be_visible(timeout=10_000)
    expect(page).to_have_url(re.compile("shift="))
    link = page.get_by_role("link", name="grad_step")
    assert "rule=grad_step" in (link.get_attribute("href") or "")
    saved = save_all(page, tmp_path, (*DRAWN, "CSV, one line a strength"))
    assert saved["PNG picture"].read_bytes().startswith(b"\x89PNG")
    assert "<svg" in saved["SVG picture"].read_text()
    assert saved["CSV, one line a strength"].read_bytes() == as_csv(curves(Store(folder)))
    see_offline(browser, saved["HTML that works offline"])
    page.locator(".wb-rules input").first.uncheck()
    expect(page).to_have_url(re.compile("curves="))
    assert page.evaluate("document.documentElement.scrollHeight") <= 900
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(400)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
