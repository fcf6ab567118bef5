"""The page of runs: filters, form, details, deleting; and what a person does with it in a browser."""

import csv
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from experiments.made_up import made_up_store
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect
from ui.until import until_read

from workbench.engine.steering.rules import RULES
from workbench.experiments.grid import Grid
from workbench.experiments.launch import SweepState
from workbench.experiments.owners import Owners
from workbench.experiments.row import Row
from workbench.experiments.store import Store
from workbench.ui.pages.runs.details import describe
from workbench.ui.pages.runs.form import MOST_JOBS, SweepForm, axes_of, duration, words_of
from workbench.ui.pages.runs.page import RunsPage
from workbench.ui.pages.runs.table import read_sort, write_sort
from workbench.ui.server.lab import SHARED_VARIABLE, one_user, sweeps
from workbench.views.runs import STATUS, Filter, as_csv, line_of, read_filter

GRID = Grid(
    tasks=("bandit2d",), rules=("bc", "qgf"), axes={"qgf.weight": (0.1, 1.0, 3.0), "fit.steps": (60,)}, seeds=(0, 1), episodes=4
)  # fmt: skip


def measure(settings: dict, seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    value = float(settings.get("weight", 0.0))
    returns = np.full(4, 0.1 * value + seed)
    return returns, returns, value, value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven runs that are done, and the largest weight of seed 1 failed."""
    left = [job for job in GRID.jobs() if job.settings.get("weight") == 3.0 and job.seed == 1]
    store = made_up_store(tmp_path / "store", GRID, measure, leave_out=lambda job: job.key == left[0].key)
    record = {"key": left[0].key, "job": left[0].model_dump(mode="json"), "changed": left[0].changed()}
    store.fail(record, "ValueError: <b>it broke</b>", "Traceback: <script>")
    return tmp_path / "store"


@pytest.fixture
def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunsPage]:
    """A page on that store, outside a server: what it asks for is answered at once."""
    monkeypatch.setenv("WORKBENCH_STORE", str(folder))
    sweeps.cache_clear()
    page = RunsPage({})
    until_read(page._reading)
    yield page
    page.left()
    sweeps.cache_clear()


# --- rows -------------------------------------------------------------------------------------------------------


def test_filters(folder: Path) -> None:
    rows = Store(folder).rows()
    assert len(rows) == 8
    for given, count in (
        (Filter(), 8),
        (Filter(rule="qgf"), 6),
        (Filter(task="bandit1d"), 0),
        (Filter(status="failed"), 1),
        (Filter(text="weight=1 SEED=1"), 1),
        (Filter(text="broke"), 1),
        (Filter(text=rows[0].key[:6]), 1),
    ):
        assert sum(map(given, rows)) == count, given
        assert read_filter({name: str(value) for name, value in given.as_link().items()}) == given
    planned = Row("k", "planned")
    assert not Filter()(planned)
    assert Filter(status="")(planned)
    assert read_filter({"only_status": "nonsense"}) == Filter()
    assert set(STATUS.values()) == {"begun", "done", "failed", "running", "stopped", "planned", "damaged", ""}


def test_orders_in_links() -> None:
    assert read_sort("-mean") == ["mean", False]
    assert write_sort(read_sort("rule")) == "rule"
    assert read_sort("") == read_sort("<script>") == ["finished", False]


def test_csv_has_every_row(folder: Path) -> None:
    rows = Store(folder).rows()
    found = list(csv.DictReader(io.StringIO(as_csv(rows).decode())))
    assert [one["key"] for one in found] == [row.key for row in rows]
    assert {one["settings"] for one in found} >= {"weight=0.1 fit.steps=60"}
    with pytest.raises(ValueError, match="no run to write"):
        as_csv([])


# --- the form ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_can_be_swept_along_its_own_strength(rule: str) -> None:
    form = SweepForm(lambda: None, lambda: None)
    form.rules.value, form.values.text, form.seeds.text = [rule], "1,2", "0..2"
    count = 1 if RULES[rule].bc_at == {} else 2
    assert len(form.grid().jobs()) == 3 * count


def test_the_form_says_what_is_wrong() -> None:
    form = SweepForm(lambda: None, lambda: None)
    form.rules.value = ["qgf"]
    for name, wrong, words in (
        ("values", "a,b", "weight"),
        ("values", "", "give values of the strength"),
        ("values", "wait=1", "no setting 'wait'; did you mean 'weight'"),
        ("values", "weight=1 weight=2", "this field gives weight twice"),
        ("seeds", "x", "takes whole numbers from 0"),
        ("seeds", "0..400", f"has 1,203 jobs, this page starts {MOST_JOBS} at most"),
        ("seeds", "", "this field takes whole numbers"),
        ("steps", "many", "Updates: a whole number from 1 to 200,000, got many"),
        ("steps", "200001", "got 200001; for more: workbench sweep"),
        ("episodes", "-5", "Episodes: a whole number from 1 to 2,000, got -5"),
        ("episodes", "", "Episodes: a whole number from 1 to 2,000, nothing is written here"),
    ):
        field = getattr(form, name)
        before, field.text = field.text, wrong
        with pytest.raises(ValueError, match=re.escape(words)):
            form.grid().jobs()
        if "has 1,203 jobs" in words:  # each field alone is right
            form.refuse(words)
            form.follow(None)
            assert words in str(form.progress.object)
        else:
            assert words.partition(": ")[2].lower() in field.wrong.lower()
        assert field.text == wrong  # nothing is changed to what would be right
        field.text = before
        assert field.wrong == ""
    form.rules.value = []
    with pytest.raises(ValueError, match="choose one rule or more"):
        form.grid()
    trained = [name for name, rule in RULES.items() if rule.trained_strength is not None]
    with pytest.raises(ValueError, match="sweep it alone"):
        axes_of(("qgf", trained[0]), "1,2")


def test_progress_in_words() -> None:
    assert "training first" in words_of(SweepState(True, 0, 6, "", ""))
    assert "2 of 6 runs done, about 64 s left" in words_of(SweepState(True, 2, 6, "", "", 64.2))
    assert "Start it again" in words_of(SweepState(False, 2, 6, "", ""))
    assert "&lt;b&gt;" in words_of(SweepState(False, 2, 6, "", "<b>"))
    assert duration(300) == "5 min"


# --- details ----------------------------------------------------------------------------------------------------


def test_details_of_one_and_of_several(folder: Path) -> None:
    store = Store(folder)
    rows = sorted(store.rows(), key=lambda row: (row.rule, row.label, row.seed))
    done = [row for row in rows if row.status == "done"]
    failed = next(row for row in rows if row.status == "failed")
    one = describe(store, [done[-1]])
    assert "workbench sweep --task bandit2d --rule qgf --grid qgf.weight=" in one
    assert "torch 2." in one
    broken = describe(store, [failed])
    assert "&lt;b&gt;it broke&lt;/b&gt;" in broken
    assert "<script>" not in broken
    several = describe(store, [done[0], done[2], failed])
    assert "1 without a result left out" in several
    assert "return − first, paired" in several
    assert "select two that are done" in describe(store, [done[0], failed])
    planned = Row("0" * 20, "planned", rule="qgf", task="bandit2d")
    assert "nothing has happened yet" in describe(store, [planned])


# --- the page ---------------------------------------------------------------------------------------------------


def test_a_link_selects_its_run(folder: Path, opened: RunsPage) -> None:
    key = opened.rows[3].key
    opened.restore({"run": key[:9], "only_rule": "qgf", "sort": "-mean"})
    assert opened.table.selected == [key]
    assert opened.state() == {"only_rule": "qgf", "sort": "-mean", "run": key}
    assert [line["key"] for line in opened.table.rows] == [row.key for row in opened.rows if row.rule == "qgf"]
    opened.restore({"run": "ffffffffff"})
    assert "Not in this store: run ffffffffff" in str(opened.notice.text)
    assert opened.table.selected == []


def test_on_a_shared_server_only_ones_own_runs_are_deleted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_STORE", str(folder))
    monkeypatch.setenv(SHARED_VARIABLE, "1")
    sweeps.cache_clear()
    store = Store(folder)
    mine, hers = (row.key for row in store.rows()[:2])
    Owners(store).note("mine", [mine])
    Owners(store).note("hers", [hers])
    page = RunsPage({})
    page.owner.secret = "mine"
    assert page.sharing.visible
    with pytest.raises(ValueError, match=f"did not launch {hers[:8]} .1 of 2 selected.*workbench runs rm"):
        page.rights.put_away(store, [mine, hers])
    assert store.trash() == []
    Owners(store).share("hers", True)
    assert len(page.rights.put_away(store, [mine, hers])) == 2
    Owners(store).share("hers", False)
    assert [name.endswith(mine) for name in page.rights.in_trash(store)] == [True]
    page.sharing.value = True
    assert Owners(store).shares("mine")
    monkeypatch.delenv(SHARED_VARIABLE)
    assert one_user()
    assert not RunsPage({}).sharing.visible
    page.left()
    sweeps.cache_clear()


def test_a_filter_lets_go_of_what_it_hides(opened: RunsPage) -> None:
    opened.table.selected = [row.key for row in opened.rows]
    opened.filters.rule.value = "bc"
    assert set(opened.table.selected) == {row.key for row in opened.rows if row.rule == "bc"}
    opened.filters.text.value_input = "no such words"
    assert opened.table.rows == []
    assert "No run passes these filters" in opened.table.empty


def test_nothing_is_sent_when_nothing_changed(opened: RunsPage) -> None:
    before = opened.table.rows
    opened._show_rows(opened._reading.read())
    assert opened.table.rows is before


def test_the_code_gives_the_same_list(opened: RunsPage, capsys: pytest.CaptureFixture[str]) -> None:
    opened.filters.status.value, opened.filters.text.value_input = "done", "weight=1 qgf"
    opened.table.selected = [row.key for row in opened.shown]
    assert len(opened.table.selected) == 2
    space: dict = {}
    exec(compile(opened.code(), "snippet", "exec"), space)  # noqa: S102 -- the page's own snippet
    assert [row.key for row in space["rows"]] == [row.key for row in opened.shown]
    assert opened.shown[0].key[:8] in capsys.readouterr().out
    opened.table.selected, opened.filters.text.value_input = [], 'it\'s "quoted"'
    exec(compile(opened.code(), "snippet", "exec"), space)  # noqa: S102 -- as above
    assert space["rows"] == []


def test_the_report_is_one_page(opened: RunsPage) -> None:
    report, table = opened.exports()
    page = report.make().decode()
    assert page.startswith("<!doctype html>")
    assert opened.rows[0].task in page
    assert table.make().count(b"\n") == 9


def test_lines_are_plain(folder: Path) -> None:
    for row in Store(folder).rows():
        assert all(value is None or isinstance(value, (str, int, float)) for value in line_of(row).values())


@pytest.mark.browser
def test_a_person_sweeps_finds_compares_deletes_and_undoes(
    page: Tab, server: str, folder: Path, store_folder: Path
) -> None:
    page.goto(f"{server}/runs")
    expect(page.get_by_text("Nothing selected")).to_be_visible(timeout=30_000)
    page.get_by_label("Values of the strength").fill("0.1,oops")
    page.get_by_label("Values of the strength").press("Enter")
    page.locator(".wb-sweep button").click()
    expect(page.get_by_text("weight")).not_to_have_count(0)
    expect(page.get_by_role("alert").filter(has_text="oops")).to_be_visible(timeout=10_000)
    page.locator(".wb-sweep-task select").select_option("Bandit in the plane")
    for label, text in (("Values of the strength", "0.77"), ("Seeds", "7"), ("Episodes", "5"), ("Updates", "20")):
        page.get_by_label(label).fill(text)
        page.get_by_label(label).press("Enter")
    page.locator(".wb-sweep button").click()
    expect(page.get_by_text("Sweep ended: 1 of 1 run done.")).to_be_visible(timeout=90_000)
    made = page.locator("tbody tr", has_text="weight=0.77")
    expect(made).to_have_count(1)
    shutil.copytree(folder, store_folder, dirs_exist_ok=True)  # somebody else sweeps into the same store
    lines = page.locator("tbody tr", has_text="bandit2d")
    expect(lines).not_to_have_count(1, timeout=10_000)
    page.get_by_label("Words").fill("fit.steps=60 qgf")
    expect(lines).to_have_count(6)
    page.get_by_role("button", name="Return").click()
    first = lines.first.locator("td.mean")
    expect(first).to_have_text("1.100")
    page.get_by_role("button", name="Return").click()
    expect(first).to_have_text("0.010")
    # by mouse and by keyboard
    lines.nth(0).click()
    expect(page.get_by_text("Do it again")).to_be_visible(timeout=10_000)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.get_by_text("2 runs side by side")).to_be_visible(timeout=10_000)
    expect(page).to_have_url(re.compile("run=.*%2C"))
    page.keyboard.press("Delete")
    expect(page.get_by_text("2 runs deleted.")).to_be_visible(timeout=10_000)
    expect(lines).to_have_count(4)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(lines).to_have_count(6, timeout=10_000)
    # what was deleted before a reload can be put back after it
    lines.nth(2).locator("input").click()
    key = lines.nth(2).get_attribute("data-key") or ""
    page.locator("button.delete").click()
    expect(lines).to_have_count(5, timeout=10_000)
    page.reload()
    expect(lines).to_have_count(5, timeout=30_000)
    expect(page.get_by_label("Words")).to_have_value("fit.steps=60 qgf")
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Return")
    page.get_by_role("button", name="Put back 1 deleted").click()
    expect(lines).to_have_count(6, timeout=10_000)
    # a link of another page
    page.goto(f"{server}/runs?run={key}")
    expect(page.locator("tbody tr[aria-selected=true]")).to_have_attribute("data-key", key, timeout=30_000)
    expect(page.get_by_text("Do it again")).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="Export").click()
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("menuitem", name="Report, one HTML page").click()
    assert b"Chosen strengths" in download.value.path().read_bytes()
    assert page.evaluate("document.documentElement.scrollHeight") <= 900
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(400)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
