"""The page of training: curves, moments, and what a person does with it in a browser."""

import base64
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab
from ui.saving import DRAWN, save_all, see_offline

from workbench.engine.data.npz import save_dataset
from workbench.engine.data.own_datasets import add_dataset
from workbench.engine.tasks.registry import make_task
from workbench.engine.training.config import make_config
from workbench.engine.training.losses import CRITICS
from workbench.engine.words import UserError
from workbench.runs.launched import Training, Trainings
from workbench.runs.owner import digest
from workbench.runs.training import TrainingRun
from workbench.ui.pages.training import page as training_page
from workbench.ui.pages.training.form import SIZES, Form
from workbench.ui.pages.training.page import TrainingPage, _step_of
from workbench.ui.shell.page import read_arguments, write_arguments
from workbench.views.rows import training_rows
from workbench.views.training import LINES, Look, curves, see


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """A small run with five snapshots."""
    folder = tmp_path_factory.mktemp("training")
    settings = {"hidden": [16, 16], "steps": 400}
    run = TrainingRun.open("bandit2d", folder / "run", settings)
    for _ in run.progress(snapshots=4):
        pass
    return Training("20260101-120000-abcdef", folder, "bandit2d", settings, "", False, 0.0)


def test_curves_are_the_log_thinned(finished: Training) -> None:
    found = curves(finished.progress())
    assert set(found) == {"flow", "critic", "value"}
    assert found["flow"][0].tolist() == [100, 200, 300, 400]
    long = [{"step": step, "losses": {"flow": 1.0}} for step in range(5000)]
    assert len(curves(long)["flow"][0]) <= LINES * 1.1


def test_each_moment_is_seen(finished: Training) -> None:
    seen = see(Look(finished, -1, frozenset()))
    assert (seen.step, seen.steps) == (400, [0, 100, 200, 300, 400])
    assert [one.step for one in seen.moments] == seen.steps
    assert all(np.isfinite([one.behaviour, one.guided, one.value]).all() for one in seen.moments)
    early = see(Look(finished, 90, frozenset(seen.steps)))
    assert (early.step, early.moments) == (100, [])
    assert not np.allclose(early.terrain.values, seen.terrain.values)  # the critic has learned


def test_the_form_offers_settings_that_train() -> None:
    form = Form(lambda order: None)
    for task in form.task.options.values():
        for critic in CRITICS:
            form.task.value, form.critic.value = task, critic
            make_config(**form.order()["settings"])
    assert form.size.value in SIZES


@pytest.mark.parametrize("text", ["-5", "0", "99999999", "", "many", "1.5", "1e4", "nan", "9" * 5000])
def test_a_number_that_is_not_taken_is_refused_and_stays_as_it_was_written(text: str) -> None:
    orders: list[dict] = []
    form = Form(orders.append)
    form.steps.text = text
    assert form.steps.text == text
    assert re.match("A whole number from 1 to 200,000, |At most 2,000 characters", form.steps.wrong)
    with pytest.raises(ValueError, match=r"^Updates: (a whole number from 1 to 200,000|at most 2,000 characters)"):
        form.order()
    form.button.param.trigger("clicks")
    assert orders == []
    form.steps.text = " 60,000 "
    assert form.steps.wrong == ""
    form.button.param.trigger("clicks")
    assert [order["settings"]["steps"] for order in orders] == [60_000]


def test_a_link_keeps_what_the_form_says() -> None:
    page = TrainingPage({})
    assert page.state() == {"task": "three_exits"}
    page.form.task.value, page.form.critic.value, page.form.size.value = "bandit2d", "td_vgf", "32 × 2"
    page.form.steps.text, page.form.seed.text, page.form.rules.value = "-7", "3", page.form.rules.values[:2]
    state = page.state()
    assert (state["fit_updates"], state["fit_seed"], state["fit_network"]) == ("-7", "3", "32 × 2")
    again = TrainingPage(read_arguments(write_arguments(state)))
    assert again.state() == state
    assert "got -7" in again.form.steps.wrong
    again.restore({"task": "run:nothing", "fit_critic": "<b>", "fit_network": "9", "fit_parts": "x"})
    assert again.state() == {"task": "bandit2d"}
    for one in (page, again):
        one.left()


def test_what_stands_still_has_no_time_left() -> None:
    report = {"step": 20, "total": 60, "steps_per_second": 7.0, "eta_seconds": 6.0, "losses": {"flow": 0.5}}
    assert [name for name, _, _ in training_rows("Running", True, report)] == [
        "State", "Update", "Speed", "Time left", "flow",
    ]  # fmt: skip
    assert [name for name, _, _ in training_rows("Paused", False, report)] == ["State", "Update", "flow"]


def sent(form: Form, name: str, content: bytes) -> None:
    """A file goes to the form, as the browser sends it."""
    form.own.drop._handle_msg({"begin": 1})
    form.own.drop._handle_msg({"name": name, "data": base64.b64encode(content).decode(), "last": True})


def checked(form: Form) -> None:
    """Wait for the trial of the file."""
    deadline = time.monotonic() + 120
    while form.own._errand is not None:
        assert time.monotonic() < deadline, "waited too long"
        form.own.look()
        time.sleep(0.05)


def test_a_file_that_is_too_large_is_refused() -> None:
    form = Form(lambda order: None)
    sent(form, "large.npz", b"x" * (16 * 2**20))
    assert "more than 15 MiB, the most that this page takes" in form.own.drop.words
    assert form.own.drop.wrong
    assert "data" not in form.order()


def test_a_file_is_tried_on_the_task_before_anything_starts(tmp_path: Path) -> None:
    save_dataset(tmp_path / "mine.npz", make_task("bandit2d").generate(300, 0))
    content, form = (tmp_path / "mine.npz").read_bytes(), Form(lambda order: None)
    form.task.value = "three_exits"
    sent(form, "mine.npz", content)
    with pytest.raises(ValueError, match="is still being checked"):
        form.order()
    checked(form)
    with pytest.raises(
        ValueError, match=r"is not taken: mine.npz: 'observations' has 1 column, task 'three_exits' needs 4"
    ):
        form.order()
    form.task.value = "bandit2d"  # it is tried again
    checked(form)
    order = form.order()
    assert (order["data"], order["data_name"]) == (content, "bandit2d.npz")
    folder = form.own._upload.folder
    form.own.close()
    assert not folder.exists()
    assert "data" not in form.order()


def test_own_datasets_are_offered_to_who_may_use_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_DATASETS", str(tmp_path / "datasets"))
    save_dataset(tmp_path / "mine.npz", make_task("bandit2d").generate(300, 0))
    add_dataset(tmp_path / "mine.npz", "mine", owner=digest("ann"))
    form = Form(lambda order: None)
    form.offer(["mine"], "mine")
    assert (form.task.value, form.dataset) == ("data/mine", "mine")
    assert "data" not in form.order()  # the task brings its own
    form.offer([])
    assert (form.task.value, form.dataset) == ("three_exits", "")
    monkeypatch.setattr(training_page, "one_user", lambda: False)
    none = Trainings(tmp_path / "trainings", most=0)
    monkeypatch.setattr(training_page, "trainings", lambda: none)
    page = TrainingPage({"dataset": "mine"})
    for who, words in (("ben", "no dataset 'mine' of yours"), ("ann", "0 of at most 0 trainings")):
        page.owner.secret = who
        with pytest.raises(UserError, match=words):
            page._begin({"task": "data/mine", "settings": {}})
    page.left()


@pytest.mark.usefixtures("own_folder")  # the snippet saves its picture
def test_the_code_reads_the_run(finished: Training, capsys: pytest.CaptureFixture[str]) -> None:
    page = TrainingPage({"step": "200"})
    page.training = finished
    exec(compile(page.code(), "snippet", "exec"), {})  # noqa: S102 -- the page's own snippet
    assert "'return'" in capsys.readouterr().out
    page.training = None
    with pytest.raises(ValueError, match="Choose or start a training first"):
        page.code()
    page.left()


@pytest.mark.parametrize(("word", "step"), [("120", 120), ("", -1), ("-3", -1), ("1e9", -1), ("9" * 30, -1)])
def test_steps_in_links(word: str, step: int) -> None:
    assert _step_of({"step": word}) == step


# --- in a browser -----------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_a_person_trains_reloads_pauses_and_goes_on(page: Tab, browser: Browser, server: str, tmp_path: Path) -> None:
    page.goto(f"{server}/training")
    expect(page.get_by_text("No training yet")).to_be_visible(timeout=30_000)
    page.locator(".wb-task select").select_option("Bandit in the plane")
    steps = page.get_by_label("Updates")
    expect(steps).to_have_value("2000")  # the task's own settings have come
    steps.fill("60000")
    steps.press("Enter")
    page.locator(".wb-start button").click()
    state = page.locator("div:has(> dt [data-tip='what the process is doing']) > dd")
    expect(state).to_have_text("Running", timeout=30_000)
    update = page.locator("div:has(> dt [data-tip='updates done, and in all']) > dd")
    expect(update).to_have_text(re.compile(r"[\d,]+ of 60,000"), timeout=60_000)
    link = page.url
    assert "training=" in link
    page.reload()
    expect(state).to_have_text("Running", timeout=30_000)
    page.locator(".wb-pause button").click()
    expect(state).to_have_text("Paused", timeout=30_000)
    before = int(update.inner_text().split(" ")[0].replace(",", ""))
    assert before > 0
    lines = ("CSV, losses and values", "Log, one JSON line a report")
    saved = save_all(page, tmp_path, (*DRAWN, *lines))
    assert saved["PNG picture"].read_bytes().startswith(b"\x89PNG")
    assert "<svg" in saved["SVG picture"].read_text()
    table, log = (saved[line].read_text().splitlines() for line in lines)
    assert table[0] == "update,name,value"
    steps = [json.loads(line)["step"] for line in log if "losses" in line]
    assert steps
    assert {int(row.split(",")[0]) for row in table[1:] if "loss_" in row} == set(steps)
    see_offline(browser, saved["HTML that works offline"])
    # another person neither sees nor stops it
    other = page.context.browser.new_context().new_page()
    other.goto(link)
    expect(other.get_by_text("its owner does not share it")).to_be_visible(timeout=30_000)
    page.locator(".wb-share button").click()
    other.reload()
    expect(other.locator("div:has(> dt [data-tip='what the process is doing']) > dd")).to_have_text(
        "Paused", timeout=30_000
    )
    other.locator(".wb-delete button").click()
    expect(other.get_by_text("only its owner can change it")).to_be_visible(timeout=10_000)
    other.context.close()
    page.locator(".wb-pause button").click()
    expect(state).to_have_text("Running", timeout=30_000)
    for _ in range(120):
        if int(update.inner_text().split(" ")[0].replace(",", "")) > before:
            break
        page.wait_for_timeout(500)
    assert int(update.inner_text().split(" ")[0].replace(",", "")) > before
    assert page.evaluate("document.documentElement.scrollHeight") <= 900
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(400)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".wb-delete button").click()
    expect(page.get_by_text("No training yet")).to_be_visible(timeout=40_000)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(state).to_have_text("Paused", timeout=30_000)
