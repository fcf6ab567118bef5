"""Every page on a phone: nothing hangs out of the screen, a finger hits everything, and the picture is seen while one steers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from experiments.made_up import made_up_store
from playwright.sync_api import Browser, Locator, Page, expect
from ui.test_runs_page import GRID, measure

from workbench.ui.shell.registry import PAGES, page_class

FINGER = 24  # pixels, WCAG 2.2, 2.5.8
STEERED = [name for name in PAGES if page_class(name).steers]
# Inside every shadow tree: what can be pressed and is too small, and what reaches beyond the screen and cannot be scrolled to.
MEASURE = """([least, selector]) => {
  const all = [], wide = document.documentElement.clientWidth
  const visit = (root) => root.querySelectorAll("*").forEach((el) => {
    all.push(el)
    if (el.shadowRoot) visit(el.shadowRoot)
  })
  visit(document)
  const up = (el) => el.parentElement ?? (el.getRootNode() instanceof ShadowRoot ? el.getRootNode().host : null)
  const scrolls = (el) => {
    for (let at = up(el); at && at !== document.body; at = up(at)) {
      if (/auto|scroll|hidden|clip/.test(getComputedStyle(at).overflowX)) return true
    }
    return false
  }
  const name = (el) => `${el.tagName.toLowerCase()}.${el.className} '${(el.textContent || "").trim().slice(0, 30)}'`
  const seen = all.filter((el) => {
    const box = el.getBoundingClientRect()
    return box.width && box.height && box.right > 0 && getComputedStyle(el).visibility !== "hidden"
  })
  const small = [], out = []
  for (const el of seen) {
    const box = el.getBoundingClientRect(), size = `${box.width.toFixed(0)}×${box.height.toFixed(0)}`
    if (el.matches(selector) && Math.min(box.width, box.height) < least - 0.01) small.push(`${name(el)} ${size}`)
    const ends = `${box.left.toFixed(0)} to ${box.right.toFixed(0)}`
    if ((box.right > wide + 1 || box.left < -1) && !scrolls(el)) out.push(`${name(el)} ${ends}`)
  }
  return {small, out, pressed: seen.filter((el) => el.matches(selector)).length, page: document.documentElement.scrollWidth, wide}
}"""
PRESSED = (
    "a[href], button, input, select, textarea, summary, [role=button], [role=slider], [role=tab], [role=menuitem], "
    "[tabindex]:not([tabindex='-1'])"
)


@pytest.fixture(scope="module")
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs to list and to draw."""
    folder = tmp_path_factory.mktemp("lab") / "store"
    made_up_store(folder, GRID, measure)
    return folder


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    context.set_default_timeout(60_000)
    context.add_init_script("localStorage.setItem('wb-opening-seen', '1')")
    yield context.new_page()
    context.close()


def opened(phone: Page, server: str, name: str) -> None:
    phone.goto(f"{server}/{'' if name == 'index' else name}")
    phone.wait_for_function("document.documentElement.dataset.ready !== undefined")
    if name in ("particles", "landscape", "rollouts"):
        phone.locator(".wb-preset").first.wait_for()
    phone.wait_for_timeout(1200)


def measured(phone: Page) -> dict[str, Any]:
    found: dict[str, Any] = phone.evaluate(MEASURE, [FINGER, PRESSED])
    return found


@pytest.mark.browser
@pytest.mark.parametrize("name", ["index", *PAGES])
def test_nothing_is_too_small_for_a_finger_or_hangs_out_of_the_screen(phone: Page, server: str, name: str) -> None:
    opened(phone, server, name)
    for details in phone.locator("details.wb-rules summary").all():
        details.click()
    found = measured(phone)
    assert found["pressed"] > 10
    assert found["small"] == []
    assert found["out"] == []
    phone.set_viewport_size({"width": 320, "height": 700})
    phone.wait_for_timeout(1200)
    found = measured(phone)
    assert found["out"] == []
    assert found["page"] <= found["wide"]


@pytest.mark.browser
def test_what_is_too_small_or_too_wide_is_seen(phone: Page, server: str) -> None:
    """The measure itself: a small button in a shadow tree, and a bar that is too wide."""
    opened(phone, server, "index")
    phone.evaluate(
        """() => {
          const host = document.body.appendChild(document.createElement("div"))
          const inside = host.attachShadow({mode: "open"}).appendChild(document.createElement("button"))
          inside.style.cssText = "width: 20px; height: 40px; padding: 0"
          const bar = document.querySelector("main").appendChild(document.createElement("div"))
          bar.style.cssText = "width: 900px; height: 4px"
        }"""
    )
    found = measured(phone)
    assert [line[-5:] for line in found["small"]] == ["20×40"]
    assert len(found["out"]) == 1


def boxes_of(found: Locator) -> list[float]:
    """Where the elements begin that are shown."""
    return [box["y"] for one in found.all() if (box := one.bounding_box())] or [float("inf")]


def eventually(phone: Page, holds: Callable[[], bool]) -> None:
    """Wait, on a busy machine too, until something holds; it fails when it never does."""
    for _ in range(150):
        if holds():
            return
        phone.wait_for_timeout(200)
    raise AssertionError("it never held")


def heights(phone: Page) -> tuple[float, float]:
    """Where the sheet begins, and how tall the screen is."""
    box = phone.locator(".wb-controls").bounding_box()
    assert box is not None
    return box["y"], float(phone.evaluate("innerHeight"))


@pytest.mark.browser
@pytest.mark.parametrize("name", STEERED)
def test_the_picture_is_seen_while_one_steers(phone: Page, server: str, name: str) -> None:
    opened(phone, server, name)
    screen = heights(phone)[1]
    eventually(phone, lambda: 0.5 * screen < heights(phone)[0] < 0.9 * screen)
    picture = phone.locator(".wb-main").bounding_box()
    assert picture is not None
    assert picture["y"] < 0.2 * screen
    if name != "budget":
        for one in (phone.locator(".wb-presets button").first, phone.locator(".wb-slider .noUi-handle").first):
            box = one.bounding_box()
            assert box is not None
            assert box["y"] >= 0.5 * screen
        sliders = phone.locator(".wb-slider .noUi-handle")
        eventually(phone, lambda: heights(phone)[0] < min(boxes_of(sliders)) < screen - 10)
    top = heights(phone)[0]
    handle = phone.get_by_role("button", name="All settings")
    handle.tap()
    expect(phone.get_by_role("button", name="Fewer settings")).to_have_attribute("aria-expanded", "true")
    eventually(phone, lambda: 0.3 * screen < heights(phone)[0] < 0.45 * screen)
    phone.get_by_role("button", name="Fewer settings").tap()
    eventually(phone, lambda: abs(heights(phone)[0] - top) < 3)
    box = handle.bounding_box()  # pulled up by a finger
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 10
    phone.mouse.move(x, y)
    phone.mouse.down()
    phone.mouse.move(x, y - 60, steps=4)
    phone.mouse.up()
    expect(phone.get_by_role("button", name="Fewer settings")).to_be_visible()


@pytest.mark.browser
def test_words_over_a_control_go_away_after_a_touch(phone: Page, server: str) -> None:
    opened(phone, server, "landscape")
    button = phone.locator(".wb-preset-balanced")
    button.tap()
    words = phone.locator("body > .bk-Tooltip")
    if words.count():  # while they are there they stand on the screen
        box = words.first.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    expect(words).to_have_count(0)


@pytest.mark.browser
def test_runs_keep_their_return_and_shift_on_a_phone(phone: Page, server: str) -> None:
    opened(phone, server, "runs")
    row = phone.locator("tbody tr").first
    row.wait_for()
    for name in ("mean", "shift", "rule", "status"):
        for cell in (phone.locator(f"th.{name}"), row.locator(f"td.{name}")):
            box = cell.bounding_box()
            assert box is not None, name
            assert box["x"] >= 0, name
            assert box["x"] + box["width"] <= 390, name
    expect(row.locator("td.mean")).not_to_have_text("")
    row.locator("td.rule").tap()
    expect(row).to_have_attribute("aria-selected", "true")
