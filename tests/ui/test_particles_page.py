"""The page of particles in Chromium, against a real server."""

import os
import signal
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from plain_rules import rules_without_parts
from playwright.sync_api import Browser, Locator, Page, expect
from ui.until import until

from workbench.engine.digits import figure
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.bandits import Bandit2D
from workbench.views.parts import parts_for
from workbench.views.question import Policy, Question, answer

pytestmark = pytest.mark.browser
TRAINING_MS = 400_000  # eight seconds on a free machine


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".wb-scene[data-version]")


def numbers(page: Page, rule: str) -> dict[str, str]:
    """Name and value of each number under a stage, also of those that are folded."""
    cells = page.locator(f".wb-stage[data-rule={rule}] dl > div").all()
    return {cell.locator("dt").text_content() or "": cell.locator("dd").text_content() or "" for cell in cells}


def pixels(canvas: Locator) -> str:
    return canvas.evaluate("canvas => canvas.toDataURL()")


def slider(page: Page, name: str) -> Locator:
    return page.locator(f".wb-{name} .noUi-handle")


def steered(page: Page, rule: str = "qgf") -> Locator:
    return page.locator(f".wb-stage[data-rule={rule}] canvas.wb-canvas")


def test_the_index_leads_to_the_page(page: Page, server: str) -> None:
    page.goto(f"{server}/")
    page.locator("a.wb-tile", has_text="Particles").click()
    page.wait_for_selector(".wb-scene[data-version]")
    expect(page).to_have_title("Workbench – Particles")
    still = numbers(page, "bc")
    assert [still[name] for name in ("Transport", "Displacement", "Shift")] == ["0.00", "0.00", "0.00"]
    # Behaviour flow, QGF and VGF; nothing needs scrolling at this size.
    assert page.locator(".wb-stage h2").all_inner_texts() == ["Behaviour flow", "QGF", "VGF"]
    assert page.evaluate("[document.documentElement.scrollHeight, document.documentElement.scrollWidth]") == [900, 1440]
    expect(page.locator(".equation math")).to_have_count(4)


def test_a_slider_moved_by_keyboard_moves_particles_and_numbers(page: Page, server: str) -> None:
    open_page(page, f"{server}/particles?rule=qgf")
    expect(page.get_by_role("heading", name="What the actions earn")).to_be_visible()
    before, picture, still = numbers(page, "qgf"), pixels(steered(page)), numbers(page, "bc")
    slider(page, "weight").focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    until(lambda: float(numbers(page, "qgf")["Displacement"]) > 2 * float(before["Displacement"]))
    assert pixels(steered(page)) != picture
    assert numbers(page, "bc") == still
    expect(page.locator(".wb-weight .bk-slider-value, .wb-weight .bk-slider-title").first).to_contain_text(
        "3 action² / Q"
    )


def test_zero_on_a_log_slider_is_exactly_the_behaviour_flow(page: Page, server: str) -> None:
    open_page(page, f"{server}/particles?rule=qgf&weight=1")
    slider(page, "weight").focus()
    page.keyboard.press("Home")
    until(lambda: numbers(page, "qgf")["Displacement"] == "0.00")
    assert numbers(page, "qgf") == numbers(page, "bc")


def test_flow_time_scrubs_and_plays_without_the_server(page: Page, server: str) -> None:
    frames: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: frames.append(frame)))
    open_page(page, f"{server}/particles?rule=qgf")
    page.wait_for_timeout(300)
    sent, end = len(frames), pixels(steered(page))
    scrub = page.get_by_role("slider", name="Flow time")
    scrub.focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(".wb-clock")).to_have_text("t = 0.50")
    assert pixels(steered(page)) != end
    page.get_by_role("button", name="Play flow time").click()
    expect(page.locator(".wb-clock")).to_have_text("t = 1.00", timeout=10_000)
    expect(page.get_by_role("button", name="Play flow time")).to_be_visible()
    until(lambda: pixels(steered(page)) == end)
    assert len(frames) == sent


def test_stages_zoom_and_move_together(page: Page, server: str) -> None:
    open_page(page, f"{server}/particles?rule=qgf")
    behaviour, rule = steered(page, "bc"), steered(page)
    before = pixels(behaviour), pixels(rule)
    rule.hover()
    page.mouse.wheel(0, -200)
    reset = page.get_by_role("button", name="Reset view")
    expect(reset).to_be_visible()
    until(lambda: pixels(behaviour) != before[0] and pixels(rule) != before[1])
    expect(page.locator(".wb-stage[data-rule=bc] .wb-readout")).to_contain_text("Q ")
    reset.click()
    until(lambda: (pixels(behaviour), pixels(rule)) == before)


def test_the_link_reproduces_the_picture(page: Page, server: str) -> None:
    open_page(page, f"{server}/particles?rule=vgf&steps=5")
    slider(page, "alpha").focus()
    page.keyboard.press("ArrowLeft")
    slider(page, "seed").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("slider", name="Flow time").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**seed=1*alpha=0.8*tick=14.0")
    asked = Question("bandit2d", (Policy("vgf", {"steps": 5, "alpha": 0.8}),), 1, 256)
    expected = figure(answer(asked, parts_for("bandit2d"), Bandit2D()).numbers[1].shift)
    until(lambda: numbers(page, "vgf")["Shift"] == expected)  # on a busy machine the picture comes later than the link
    page.wait_for_timeout(200)
    shown, picture = numbers(page, "vgf"), pixels(steered(page, "vgf"))
    page.reload()
    page.wait_for_selector(".wb-scene[data-version]")
    until(lambda: numbers(page, "vgf") == shown)
    until(lambda: pixels(steered(page, "vgf")) == picture)


def test_every_rule_can_be_chosen(page: Page, server: str) -> None:
    open_page(page, f"{server}/particles?rule=qgf")
    rules = page.locator(".wb-policy-0 .wb-rule select")
    for title in (RULES[name].title for name in rules_without_parts() if name != "bc"):
        rules.select_option(label=title)
        expect(page.locator(".wb-stage h2").nth(1)).to_have_text(title)
        expect(page.locator(".wb-slot-about h3").first).to_have_text(title)
        expect(page.locator(".wb-notice")).to_be_hidden()


def test_a_broken_link_is_told_and_works_all_the_same(page: Page, server: str) -> None:
    open_page(page, f"{server}/particles?rule=qgf&weight=lots&seed=%3Cscript%3E&x=1")
    expect(page.locator(".wb-notice")).to_contain_text("weight is a number, got 'lots'")
    slider(page, "weight").focus()

    def moved() -> bool:  # the first key may come before the slider listens
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(300)
        return page.locator(".wb-notice").is_hidden()

    until(moved)
    # A file that is no checkpoint is refused in words, and the picture stays.
    page.locator(".wb-task select").select_option(label="Upload a checkpoint…")
    words = page.locator(".wb-upload p")
    expect(words).to_contain_text("run.json and its .safetensors")
    page.locator(".wb-upload input").set_input_files(Path(__file__))
    expect(words).to_contain_text("choose both at once (got 'test_particles_page.py')")
    page.locator(".wb-task select").select_option(label="Bandit in the plane")
    expect(words).to_be_hidden()
    assert float(numbers(page, "qgf")["Displacement"]) > 0.0


def test_the_dark_theme_is_kept(page: Page, server: str) -> None:
    open_page(page, f"{server}/particles?rule=qgf")
    ground = "getComputedStyle(document.body).backgroundColor"
    light, picture = page.evaluate(ground), pixels(steered(page))
    page.get_by_role("button", name="Use the dark theme").click()
    until(lambda: pixels(steered(page)) != picture)
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    page.wait_for_selector(".wb-scene[data-version]")
    assert page.evaluate(ground) == dark


def test_a_phone_needs_no_sideways_scrolling(page: Page, server: str) -> None:
    open_page(page, f"{server}/particles?rule=qgf")
    page.set_viewport_size({"width": 390, "height": 844})
    until(lambda: page.evaluate("document.documentElement.scrollWidth") == 390)
    for canvas in page.locator("canvas.wb-canvas").all():
        box = canvas.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["width"] > 140


def test_the_room_is_trained_for_and_the_agent_moves(page: Page, server: str) -> None:
    open_page(page, f"{server}/particles?rule=qgf")
    page.locator(".wb-task select").select_option(label="Three exits")
    expect(page.locator(".wb-notice")).to_contain_text("Training the built-in task")
    # The page lives meanwhile.
    rules = page.locator(".wb-policy-0 .wb-rule select")
    rules.select_option(label="VGF")
    expect(page.locator(".wb-slot-about h3").first).to_have_text("VGF")
    rules.select_option(label="QGF")
    room = page.locator(".wb-room canvas.wb-canvas")
    room.wait_for(timeout=TRAINING_MS)
    expect(page.locator(".wb-notice")).to_be_hidden()
    until(lambda: "±" in numbers(page, "qgf").get("Return", ""), 30)
    behaviour, rule = (float(numbers(page, name)["Return"].split(" ")[0]) for name in ("bc", "qgf"))
    assert rule > behaviour
    # The dial rides on what ships with the package, and says so; columns do not touch, and no word is cut.
    expect(page.locator(".wb-dial-source")).to_contain_text("Shipped example")
    expect(page.locator(".wb-dial-sentence")).to_contain_text("earns")
    boxes = [found for stage in page.locator(".wb-stage").all() if (found := stage.bounding_box()) is not None]
    assert all(right["x"] - left["x"] - left["width"] >= 12 for left, right in pairwise(boxes))
    assert (
        page.locator(".wb-stage header p, .wb-stage dd, .wb-stage dt").evaluate_all(
            "all => all.filter((el) => el.scrollWidth > el.clientWidth + 1).map((el) => el.textContent)"
        )
        == []
    )
    before, where = pixels(steered(page)), page.locator(".wb-room dd").first
    box = room.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 0.5 * box["height"])
    expect(where).to_have_text("0.53, 0.00")
    until(lambda: pixels(steered(page)) != before)
    room.focus()
    page.keyboard.press("ArrowLeft")
    expect(where).to_have_text("0.48, 0.00")
    page.wait_for_url("**x=0.48*")
    shown = numbers(page, "qgf")["Promised"]
    page.reload()
    expect(where).to_have_text("0.48, 0.00")
    assert numbers(page, "qgf")["Promised"] == shown
    # FQL's part is trained when it is chosen, and can be cancelled; ReBRAC's takes a third of the time.
    rules.select_option(label="FQL")
    notice, button = page.locator(".wb-notice"), page.locator(".wb-notice-button")
    expect(notice).to_contain_text("Training what FQL needs (one step)")
    button.click()
    expect(notice).to_contain_text("was cancelled")
    expect(button).to_have_text("Train it")
    rules.select_option(label="ReBRAC")
    expect(notice).to_contain_text("Training what ReBRAC needs (rebrac actor)")
    expect(button).to_have_text("Cancel")
    page.locator(".wb-stage[data-rule=rebrac]").wait_for(timeout=TRAINING_MS)
    expect(notice).to_be_hidden()
    until(lambda: "±" in numbers(page, "rebrac").get("Return", ""), 30)
    assert float(numbers(page, "rebrac")["Displacement"]) > 0.0


def test_the_app_file_is_served_by_panel_and_a_stopped_server_is_told(root: Path, browser: Browser) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "panel",
        "serve",
        "apps/particles.py",
        "--port",
        str(port),
        "--address",
        "127.0.0.1",
    ]
    process = subprocess.Popen(
        command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        while "Bokeh app running" not in (line := process.stderr.readline()):
            assert line, "the server ended"
        page = browser.new_page()
        page.set_default_navigation_timeout(120_000)  # the first page imports everything, on a busy machine slowly
        open_page(page, f"http://127.0.0.1:{port}/particles")
        expect(page).to_have_title("Workbench – Particles")
        expect(page.locator(".wb-lost")).to_be_hidden()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    expect(page.locator(".wb-lost")).to_contain_text("connection to the server is lost")
    page.close()
