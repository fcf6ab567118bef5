"""The index as a person meets it: the opening plays once, stops at a touch, is three pictures for those who want calm."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from imageio_ffmpeg import count_frames_and_secs
from playwright.sync_api import Browser, Page, WebSocket, expect

from workbench.ui.shell.registry import PAGES
from workbench.views.opening.measured import SECONDS, shipped

ROOT = "#wb-opening"


def state(page: Page, wanted: str) -> None:
    expect(page.locator(ROOT)).to_have_attribute("data-state", wanted)


def frame(page: Page) -> float:
    return float(page.locator(ROOT).get_attribute("data-frame") or "nan")


@pytest.fixture
def calm(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    yield context.new_page()
    context.close()


@pytest.mark.browser
def test_a_first_visit_sees_the_strength_rise_to_too_far_and_a_second_does_not(page: Page, server: str) -> None:
    sent: list[object] = []

    def heard(socket: WebSocket) -> None:
        socket.on("framesent", lambda found: sent.append(found))
        socket.on("framereceived", lambda found: sent.append(found))

    page.on("websocket", heard)
    page.goto(server)
    state(page, "playing")
    page.wait_for_timeout(500)
    before, said = len(sent), []
    caption = page.locator(f"{ROOT} .wb-caption")
    while page.locator(ROOT).get_attribute("data-state") == "playing":
        words = caption.inner_text()
        if not said or said[-1] != words:
            said.append(words)
        page.wait_for_timeout(150)
    state(page, "ended")
    assert said == [one.text for one in shipped().captions]
    assert frame(page) == len(shipped().words) - 1
    assert len(sent) == before, "it plays without the server"

    page.reload()
    state(page, "seen")
    assert frame(page) == shipped().best
    expect(caption).to_contain_text("Best at")
    page.get_by_role("button", name="Play again").click()
    state(page, "playing")
    page.wait_for_function(f"document.querySelector('{ROOT}').dataset.frame > 1")
    page.get_by_role("button", name="Stop").click()
    state(page, "stopped")
    page.get_by_role("button", name="Play again").press("Enter")
    state(page, "playing")
    page.keyboard.press("Escape")
    state(page, "stopped")


@pytest.mark.browser
@pytest.mark.parametrize("how", ["key", "wheel", "pointer"])
def test_it_stops_at_any_touch_and_stays_where_it_was(page: Page, server: str, how: str) -> None:
    page.goto(server)
    state(page, "playing")
    page.wait_for_function(f"document.querySelector('{ROOT}').dataset.frame > 1")
    if how == "key":
        page.keyboard.press("Shift")
    elif how == "wheel":
        page.mouse.wheel(0, 40)
    else:
        page.mouse.click(3, 300)
    state(page, "stopped")
    stopped = frame(page)
    page.wait_for_timeout(300)
    assert 1 <= frame(page) == stopped < len(shipped().words) - 1


@pytest.mark.browser
def test_a_hand_moves_the_strength_and_goes_on_with_it(page: Page, server: str) -> None:
    page.add_init_script("localStorage.setItem('wb-opening-seen', '1')")
    page.goto(server)
    state(page, "seen")
    hand = page.get_by_role("slider", name="Strength")
    hand.focus()
    hand.press("End")
    ours = shipped()
    expect(hand).to_have_attribute("aria-valuetext", ours.words[-1])
    expect(page.locator(f"{ROOT} .wb-caption")).to_have_text(ours.captions[2].text)
    page.get_by_role("link", name="Steer it yourself").click()
    page.wait_for_url(re.compile(r"/particles\?"))
    assert f"weight={ours.strengths[-1]}" in page.url.replace("weight=2&", "weight=2.0&") + "&"
    expect(page.locator(".wb-scene[data-version]")).to_be_visible()


@pytest.mark.browser
def test_with_reduced_motion_it_is_three_pictures_with_their_captions(calm: Page, server: str) -> None:
    calm.goto(server)
    state(calm, "stills")
    assert calm.locator(f"{ROOT} figcaption").all_inner_texts() == [one.text for one in shipped().captions]
    assert calm.locator(f"{ROOT} canvas").count() == 6
    inked = (
        "(canvas) => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size > 40"
    )
    assert all(calm.locator(f"{ROOT} canvas").nth(i).evaluate(inked) for i in range(6))
    assert calm.get_by_role("button", name="Play again").count() == 0


@pytest.mark.browser
def test_the_films_are_saved_from_a_button_and_others_open_them(page: Page, server: str, tmp_path: Path) -> None:
    page.goto(server)
    state(page, "playing")
    for kind in ("GIF", "MP4"):
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as waiting:
            page.get_by_role("menuitem", name=f"Opening as {kind}").click()
        waiting.value.save_as(tmp_path / f"opening.{kind.lower()}")
    _, seconds = count_frames_and_secs(str(tmp_path / "opening.gif"))
    assert seconds == pytest.approx(SECONDS, abs=0.2)
    film = (tmp_path / "opening.mp4").read_bytes()
    # The browser itself reads the MP4, which ffmpeg wrote.
    viewer = page.context.new_page()  # whose policy allows a film, as a person's player does
    told = viewer.evaluate(
        """async (bytes) => {
          const video = document.createElement("video"), type = "video/mp4"
          if (!video.canPlayType(type + '; codecs="avc1.640020"')) return null
          video.src = URL.createObjectURL(new Blob([Uint8Array.from(bytes)], {type}))
          await new Promise((done, fail) => { video.onloadedmetadata = done; video.onerror = () => fail(video.error) })
          return [video.videoWidth, video.videoHeight, video.duration]
        }""",
        list(film),
    )
    assert film[4:8] == b"ftyp"
    if told is not None:
        assert told == [960, 540, pytest.approx(SECONDS, abs=0.1)]


@pytest.mark.browser
def test_the_index_leads_on(page: Page, server: str) -> None:
    page.add_init_script("localStorage.setItem('wb-opening-seen', '1')")
    page.goto(server)
    for road in ("Learn", "Teach", "Decide for my policy"):
        expect(page.get_by_role("heading", name=road)).to_be_visible()
    targets = page.locator("main a").evaluate_all("(all) => all.map((a) => new URL(a.href).pathname.slice(1))")
    assert set(targets) == set(PAGES)
    rules = page.locator("details.wb-rules")
    assert rules.get_attribute("open") is None
    rules.locator("summary").click()
    expect(rules.get_by_role("link", name="Best of N")).to_be_visible()
    page.get_by_role("link", name="Start here").click()
    page.wait_for_url(re.compile(rf"/particles\?.*weight={shipped().strengths[shipped().best]}"))


@pytest.mark.parametrize("name", ["", *PAGES])
def test_a_page_asks_for_no_script_that_nothing_on_it_needs(server: str, name: str) -> None:
    with urlopen(f"{server}/{name}", timeout=60) as answer:
        scripts = re.findall(r'src="[^"]*/(bokeh-[a-z]+)\.', answer.read().decode())
    assert sorted(scripts) in ([], ["bokeh-tables", "bokeh-widgets"])
