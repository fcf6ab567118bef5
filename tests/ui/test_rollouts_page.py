"""The page of rollouts: links, arrays, and what a person does with it in a browser."""

import csv
import io
import re
import time
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

import workbench as wb
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.tasks.film import Film
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.checkpoint import save_checkpoint
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.ui.pages.rollouts import strip
from workbench.ui.pages.rollouts.draw import starts_figure, times_figure
from workbench.ui.pages.rollouts.page import RolloutsPage
from workbench.ui.server.parts_cache import CACHE
from workbench.views import policies
from workbench.views.caller import NOBODY
from workbench.views.parts import parts_for
from workbench.views.policies import ALL_TASKS
from workbench.views.rollout_links import read_link, write_link
from workbench.views.rollout_presets import tell
from workbench.views.rollouts import Order, Played, as_csv, by_start, ends_of, lines_of, play, start_range


@pytest.fixture(scope="module")
def played() -> Played:
    return play(make_rule("qgf", weight=0.3), parts_for("three_exits"), ThreeExits(), 120, 1)


@pytest.mark.parametrize("rule", RULES)
def test_a_link_reproduces_its_order(rule):
    order, problems = read_link({"task": "three_exits", "rule": rule, "episodes": "100", "seed": "7"})
    assert problems == []
    again, problems = read_link({name: str(value) for name, value in write_link(order).items()})
    assert problems == []
    assert again == order
    first, other = order.rules()
    assert type(first) is type(other) is RULES[rule]
    strength = RULES[rule].strength
    assert getattr(other, strength) > getattr(first, strength)  # a fresh page compares two budgets
    assert {k: v for k, v in first.model_dump().items() if k != strength} == {
        k: v for k, v in other.model_dump().items() if k != strength
    }


@pytest.fixture
def chunked(tmp_path, monkeypatch) -> Iterator[str]:
    """A run whose policy acts in chunks of six steps, in the store of the server."""
    monkeypatch.setenv("WORKBENCH_STORE", str(tmp_path / "store"))
    trainer = Trainer(ThreeExits().generate(500, 0), make_config(hidden=(8, 8), steps=3, batch_size=32, chunk=6))
    list(fit(trainer))
    folder = tmp_path / "store" / "trained" / "cccc3333"
    folder.mkdir(parents=True)
    save_checkpoint(trainer, folder, "three_exits")
    yield "run:cccc3333"
    policies._found.pop("run:cccc3333", None)


def test_latency_is_for_chunks(chunked):
    """A control where the policy acts in chunks; words where it does not."""
    plain = RolloutsPage({"episodes": "100", "delay": "2"}, CACHE)
    assert "delay is one of 0" in plain.hint
    assert not plain.wait.delay.visible or not plain.wait._row.visible
    assert "decides anew at every step" in plain.wait._words.object
    plain.left()
    page = RolloutsPage({"task": chunked, "episodes": "100", "delay": "2", "way": "naive"}, CACHE)
    assert list(page.wait.delay.options.values()) == [0, 1, 2, 3]
    assert (page.wait.delay.value, page.wait.way.value) == (2, "naive")
    assert page.order.latency() == wb.Latency(delay=2, way="naive")
    assert "knows nothing of it" in page.wait._words.object
    page.wait.way.value = "pause"
    assert page.order.way == "pause"
    assert page.state()["way"] == "pause"
    assert "latency=wb.Latency(delay=2, way='pause')" in page.code()
    page.task.value = "three_exits"
    assert page.order.delay == 0
    page.left()


def test_latency_changes_what_is_played(chunked):
    both = [read_link({"task": chunked, "episodes": "100", "delay": delay})[0] for delay in ("0", "3")]
    assert write_link(both[1])["delay"] == 3
    assert read_link({name: str(value) for name, value in write_link(both[1]).items()})[0] == both[1]
    found = [
        play(order.rules()[0], parts_for(chunked), ThreeExits(), 20, 1, order.latency()).measured for order in both
    ]
    assert [one.latency.delay for one in found] == [0, 3]
    assert not np.array_equal(found[0].record.returns, found[1].record.returns) or not np.array_equal(
        found[0].record.lengths, found[1].record.lengths
    )


def test_a_broken_link_says_what_it_could_not_read():
    order, problems = read_link({"rule": "qfg", "episodes": "5", "seed": "x", "other": "high", "task": "<b>"})
    assert (order.task, order.rule, order.episodes, order.seed) == ("three_exits", "qgf", 300, 0)
    assert len(problems) == 5


@pytest.mark.parametrize("rule", ["qgf", "vgf"])
def test_stories_are_two_budgets(rule):
    parts, task = parts_for("three_exits"), ThreeExits()
    strength = RULES[rule].strength
    small, good, far = (
        tell((name, Order("three_exits", rule, seed=2)), parts, task, NOBODY)
        for name in ("cautious", "balanced", "too_far")
    )
    assert small.other <= good.other < far.other
    for order in (small, good, far):
        first, other = order.rules()
        assert getattr(first, strength) != getattr(other, strength)
        again, problems = read_link({name: str(value) for name, value in write_link(order).items()})
        assert problems == []
        assert again.rules() == order.rules()


def test_every_path_and_every_end_is_drawn(played):
    total, ends = 0, ends_of(played)
    for kind in range(len(played.names)):
        x, _ = lines_of(played, kind)
        gaps = np.isnan(x)
        assert gaps.sum() == (played.kinds == kind).sum()
        assert not (gaps[:-1] & gaps[1:]).any()
        total += (~gaps).sum()
    assert total == (played.record.lengths + 1).sum()
    assert np.isfinite(ends).all()
    good = played.kinds == 0
    assert (np.linalg.norm(ends[good] - np.array([0.0, 0.85]), axis=1) < 0.14 + 0.07).all()  # exit radius + one step


def test_shares_by_start_average_to_the_whole(played):
    found = by_start(played, *start_range(played))
    assert found.counts.sum() == 120
    np.testing.assert_allclose(np.nansum(found.shares, 0)[found.counts > 0], 1.0)
    mean = np.nansum(found.shares[0] * found.counts) / 120
    assert mean == pytest.approx(played.measured.success.mean)


def test_csv_has_every_episode(played):
    rows = list(csv.DictReader(io.StringIO(as_csv((played, played)).decode())))
    assert len(rows) == 240
    assert {row["policy"] for row in rows} == {"A", "B"}
    assert np.mean([float(row["return"]) for row in rows]) == pytest.approx(played.measured.returns.mean)


def test_the_code_plays_the_same_episodes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # the snippet saves its picture
    arguments = write_link(Order("three_exits", "qgf", {"weight": 0.3}, 3.0, 100, 5))
    page = RolloutsPage({name: str(value) for name, value in arguments.items()}, CACHE)
    both = page._play(page.order)
    space: dict = {}
    exec(compile(page.code(), "snippet", "exec"), space)  # noqa: S102 -- the page's own snippet
    for played, one in zip(space["played"], both, strict=True):
        np.testing.assert_array_equal(played.paths, one.paths)
    assert (tmp_path / "rollouts.png").stat().st_size > 10_000
    assert both[0].record.returns.mean() != both[1].record.returns.mean()
    page.left()


def test_frames_are_of_the_present_order(played, monkeypatch):
    page = RolloutsPage({"episodes": "100"}, CACHE)
    assert not page.strip.visible  # the room is drawn whole
    page.strip.follow(SimpleNamespace(pictured=lambda seed: None))
    assert page.strip.visible
    shot = Film(np.full((3, 400, 400, 3), 90, dtype=np.uint8), np.array([0, 5, 9]), played.record)
    monkeypatch.setattr(strip, "film", lambda *_, **__: shot)
    page.strip._press(1)
    until = time.monotonic() + 30
    while "<img" not in page.strip._words.object and time.monotonic() < until:
        time.sleep(0.02)
    html = page.strip._words.object
    assert html.count("<img") == 3
    assert "B, QGF, weight 30: one episode" in html
    assert 'alt="Step 9"' in html
    page.strip.follow(page.cache.task("three_exits"))
    assert page.strip._words.object == ""
    page.left()


def test_the_two_policies_are_told_apart_in_every_legend():
    """Without colour: the line of A is solid and its marks are full, B's is dotted and its marks are rings."""
    for figure in (starts_figure(("main exit", "into lava", "out of time")).figure, times_figure().figure):
        looks: dict[str, tuple] = {}
        for item in figure.legend[0].items:
            line, mark = (renderer.glyph for renderer in item.renderers)
            looks.setdefault(item.label.value[-1], (str(line.line_dash), mark.fill_alpha))
        assert looks["A"][0] != looks["B"][0]
        assert (looks["A"][1], looks["B"][1]) == (1.0, 0.0)
        assert figure.legend[0].glyph_width > 30  # room for the dots beside the mark


# --- in a browser -----------------------------------------------------------------------------------------------


def number(tab: Tab, card: int, name: str) -> str:
    return tab.locator(".wb-paths dl").nth(card).locator("div", has_text=name).locator("dd").inner_text()


def played_out(tab: Tab) -> None:
    """Wait until the numbers are there."""
    expect(tab.locator(".wb-paths dd").first).not_to_contain_text("…", timeout=400_000)


@pytest.mark.browser
def test_loading_moves_nothing(page: Tab, server: str) -> None:
    page.goto(f"{server}/rollouts?episodes=100")
    pictures = page.locator(".wb-paths canvas")
    pictures.nth(1).wait_for()
    expect(page.locator(".notice.loading")).to_be_visible()
    page.wait_for_timeout(500)
    before = [picture.bounding_box() for picture in pictures.all()]
    played_out(page)
    page.wait_for_timeout(500)
    assert [picture.bounding_box() for picture in pictures.all()] == before


@pytest.mark.browser
def test_a_person_compares_two_budgets(page: Tab, server: str) -> None:
    page.goto(f"{server}/rollouts?episodes=100")
    played_out(page)
    assert re.fullmatch(r"\d+%", number(page, 1, "Success"))
    assert page.locator(".wb-paths canvas").count() >= 2
    handle = page.locator(".noUi-handle").first  # policy B's strength
    handle.focus()
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile(r"other=2\.0"), timeout=30_000)  # from 30 by twelve stops, ten a decade
    link = page.url
    other = page.context.browser.new_context().new_page()
    other.goto(link)
    played_out(other)
    there = number(other, 1, "Success")
    dd = page.locator(".wb-paths dl").nth(1).locator("div", has_text="Success").locator("dd")
    expect(dd).to_have_text(there, timeout=60_000)  # as soon as the last slider step has been played
    other.context.close()


@pytest.mark.browser
def test_it_fits_the_desktop_and_the_phone(page: Tab, server: str) -> None:
    page.goto(f"{server}/rollouts?episodes=100")
    played_out(page)
    assert page.evaluate("document.documentElement.scrollHeight") <= 900
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_link_of_a_task_without_movement_shows_one_that_moves() -> None:
    """Links travel between pages, and the first one of Particles is of a bandit."""
    for name, task in ALL_TASKS.items():
        order, problems = read_link({"task": name, "rule": "qgf", "weight": "1"})
        moves = task.info.observation_dim > 1
        assert (order.task == name, problems == []) == (moves, moves)
        assert moves or "nothing moves; Three exits is shown" in problems[0]
        assert order.settings == {"weight": 1.0}


def test_episodes_of_one_number_can_be_drawn() -> None:
    """A run of a bandit can be chosen among the store's."""
    parts, task = make_task("bandit2d").parts(), make_task("bandit2d")
    played = play(make_rule("bc"), parts, task, 6, 0)
    assert ends_of(played).shape == (6, 2)
    x, y = lines_of(played, int(played.kinds[0]))
    assert set(y[np.isfinite(y)]) == {0.0}
    assert len(x) == len(y)
