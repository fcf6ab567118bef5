"""Lessons in a real JupyterLab: all cells run, a slider moved by keyboard changes the picture, nothing is red.

Executing a notebook without a browser passes even when an output cannot be shown, so this is needed as well. One lesson of
each kind here, every lesson with ``make lessons`` (``WORKBENCH_LESSONS=all``): each takes some twenty seconds.
``WORKBENCH_SCREENSHOTS=DIR`` keeps a picture of each lesson.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from classroom import RED, run_all
from playwright.sync_api import Browser, Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]
STILL = ("09_brought.ipynb",)  # a lesson without a slider
NAMES = sorted(path.name for path in (Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
ONE_OF_A_KIND = {
    "01_first_steps.ipynb": "stages to scrub",
    "06_shift.ipynb": "pictures drawn anew by a slider",
    "09_brought.ipynb": "a policy of your own, no slider",
    "99_capstone.ipynb": "the board",
}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which an error of JavaScript or a request to another host fails the test."""
    page, faults = browser.new_page(viewport={"width": 1280, "height": 1000}), []

    def only_here(route) -> None:
        faults.append(f"request to another host: {route.request.url}")
        route.abort()

    page.route(lambda url: not url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")), only_here)
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    yield page
    page.evaluate(
        "window.jupyterapp.shell.currentWidget?.context.sessionContext.shutdown()"
    )  # two kernels are too many
    page.close()
    assert not faults, faults


def first_slider(page: Page) -> tuple[Locator, Locator]:
    """The first slider, and the picture in its cell (the second stage, or the image)."""
    cell = page.locator(".jp-CodeCell").filter(has=page.locator(".noUi-handle")).first
    handle = cell.locator(".noUi-handle").first  # of the page it would be the first outside of shadow trees
    stages = cell.locator("canvas.wb-canvas")
    handle.wait_for(timeout=30_000)
    return handle, stages.nth(1) if stages.count() else cell.locator("img").last


def picture_of(page: Page, picture: Locator) -> bytes:
    """What is painted, once it stays the same."""
    before, end = picture.screenshot(), time.monotonic() + 10
    while True:
        page.wait_for_timeout(200)
        after = picture.screenshot()
        if after == before or time.monotonic() > end:
            return after
        before = after


def move(page: Page, handle: Locator) -> None:
    """Three stops by keyboard, away from the end."""
    handle.scroll_into_view_if_needed()
    handle.focus()
    at_the_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
    for _ in range(3):
        page.keyboard.press("ArrowLeft" if at_the_end else "ArrowRight")


def chosen() -> list[str]:
    return NAMES if os.environ.get("WORKBENCH_LESSONS") == "all" else [name for name in NAMES if name in ONE_OF_A_KIND]


def test_the_lessons_of_a_kind_are_there() -> None:
    assert set(NAMES) >= ONE_OF_A_KIND.keys()


@pytest.mark.parametrize("name", chosen())
def test_a_lesson_in_jupyterlab(lab: str, page: Page, name: str) -> None:
    run_all(page, lab, name)
    expect(page.locator(RED)).to_have_count(0)
    if name in STILL:
        return
    handle, picture = first_slider(page)
    handle.scroll_into_view_if_needed()
    picture.scroll_into_view_if_needed()
    before = picture_of(page, picture)
    move(page, handle)
    end, moved = time.monotonic() + 60, time.monotonic()
    while picture.screenshot() == before:
        assert time.monotonic() < end, "the slider changed nothing"
        page.wait_for_timeout(100)
        if time.monotonic() - moved > 10:  # JupyterLab may draw a cell's output anew under the first keys
            move(page, handle)
            moved = time.monotonic()
    expect(page.locator(RED)).to_have_count(0)
    folder = os.environ.get("WORKBENCH_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        picture_of(page, picture)
        page.screenshot(path=Path(folder) / f"{Path(name).stem}.png")
