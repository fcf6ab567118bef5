"""What people do with a picture: undo, share it, copy it as code, save it, ask what it is. In Chromium, on a real server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from ui.saving import save_all
from ui.test_particles_page import numbers, open_page, pixels, slider, steered, until

from workbench.engine.glossary import TERM

pytestmark = pytest.mark.browser
NAMES = ("earned", "promised", "gap", "shift", "displacement", "transport")


def test_undo_and_redo_by_keyboard(page: Page, server: str) -> None:
    open_page(page, f"{server}/particles?rule=qgf")
    before = numbers(page, "qgf")
    slider(page, "weight").focus()
    page.keyboard.press("End")
    until(lambda: numbers(page, "qgf") != before)
    after = numbers(page, "qgf")
    page.keyboard.press("Control+z")
    until(lambda: numbers(page, "qgf") == before)
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    page.keyboard.press("Control+Shift+z")
    until(lambda: numbers(page, "qgf") == after)


def test_a_link_shows_the_same_in_a_second_browser(page: Page, server: str, browser: Browser) -> None:
    open_page(page, f"{server}/particles?rule=qgf&weight=1&rule2=qgf&weight2=3")
    page.locator(".wb-ground select").select_option(label="Q − true reward")
    page.wait_for_url("**ground=difference*")
    shown = page.locator(".wb-heads").all_inner_texts()
    other = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light").new_page()
    open_page(other, page.url)
    assert other.locator(".wb-heads").all_inner_texts() == shown
    until(lambda: pixels(other.locator("canvas.wb-canvas").nth(2)) == pixels(page.locator("canvas.wb-canvas").nth(2)))
    other.context.close()


def test_the_code_draws_the_same_numbers(page: Page, server: str, root: Path, tmp_path: Path) -> None:
    open_page(page, f"{server}/particles?rule=qgf&weight=1&rule2=grad_step&steps2=5&seed=3&peak=0.3,0.5")
    page.get_by_role("button", name="Copy as code").click()
    area = page.get_by_label("Python code")
    expect(area).to_have_value(re.compile("import workbench"))
    code = area.input_value()
    page.get_by_role("button", name="Close").click()
    env = os.environ | {"PYTHONPATH": str(root), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "particles.png").stat().st_size > 10_000
    printed = {}
    for line in done.stdout.splitlines():
        printed[line.split()[0]] = dict(re.findall(r"(\w+)=(-?[\d.e-]+)", line))
    for rule in ("bc", "qgf", "grad_step"):
        there, here = numbers(page, rule), printed[rule]
        for key in NAMES:
            assert there[TERM[f"state.{key}"].short].replace("−", "-") == f"{float(here[key]):.2f}".replace(
                "-0.00", "0.00"
            )
        assert there[TERM["state.support"].short] == f"{float(here['support']):.0%}"


def test_every_export_is_saved_and_the_page_scrubs_offline(
    page: Page, server: str, browser: Browser, tmp_path: Path
) -> None:
    open_page(page, f"{server}/particles?rule=qgf&weight=1")
    page.locator(".wb-dial[data-curves='1']").wait_for()
    tables = ["CSV of the numbers", "CSV of promised and earned", "CSV of all particles"]
    labels = ["PNG picture", "SVG picture", *tables, "HTML that scrubs offline"]
    saved = save_all(page, tmp_path, labels)
    assert saved["PNG picture"].read_bytes().startswith(b"\x89PNG")
    assert "<svg" in saved["SVG picture"].read_text()
    table = saved["CSV of the numbers"].read_text().splitlines()
    assert table[0].startswith("rule,settings,state_promised,state_earned")
    assert f"{float(table[2].split(',')[3]):.2f}" == numbers(page, "qgf")[TERM["state.earned"].short]
    rows = saved["CSV of all particles"].read_text().splitlines()
    assert len(rows) == 1 + 2 * 256 * 11
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    offline, faults = context.new_page(), []
    offline.on("pageerror", lambda error: faults.append(str(error)))
    offline.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    offline.goto(saved["HTML that scrubs offline"].as_uri())
    offline.wait_for_selector(".wb-scene[data-version]")
    assert numbers(offline, "qgf") == numbers(page, "qgf")
    end = pixels(steered(offline))
    offline.get_by_role("slider", name="Flow time").focus()
    for _ in range(4):
        offline.keyboard.press("ArrowLeft")
    expect(offline.locator(".wb-clock")).to_have_text("t = 0.60")
    assert pixels(steered(offline)) != end
    assert faults == []
    context.close()


def middle(found: Locator) -> list[float]:
    box = found.bounding_box()
    assert box is not None
    return [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]


def test_the_peak_is_dragged_and_a_particle_asked(page: Page, server: str) -> None:
    open_page(page, f"{server}/particles?rule=qgf&weight=1&shown=512")
    box = steered(page).bounding_box()
    assert box is not None

    def at(x: float, y: float) -> tuple[float, float]:
        half = box["width"] / 2
        return box["x"] + half * (1 + x / 1.25), box["y"] + half * (1 - y / 1.25)

    before = numbers(page, "qgf")
    page.mouse.move(*at(0.55, 0.36))
    page.mouse.down()
    for step in range(1, 11):
        page.mouse.move(*at(0.55 - 0.1 * step, 0.36 - 0.06 * step))
    drawn = page.locator(".wb-stage[data-rule=qgf] header p")
    expect(drawn).to_contain_text("192 samples")  # fewer of them follow the hand more often
    assert middle(page.locator(".wb-stage[data-rule=qgf] .wb-peak svg")) == pytest.approx([*at(-0.45, -0.24)], abs=1.0)
    shown, truth = steered(page).bounding_box(), page.locator(".wb-truth canvas.wb-canvas").bounding_box()
    assert shown is not None
    assert truth is not None
    there = [at(-0.45, -0.24)[0] + truth["x"] - shown["x"], at(-0.45, -0.24)[1] + truth["y"] - shown["y"]]
    assert middle(page.locator(".wb-truth .wb-peak svg")) == pytest.approx(there, abs=1.0)
    page.mouse.up()
    expect(drawn).to_contain_text("512 samples")
    until(lambda: numbers(page, "qgf") != before)
    page.wait_for_url("**peak=-0.4*")
    steered(page).focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_url("**peak=-0.4*-0.1*")
    words = page.locator(".wb-stage[data-rule=qgf] .wb-words")
    expect(words).to_be_empty()
    # Some particle is near the data's left lobe.
    for dx in range(-3, 4):
        page.mouse.click(*at(-0.5 + 0.03 * dx, -0.3))
        if page.locator(".wb-scene").get_attribute("data-version") and words.inner_text():
            break
        page.wait_for_timeout(150)
    expect(words).to_contain_text("velocity")
    expect(words).to_contain_text("guidance")


def test_presets_and_tour(page: Page, server: str) -> None:
    open_page(page, f"{server}/particles?rule=qgf")
    page.get_by_role("button", name="Too far").click()
    until(lambda: float(numbers(page, "qgf")[TERM["state.earned"].short].replace("−", "-")) < 0.3, 20)
    assert float(numbers(page, "qgf")[TERM["state.gap"].short]) > 0.3
    page.get_by_role("button", name="Guided tour").click()
    tour = page.get_by_role("dialog", name="Guided tour")
    expect(tour).to_contain_text("Where the data are")
    for _ in range(7):
        page.keyboard.press("Enter")
    expect(tour).to_contain_text("Flow time")
    page.keyboard.press("Escape")
    expect(tour).to_be_hidden()


def test_the_navigation_takes_the_picture_along(page: Page, server: str) -> None:
    open_page(page, f"{server}/particles?rule=qgf&weight=2.5")
    page.wait_for_url("**weight=2.5*")
    page.wait_for_timeout(400)
    addresses = page.locator("a[data-page]").evaluate_all("links => links.map((link) => link.href)")
    assert addresses
    assert all("weight=2.5" in address for address in addresses)


def test_text_in_a_link_is_never_html(page: Page, server: str) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    attack = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"
    open_page(
        page,
        f"{server}/particles?task={attack}&rule={attack}&peak={attack}&ground={attack}&tick={attack}&seed={attack}",
    )
    expect(page.locator(".wb-notice")).to_contain_text("<img src=x")
    assert page.locator("img").count() == 0
