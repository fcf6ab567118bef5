"""``python -m benchmarks.screenshots [PAGE ...]``: all pages on desktop, phone and in the dark, into docs/screenshots/."""

from __future__ import annotations

import io
import sys

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from benchmarks.ui import FLAGS, ROOT, server
from workbench.ui.pages import PAGES

OUT = ROOT / "docs" / "screenshots"
MOST_BYTES = 300_000
VIEWS = {
    "desktop": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "device_scale_factor": 2},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
}
# Each picture tells something: what is set, and the words that show that it has been drawn. Other pages open as they are.
SCENES = {"particles": "?rule=qgf&weight=0.6&rule2=vgf&steps2=9&shown=256", "landscape": "?rule=qgf&weight=1"}
SETTLE_MS = 2500


def small(png: bytes) -> bytes:
    """The same picture with as many colours as fit into 300 kB."""
    image, colours = Image.open(io.BytesIO(png)).convert("RGB"), 256
    while len(png) > MOST_BYTES and colours >= 32:
        buffer = io.BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
        png, colours = buffer.getvalue(), colours // 2
    return png


def shoot(browser: Browser, url: str, name: str) -> None:
    for view, settings in VIEWS.items():
        context = browser.new_context(**settings)
        page = context.new_page()
        page.set_default_timeout(240_000)
        page.goto(f"{url}/{'' if name == 'index' else name}{SCENES.get(name, '')}")
        page.wait_for_selector("html[data-ready]")
        page.wait_for_timeout(SETTLE_MS)
        # A page that still trains or computes says so in a notice; wait until the words are gone.
        page.locator(".wb-notice.loading, .wb-waiting").first.wait_for(state="hidden", timeout=240_000)
        page.get_by_text("Training the built-in task").first.wait_for(state="hidden", timeout=240_000)
        page.wait_for_timeout(SETTLE_MS)
        picture = small(page.screenshot())
        (OUT / f"{name}-{view}.png").write_bytes(picture)
        print(f"docs/screenshots/{name}-{view}.png  {len(picture) // 1000} kB", flush=True)
        context.close()


def main() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from chromium import find_chromium

    names = sys.argv[1:] or ["index", *PAGES]
    unknown = [name for name in names if name not in PAGES and name != "index"]
    if unknown:
        sys.exit(f"no page named {', '.join(unknown)}; there are index, {', '.join(PAGES)}")
    OUT.mkdir(parents=True, exist_ok=True)
    with server() as (url, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS.split())
        for name in names:
            shoot(browser, url, name)
        browser.close()


if __name__ == "__main__":
    main()
