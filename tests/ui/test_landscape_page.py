"""The page of landscapes: links, code, exports, and what a person does with it in a browser."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab
from ui.saving import save_all, see_offline

from workbench.ui.canvas.frames import unpack
from workbench.ui.canvas.landscape_figures import contour_lines
from workbench.ui.canvas.surface import POINTS, surface_of
from workbench.ui.pages.landscape.page import LandscapePage
from workbench.ui.server.parts_cache import CACHE
from workbench.views.terrain import View
from workbench.views.terrain_links import LOOKS, QUANTITIES, quantity_of, read_view


@pytest.fixture
def made() -> LandscapePage:
    page = LandscapePage({"task": "bandit2d", "rule": "qgf", "weight": "1.0", "shown": "64"}, CACHE)
    page.terrain = page._find(View(page.question, page.shown.plane))
    page._draw(page.terrain)
    yield page
    page.left()


def test_a_link_reproduces_its_view(made: LandscapePage) -> None:
    for look in LOOKS.values():
        for quantity in QUANTITIES.values():
            arguments = {name: str(value) for name, value in made.state().items()} | {
                "look": look,
                "quantity": quantity,
            }
            question, shown, problems = read_view(arguments)
            assert problems == []
            assert (question.first.rule, question.first.settings["weight"], shown.look, shown.quantity) == (
                "qgf",
                1.0,
                look,
                quantity,
            )


def test_a_broken_link_says_what_it_could_not_read() -> None:
    _, shown, problems = read_view({"look": "hologram", "quantity": "<b>", "plane": "a-b"})
    assert (shown.look, shown.quantity, shown.plane) == ("image", "q", (0, 1))
    assert len(problems) == 3


def test_quantities(made: LandscapePage) -> None:
    found = made.terrain
    assert found is not None
    np.testing.assert_allclose(quantity_of(found, "error"), found.values - found.truth)
    assert quantity_of(found, "spread") is found.spread


def test_the_csv_is_the_grid(made: LandscapePage) -> None:
    rows = list(csv.DictReader(io.StringIO(made._csv().decode())))
    assert len(rows) == made.terrain.values.size
    np.testing.assert_allclose([float(row["q"]) for row in rows], made.terrain.values.ravel(), rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("own_folder")  # the snippet saves its picture
def test_the_code_draws_the_same(made: LandscapePage) -> None:
    space: dict = {}
    exec(compile(made.code(), "snippet", "exec"), space)  # noqa: S102 -- the page's own snippet
    np.testing.assert_allclose(space["ground"].values, made.terrain.values, rtol=1e-5)
    assert space["ground"].trust.share == made.terrain.trust.share


def test_contours_lie_where_the_value_is() -> None:
    axis = (np.arange(80) + 0.5) / 80 * 3.2 - 1.6
    plane = np.tile(axis, (80, 1))  # the value is x itself
    x, _ = contour_lines(plane, 1.6, -1.0, 1.0)
    levels = np.linspace(-1.0, 1.0, 12)[1:-1]
    assert np.abs(x[np.isfinite(x)][:, None] - levels).min(1).max() < 1e-6
    assert np.isnan(x).sum() == 10
    assert contour_lines(np.zeros((80, 80)), 1.6, 0.0, 0.0)[0].size == 0


def test_points_lie_on_the_surface() -> None:
    axis = (np.arange(80) + 0.5) / 80 * 3.2 - 1.6
    slope = axis[None, :] + 2 * axis[:, None]
    points = np.random.default_rng(0).uniform(-1, 1, (POINTS + 50, 2))
    header, arrays = unpack(surface_of(slope, 1.6, ("one", "two"), "Q", [("bc", points)]))
    assert arrays["cloud0"].shape == (POINTS, 3)
    np.testing.assert_allclose(arrays["cloud0"][:, 2], points[:POINTS, 0] + 2 * points[:POINTS, 1], atol=1e-5)
    assert header["names"] == ["one", "two"]


# --- in a browser -----------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_a_person_looks_around(page: Tab, server: str, browser: Browser, tmp_path: Path) -> None:
    page.goto(f"{server}/landscape?rule=qgf&weight=0.3")
    trusted = page.locator("div:has(> dt [data-tip*='members agree']) > dd")
    expect(trusted).to_have_text(re.compile(r"\d+%"), timeout=30_000)
    before = trusted.inner_text()
    assert page.evaluate("document.documentElement.scrollHeight") <= 900
    page.locator(".wb-slider .noUi-handle").first.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    expect(trusted).not_to_have_text(before, timeout=15_000)
    expect(page).to_have_url(re.compile("weight="))
    surface = page.locator(".wb-surface canvas")
    shot = surface.screenshot()
    surface.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(200)
    assert surface.screenshot() != shot
    link = page.url
    page.locator(".wb-preset-too_far").click()
    expect(page).not_to_have_url(link, timeout=15_000)
    page.locator(".wb-quantity select").select_option("Spread of the ensemble")
    expect(page).to_have_url(re.compile("quantity=spread"))
    expect(page.get_by_role("heading", name="Spread of the ensemble, QGF")).to_be_visible(timeout=15_000)
    page.keyboard.press("Control+z")
    expect(page.get_by_role("heading", name="Q of the critic, QGF")).to_be_visible(timeout=15_000)
    saved = save_all(page, tmp_path)
    assert saved["PNG picture"].read_bytes().startswith(b"\x89PNG")
    assert saved["SVG picture"].read_text().count("<svg") >= 5
    see_offline(browser, saved["HTML that works offline"], scrubs=True)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(400)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
