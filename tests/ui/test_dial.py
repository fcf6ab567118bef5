"""The budget dial, the numbers and the stories of the page of particles, as a person meets them."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from ui.test_particles_page import numbers, open_page, pixels, slider, steered, until

from workbench.engine.steering.rules import RULES

pytestmark = pytest.mark.browser
EVERY = """() => {
  const below = (el) => [el, ...(el.shadowRoot ? inside(el.shadowRoot) : [])]
  const inside = (root) => [...root.querySelectorAll("*")].flatMap(below)
"""  # of all shadow trees
WORDS = ".wb-meaning, .wb-stage p, .wb-term, .wb-warning, .wb-stories p, .wb-dial p, .wb-stage h2, .wb-heads dd"
EXAMPLE = "particles?rule=qgf&weight=0.1"


@pytest.fixture
def calm(browser: Browser) -> Iterator[Page]:
    """Somebody whose system asks for less motion."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def open_dial(page: Page, address: str, curves: int = 1) -> Locator:
    open_page(page, address)
    dial = page.locator(f".wb-dial[data-curves='{curves}']:not(.wb-stale)")
    dial.wait_for()
    return dial


def hand(page: Page, rule: int = 0) -> Locator:
    return page.locator(".wb-dial-row input").nth(rule)


def earned(page: Page) -> float:
    return float(numbers(page, "qgf")["Earned"].replace("−", "-"))


def test_one_strength_moved_by_hand_moves_dot_words_slider_particles_and_link(page: Page, server: str) -> None:
    dial = open_dial(page, f"{server}/{EXAMPLE}")
    sentence, picture, before = page.locator(".wb-dial-sentence"), pixels(steered(page)), earned(page)
    canvas = dial.locator("> canvas")
    expect(sentence).to_contain_text("QGF at weight 0.1 earns")
    drawn = pixels(canvas)
    hand(page).focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    until(lambda: earned(page) > before)
    assert pixels(steered(page)) != picture
    assert pixels(canvas) != drawn
    value = hand(page).get_attribute("aria-valuetext")
    assert value is not None
    assert re.match(r"[\d.]+ action² / Q\. QGF at weight [\d.]+ earns", value)
    weight = value.split(" ")[0]
    expect(page.locator(".wb-weight .bk-slider-title")).to_contain_text(f"{weight} action² / Q")
    page.wait_for_url(f"**weight={weight}*")
    # What stands under the stage is what the dial says: the curve's points are pictures of the same noise.
    until(
        lambda: (
            f"earns {numbers(page, 'qgf')['Earned']} at shift {numbers(page, 'qgf')['Shift']};" in sentence.inner_text()
        )
    )
    # Too far: whom did the critic fool, and by how much?
    page.keyboard.press("End")
    until(lambda: page.locator(".wb-stage[data-rule=qgf] .wb-warning.wb-wrong").count() == 1)
    page.get_by_role("button", name="Undo").click()
    expect(sentence).not_to_contain_text("weight 30 ")


def test_the_dot_moves_before_the_server_answers(page: Page, server: str) -> None:
    open_dial(page, f"{server}/{EXAMPLE}")
    said = page.evaluate(
        EVERY
        + """
          const all = inside(document), one = (name) => all.find((el) => el.matches(name))
          const input = one(".wb-dial-row input")
          input.value = "20"
          input.dispatchEvent(new Event("input"))
          return [one(".wb-dial-sentence").textContent, input.getAttribute("aria-valuetext")]
        }"""
    )
    assert "earns" in said[0]
    assert "weight 0.1 " not in said[0]
    assert said[0] in said[1]


def test_the_curve_can_be_dragged_in_the_picture(page: Page, server: str) -> None:
    dial = open_dial(page, f"{server}/{EXAMPLE}")
    canvas, version = dial.locator("> canvas"), page.locator(".wb-scene")
    box = canvas.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    first = version.get_attribute("data-version")
    page.mouse.move(box["x"] + 60, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 40, middle, steps=8)
    page.mouse.up()
    until(lambda: float(numbers(page, "qgf")["Shift"]) > 0.5)
    assert version.get_attribute("data-version") != first
    assert int(hand(page).input_value()) > int(hand(page).get_attribute("max") or 0) // 2


def test_two_rules_have_a_dot_each_and_the_sidebar_moves_them_too(page: Page, server: str) -> None:
    open_dial(page, f"{server}/particles?rule=qgf&rule2=vgf", curves=2)
    expect(page.get_by_role("slider", name="QGF: weight w")).to_be_visible()
    expect(page.get_by_role("slider", name="VGF: steps L")).to_be_visible()
    slider(page, "steps").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".wb-dial-value").nth(1)).to_have_text("4 steps")
    expect(page.locator(".wb-dial-sentence")).to_contain_text("VGF at steps 4 earns")
    label = page.locator(".wb-dial > canvas").get_attribute("aria-label")
    assert label is not None
    assert "QGF at weight 0.3 earns" in label
    title = RULES["grad_step"].title
    page.locator(".wb-policy-0 .wb-rule select").select_option(label=title)
    expect(page.get_by_role("slider", name=f"{title}: steps")).to_be_visible()
    page.locator(".wb-dial[data-curves='2']:not(.wb-stale)").wait_for()


def test_another_peak_has_another_curve(page: Page, server: str) -> None:
    dial = open_dial(page, f"{server}/{EXAMPLE}")
    before = page.locator(".wb-dial-sentence").inner_text()
    steered(page).focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**peak=*")
    dial.wait_for()
    until(lambda: page.locator(".wb-dial-sentence").inner_text() != before)


def test_numbers_are_folded_explained_and_said_to_be_final(page: Page, server: str) -> None:
    open_page(page, f"{server}/particles?rule=qgf&weight=2")
    stage = page.locator(".wb-stage[data-rule=qgf]")
    expect(stage.locator(".wb-heads dt")).to_have_text(["Earned", "Shift"])
    expect(stage.locator(".wb-warning")).to_have_text(re.compile("The critic is wrong by 0\\.[3-9]"))
    expect(stage.locator(".wb-warning")).to_have_class(re.compile("wb-wrong"))
    expect(page.locator(".wb-stage[data-rule=bc] .wb-warning")).not_to_have_class(re.compile("wb-wrong"))
    expect(stage.locator(".wb-numbers")).to_be_hidden()
    stage.get_by_text("All numbers").click()
    expect(stage.locator(".wb-numbers")).to_be_visible()
    expect(page.locator(".wb-stage[data-rule=bc] .wb-numbers")).to_be_visible()  # of both, to be compared
    tip, term = page.locator(".wb-tip"), stage.get_by_role("button", name="Transport")
    term.focus()
    expect(tip).to_contain_text("mean length of the way")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    stage.get_by_role("button", name="Support").hover()
    expect(tip).to_contain_text("share of the chosen actions")
    expect(stage.locator(".wb-where")).to_have_text("At the state that is shown")
    page.get_by_role("slider", name="Flow time").focus()
    page.keyboard.press("ArrowLeft")
    expect(stage.locator(".wb-where")).to_have_text("Of the final actions")
    page.keyboard.press("ArrowRight")
    expect(stage.locator(".wb-where")).to_have_text("At the state that is shown")


def test_a_tap_explains_a_word(browser: Browser, server: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    open_page(page, f"{server}/{EXAMPLE}")
    page.locator(".wb-stage[data-rule=qgf] .wb-warning").tap()
    tip = page.locator(".wb-tip")
    expect(tip).to_contain_text("promised minus earned")
    box = tip.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    context.close()


def test_stories_are_steps_with_the_present_one_marked_and_said(page: Page, server: str) -> None:
    open_page(page, f"{server}/{EXAMPLE}")
    marked, words = page.locator(".wb-preset[aria-current=step]"), page.locator(".wb-stories p")
    expect(marked).to_have_count(0)
    page.get_by_role("button", name="Balanced").click()
    expect(marked).to_have_text("Balanced")
    expect(words).to_contain_text("as far as the critic can be trusted")
    page.get_by_role("button", name="Too far").click()
    expect(marked).to_have_text("Too far")
    page.mouse.move(700, 5)
    hand(page).focus()
    expect(words).to_contain_text("the critic is exploited")
    page.wait_for_timeout(1000)  # changes that follow each other faster are one step of undo
    page.keyboard.press("ArrowLeft")
    expect(marked).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(marked).to_have_text("Too far")


def test_play_takes_five_seconds_and_can_be_slower(page: Page, server: str) -> None:
    page.clock.install()
    page.goto(f"{server}/{EXAMPLE}")
    page.clock.resume()
    page.wait_for_selector(".wb-scene[data-version]")
    page.clock.pause_at("2100-01-01")
    clock, play = page.locator(".wb-clock"), page.get_by_role("button", name="Play flow time")
    for speed, half in (("1", 2500), ("0.5", 5000), ("2", 1250)):
        page.get_by_label("Speed of play").select_option(value=speed)
        play.click()
        page.clock.run_for(half)
        text = clock.inner_text()
        assert abs(float(text.removeprefix("t = ")) - 0.5) < 0.03, (speed, text)
        page.clock.run_for(half + 200)
        expect(clock).to_have_text("t = 1.00")
        expect(play).to_be_visible()


def test_play_shows_moments_to_those_who_want_less_motion(calm: Page, server: str) -> None:
    calm.clock.install()
    calm.goto(f"{server}/{EXAMPLE}")
    calm.clock.resume()
    calm.wait_for_selector(".wb-scene[data-version]")
    calm.clock.pause_at("2100-01-01")
    calm.get_by_role("button", name="Play flow time").click()
    seen = []
    for _ in range(50):
        calm.clock.run_for(100)
        seen.append(calm.locator(".wb-clock").inner_text())
    assert list(dict.fromkeys(seen)) == ["t = 0.00", "t = 0.25", "t = 0.50", "t = 0.75", "t = 1.00"]


@pytest.mark.parametrize("address", ["particles", "landscape?task=bandit2d", "rollouts"])
def test_every_slider_says_its_value_and_not_the_place_of_its_stop(page: Page, server: str, address: str) -> None:
    page.goto(f"{server}/{address}")
    page.locator(".wb-more button").first.click()
    page.wait_for_timeout(300)
    handles = page.locator(".bk-input-group:has(.bk-slider-title):visible")
    expect(handles.first).to_be_visible()
    for group in handles.all():
        shown = group.locator(".bk-slider-value").inner_text()
        expect(group.locator(".noUi-handle")).to_have_attribute("aria-valuetext", shown)
    log = page.locator(".wb-weight").first
    log.locator(".noUi-handle").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
        shown = log.locator(".bk-slider-value").inner_text()
        assert shown.endswith("action² / Q")
        expect(log.locator(".noUi-handle")).to_have_attribute("aria-valuetext", shown)


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_no_words_are_cut(page: Page, server: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_page(page, f"{server}/particles?rule=qgf&rule2=vgf")
    cut = page.evaluate(
        EVERY
        + """
          const words = inside(document).filter((el) => el.matches("WORDS") && el.clientWidth)
          return words.filter((el) => el.scrollWidth > el.clientWidth + 1).map((el) => el.className + ": " + el.textContent)
        }""".replace("WORDS", WORDS)
    )
    assert cut == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
