"""The page of budgets as a story: never empty, a dial on the measured curve, small pictures, a decision; its old faults."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.models import BoxSelectTool, Line, Row
from experiments.made_up import made_up_store
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect
from ui.until import until_read

from workbench.experiments.grid import Grid
from workbench.experiments.launch import SweepState
from workbench.experiments.own_store import STORE_VARIABLE
from workbench.plots.palette import look
from workbench.ui.pages.budget.draw import pictures_of
from workbench.ui.pages.budget.page import BudgetPage
from workbench.ui.pages.budget.small_sweep import SmallSweep
from workbench.ui.server.lab import sweeps
from workbench.ui.server.parts_cache import CACHE
from workbench.views.dial import BETWEEN, Scale, critic_words
from workbench.views.measured import ride_of

WEIGHTS = (0.1, 1.0, 10.0)
MEANS = {0.1: 0.5, 1.0: 0.8, 10.0: 0.2}


def measure(settings: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    weight = settings["weight"]
    returns = MEANS[weight] + np.array([-0.1, 0.1]) + 0.01 * seed
    return returns, returns, 0.02 * weight, 1.0


def longer(settings: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    first, second, w2, q = measure(settings, seed)
    return np.append(first, first.mean()), np.append(second, second.mean()), w2, q


def grid(task: str, episodes: int = 2) -> Grid:
    return Grid(tasks=(task,), rules=("qgf",), axes={"weight": WEIGHTS}, seeds=(0, 1), episodes=episodes)


def page_of(folder: Path, monkeypatch: pytest.MonkeyPatch, link: dict[str, str]) -> BudgetPage:
    monkeypatch.setenv(STORE_VARIABLE, str(folder))
    sweeps.cache_clear()
    made = BudgetPage(link, CACHE)
    until_read(made._reading)
    return made


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BudgetPage]:
    made = page_of(tmp_path / "none", monkeypatch, {})
    yield made
    made.left()
    sweeps.cache_clear()


@pytest.fixture
def two_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BudgetPage]:
    made_up_store(tmp_path / "store", grid("three_exits"), measure)
    made_up_store(tmp_path / "store", grid("bandit2d"), measure)
    made = page_of(tmp_path / "store", monkeypatch, {"task": "bandit2d", "rule": "qgf", "weight": "1"})
    yield made
    made.left()
    sweeps.cache_clear()


@pytest.mark.usefixtures("own_folder")  # the snippet saves its picture
def test_without_a_store_the_page_shows_the_shipped_one_and_says_so(shipped: BudgetPage) -> None:
    assert shipped.task.value == "three_exits"
    assert shipped._pictures is not None
    assert "Shipped example: measured with workbench " in shipped._head.object
    assert "python -m benchmarks shipped_store" in shipped._head.object
    assert "./runs?run=" not in shipped.equal.table.object  # its runs are in no store here
    space: dict = {}
    exec(compile(shipped.code(), "snippet", "exec"), space)  # noqa: S102 -- the page's own snippet
    assert {curve.name for curve in space["measured"]} >= set(shipped.rules.value)


def test_the_dial_rides_on_the_curve_and_its_place_is_in_the_link(shipped: BudgetPage) -> None:
    ride = ride_of("three_exits", "qgf")
    assert ride is not None
    assert shipped.dial.ride == ride
    assert shipped.dial.position == BETWEEN * ride.best  # it begins at the star
    shipped.dial.go(3.0)
    place = ride.strength.index(3.0)
    assert shipped.dial.dot.data["value"][0] == pytest.approx(ride.returns[place].mean)
    assert shipped.dial.dot.data["promised"][0] - shipped.dial.dot.data["earned"][0] == pytest.approx(
        ride.gap[place].mean, abs=2e-3
    )
    link = {name: str(value) for name, value in shipped.state().items()}
    assert (link["dial"], link["dial_at"], link["measured"]) == ("qgf", "3", "three_exits")
    shipped.dial.go(0.3)
    shipped.restore(link)
    assert shipped.dial.strength == 3.0


def test_a_point_that_is_clicked_takes_the_dial_with_it(shipped: BudgetPage) -> None:
    curve = next(curve for curve in shipped._shown() if curve.rule == "grad_step")
    shipped.equal.tapped.data = {"key": [curve.points[3].keys[0]]}
    assert shipped.dial.ride is not None
    assert shipped.dial.ride.rule == "grad_step"
    assert shipped.dial.strength == curve.points[3].value


def test_the_star_is_on_its_own_curve_with_its_interval(shipped: BudgetPage) -> None:
    curve = next(curve for curve in shipped._shown() if curve.rule == "qgf")
    stars = [
        renderer.data_source.data
        for renderer in shipped._pictures.frontier.renderers
        if getattr(renderer.glyph, "marker", None) == "star"
        and renderer.data_source.data["label"][0].startswith("qgf,")
    ]
    (star,) = stars
    point = next(point for point in curve.points if point.value == curve.choice.strength)
    assert (star["value"][0], star["low"][0], star["high"][0]) == (
        point.returns.mean, point.returns.low, point.returns.high
    )  # fmt: skip
    assert star["at"][0] == pytest.approx(float(shipped._pictures.scale.to(point.per_seed["shift.w2"].mean())))


def test_dragging_selects_in_both_pictures(shipped: BudgetPage) -> None:
    for chart in (shipped._pictures.frontier, shipped._pictures.promise):
        assert isinstance(chart.toolbar.active_drag, BoxSelectTool)


def test_the_axis_is_logarithmic_where_shifts_span_decades(shipped: BudgetPage, two_tasks: BudgetPage) -> None:
    assert "logarithmic" in shipped._pictures.frontier.xaxis[0].axis_label
    assert shipped._pictures.frontier.xaxis[0].major_label_overrides


def test_what_is_marked_is_of_the_task_that_is_shown(two_tasks: BudgetPage) -> None:
    two_tasks.task.value = "three_exits"  # the link says bandit2d
    two_tasks.mine.mark()
    (first,) = two_tasks.mine.marks
    assert first.task == "three_exits"
    assert "on three_exits" in two_tasks.equal.table.object
    two_tasks.task.value = "bandit2d"
    assert two_tasks.mine.marks == []
    assert list(two_tasks._pictures.here.data["shift"]) == []


def test_settings_that_were_measured_are_marked_on_their_curve(two_tasks: BudgetPage) -> None:
    two_tasks.mine.mark()
    (mark,) = two_tasks.mine.marks
    assert mark.curve == "qgf"
    assert (mark.shift, mark.value) == (pytest.approx(0.02), pytest.approx(0.805))


def test_links_of_the_table_are_of_the_task_that_is_shown(two_tasks: BudgetPage) -> None:
    curve = two_tasks._shown()[0]
    two_tasks.task.value = "three_exits"
    assert "task=three_exits" in two_tasks.equal._particles_link(curve, 1.0)


def test_curves_measured_apart_have_names_colours_and_ticks_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up_store(tmp_path / "store", grid("three_exits"), measure)
    made_up_store(tmp_path / "store", grid("three_exits", episodes=3), longer)
    page = page_of(tmp_path / "store", monkeypatch, {})
    first, second = page.rules.options
    assert first != second
    drawn = [renderer for renderer in page._pictures.frontier.renderers if isinstance(renderer.glyph, Line)]
    colours = {renderer.tags[0]["light"] for renderer in drawn}
    assert len(colours) == 2
    page.rules.value = [first]
    assert len(page._pictures.sources) == 1
    assert {item.label.value for item in page._pictures.frontier.legend[0].items} == {first, "your settings"}
    page.left()
    sweeps.cache_clear()


def test_a_small_sweep_says_how_long_it_still_takes() -> None:
    card = SmallSweep(lambda: None, lambda: None)
    card.follow(SweepState(True, 3, 12, "c", "", 100.0), False, "")
    assert "3 of 12 runs are done, about 100 s left" in card.progress.object
    card.follow(SweepState(True, 0, 12, "c", "", None), False, "")
    assert "training first" in card.progress.object


def test_the_decision_card_answers_or_says_that_nothing_fits(shipped: BudgetPage) -> None:
    card = shipped.decision
    card.limit.value, card.value.text = "most_shift", "0.05"
    assert card.answer is not None
    assert card.answer.shift <= 0.06
    for words in (
        card.answer.command(),
        "Training seeds 0, 1, 2, 3, 4",
        "reported on others: 1500000000 to 1500000004",
    ):
        assert words in card.words.object
    shipped._take(card.answer)
    assert shipped.dial.ride.rule == card.answer.rule
    assert shipped.dial.strength == card.answer.strength
    card.limit.value, card.value.text = "least_return", "5"
    assert card.answer is None
    assert "Nothing satisfies this: no measured strength returns 5: the most is" in card.words.object
    for text in ("", "much", "nan"):
        card.value.text = text
        assert card.answer is None
    card.value.text = "much"
    assert "write a number such as 0.2, got much" in card.words.object


@pytest.mark.browser
def test_a_visitor_turns_the_dial_filters_and_decides(page: Tab, server: str) -> None:
    page.goto(f"{server}/budget")
    expect(page.get_by_text("Shipped example: measured with workbench")).to_be_visible(timeout=90_000)
    expect(
        page.get_by_text(re.compile(r"w = .* earns 0\.\d\d at shift 0\.\d\d; w = 30 loses \d\d% of it"))
    ).to_be_visible()
    handle = page.locator(".wb-dial-slider .noUi-handle")
    title = page.locator(".wb-dial-slider .bk-slider-value")
    handle.focus()
    page.keyboard.press("End")
    expect(title).to_contain_text("w = 30: return")
    expect(page).to_have_url(re.compile("dial_at=30"))
    expect(page.get_by_role("heading", name="QGF, w = 30")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^Particles: "))).to_be_visible(timeout=120_000)
    link = page.get_by_role("link", name="Open in Particles").get_attribute("href") or ""
    assert "rule=qgf" in link
    assert "weight=30" in link
    # the dots move with the hand, without the server
    moved = page.evaluate(MOVE)
    assert moved["places"] >= 15, moved
    # dragging filters, as the page says, and moves no axis
    figure = page.locator(".wb-frontier .bk-Figure")
    figure.scroll_into_view_if_needed()
    box = figure.bounding_box()
    assert box is not None
    before = page.evaluate(RANGE)
    page.mouse.move(box["x"] + 0.15 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.9 * box["height"], steps=6)
    page.mouse.up()
    expect(page.get_by_role("heading", name=re.compile(r"\d+ of the points"))).to_be_visible()
    assert page.evaluate(RANGE) == before
    # the decision
    page.locator(".wb-limit-value input").fill("0.001")
    page.locator(".wb-limit-value input").press("Enter")
    expect(page.locator(".answer", has_text="Behaviour flow")).to_be_visible()  # it alone stays so near
    page.locator(".wb-limit-value input").fill("0.5")
    page.locator(".wb-limit-value input").press("Enter")
    expect(page.locator("code", has_text="workbench evaluate RUN --rule")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight") <= 900
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(400)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


RANGE = """() => {
  const views = [...Bokeh.index]
  const found = []
  const walk = (view) => {
    if (view.model?.type === "Figure" && view.el?.isConnected) found.push(view.model)
    for (const child of view.child_views ?? []) walk(child)
    for (const child of view.element_views ?? []) walk(child)
  }
  views.forEach(walk)
  return found.map((one) => [one.x_range.start, one.x_range.end, one.y_range.start, one.y_range.end])
}"""
MOVE = """async () => {
  const sliders = []
  const walk = (view) => {
    if (view.model?.css_classes?.includes("wb-dial-slider")) sliders.push(view.model)
    for (const child of view.child_views ?? []) walk(child)
    for (const child of view.element_views ?? []) walk(child)
  }
  ;[...Bokeh.index].forEach(walk)
  const slider = sliders[0], dots = slider.document ? [...slider.document._all_models.values()] : []
  const dot = dots.find((one) => one.type === "ColumnDataSource" && one.data.wrong?.length === 1)
  const places = new Set()
  for (let i = 0; i < 30; i++) {
    slider.value = i
    await new Promise((done) => setTimeout(done, 30)) // Bokeh runs a callback's script in a later task
    places.add(dot.data.at[0])
  }
  return {places: places.size, sliders: sliders.length}
}"""


def test_the_page_says_why_the_critic_is_wrong_and_whom_it_fooled(shipped: BudgetPage) -> None:
    shipped.dial.rule.value = "qgf"
    ride = ride_of("three_exits", "qgf")
    assert ride is not None
    assert critic_words(ride) in shipped._promise_head.object
    assert "Past its best strength the critic fools qgf (" in shipped._head.object


def test_words_past_the_peak_are_not_cut_off_where_the_peak_is_near_the_end(shipped: BudgetPage) -> None:
    shipped.dial.rule.value = "grad_step"
    on, curve = shipped.dial.ride, next(curve for curve in shipped._shown() if curve.rule == "grad_step")
    assert on is not None
    for best, align in ((on.best, "left"), (len(on.strength) - 1, "right")):
        drawn = pictures_of(
            [curve],
            [look("grad_step")],
            replace(on, best=best),
            Scale(0.0, 1.0),
            shipped.equal.tapped,
            shipped.dial.dot,
        )
        words = [r for r in drawn.frontier.renderers if list(r.data_source.data.get("text", [])) == ["past the peak"]]
        assert [word.glyph.text_align for word in words] == [align]


def test_whatever_is_pressed_is_sent_in_one_go(two_tasks: BudgetPage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bokeh refuses a change that comes outside its lock, where Panel runs what buttons do; a page's `held` waits for it."""
    page, document, outside = two_tasks, Document(), []
    document.add_root(Row(page._pictures.frontier, page._pictures.promise))
    for model in (page.decision._text, page.dial.dot):
        document.add_root(model)
    page.document = document
    sending = [0]
    send = page._send

    def sent() -> None:
        sending[0] += 1
        send()
        sending[0] -= 1

    def changed(event: Any) -> None:
        if not sending[0]:
            outside.append(event)

    monkeypatch.setattr(page, "_send", sent)
    document.on_change(changed)
    page._pictures.at.location = 0.5
    assert len(outside) == 1  # the check sees
    outside.clear()
    buttons = [*page.equal._buttons, page.here]
    for button in buttons:
        button.disabled = False
        button.clicks += 1
    page.decision.limit.value = "least_return"
    page.decision.value.text = "0.1"
    page.rules.value = page.rules.options[:1]
    page.task.value = "three_exits"
    assert [event.model for event in outside] == []
