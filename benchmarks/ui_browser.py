"""What one person sees, in headless Chromium: from a key to the painted frame, drags, the opening, how soon a page is there."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from playwright.sync_api import Browser, Page

from benchmarks.ui_server import ROOT, SCENE

SIZE = {"width": 1440, "height": 900}
PATIENCE_MS = 60_000
READY = "document.documentElement.dataset.ready !== undefined || Boolean(window.wbFind('.wb-tools'))"


def new_page(browser: Browser) -> Page:
    """A tab of somebody who was never here."""
    page = browser.new_context(viewport=SIZE).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(path=ROOT / "benchmarks" / "ui_probe.js")
    return page


def opened(browser: Browser, url: str) -> Page:
    """The scene, drawn."""
    page = new_page(browser)
    page.goto(url + SCENE)
    page.wait_for_selector(".wb-scene[data-version]")
    page.wait_for_timeout(800)
    return page


def key_to_paint(page: Page, keys: int = 60) -> list[float]:
    """Milliseconds from a slider's key to the painted frame, for each key."""
    page.locator(".wb-policy-0 .wb-weight .noUi-handle").focus()
    times = []
    for number in range(keys + 5):
        page.evaluate("() => { window.wbWait = window.wbPainted() }")
        page.keyboard.press("ArrowLeft" if number % 2 else "ArrowRight")
        taken = page.evaluate("() => window.wbWait")
        if number >= 5:
            times.append(taken)
        page.wait_for_timeout(60)
    return times


def version(page: Page) -> int:
    """How many pictures the page has had."""
    return int(page.locator(".wb-scene").get_attribute("data-version") or 0)


def rate(page: Page, move: Callable[[float], None], seconds: float = 5.0) -> float:
    """Pictures a second while ``move(seconds so far)`` moves the pressed mouse."""
    page.mouse.down()
    first, start = version(page), time.perf_counter()
    while (now := time.perf_counter() - start) < seconds:
        move(now)
    last, taken = version(page), time.perf_counter() - start
    page.mouse.up()
    return (last - first) / taken


def peak_drag(page: Page) -> float:
    """Pictures a second while the peak is dragged in a circle."""
    box = page.locator(".wb-stage[data-stage='1'] canvas.wb-canvas").bounding_box()
    assert box is not None
    half, centre = 1.25, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def at(x: float, y: float) -> tuple[float, float]:
        return centre[0] + x / half * box["width"] / 2, centre[1] - y / half * box["height"] / 2

    page.mouse.move(*at(0.55, 0.36))
    return rate(
        page, lambda now: page.mouse.move(*at(0.1 + 0.5 * math.cos(2.5 * now), 0.1 + 0.5 * math.cos(2.5 * now - 1.57)))
    )


def dial_drag(page: Page) -> float:
    """Pictures a second while the strength is dragged to and fro."""
    box = page.locator(".wb-policy-0 .wb-weight .noUi-handle").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    return rate(page, lambda now: page.mouse.move(x + 60 * math.sin(2.0 * now), y))


def scrub(page: Page) -> float:
    """Frames a second while flow time swings to and fro."""
    found: float = page.evaluate("() => window.wbScrub()")
    return found


def opening(browser: Browser, url: str) -> float:
    """Frames a second while the opening plays, on a first visit."""
    page = new_page(browser)
    page.goto(url)
    page.wait_for_selector("#wb-opening[data-state=playing]", timeout=10_000)
    found: float = page.evaluate("() => window.wbOpening()")
    page.context.close()
    return found


def usable(browser: Browser, address: str) -> float:
    """Seconds from the address to controls that can be used."""
    page = new_page(browser)
    start = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(READY)
    taken = time.perf_counter() - start
    page.context.close()
    return taken


def first_picture(browser: Browser, url: str, since: float | None = None) -> float:
    """Seconds from the address, or since a moment, to the first picture of Particles."""
    page = new_page(browser)
    start = time.perf_counter() if since is None else since
    page.goto(url + SCENE, wait_until="commit")
    page.wait_for_selector(".wb-scene[data-version]")
    taken = time.perf_counter() - start
    page.context.close()
    return taken
