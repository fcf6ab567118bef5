"""``python -m benchmarks.screenshots [PICTURE ...]``: all pages on desktop, phone and in the dark, into docs/screenshots/.

Everything that they show is made here first: a small sweep (28 jobs, under a minute), and a training when its page is shown.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.ui_server import FLAGS, ROOT, server
from workbench.experiments.grid import Grid
from workbench.experiments.own_store import STORE_VARIABLE
from workbench.experiments.serial import Serial
from workbench.experiments.store import Store
from workbench.experiments.sweep import sweep
from workbench.ui.shell.registry import PAGES

OUT = ROOT / "docs" / "screenshots"
MOST_BYTES = 200_000
PATIENCE_MS = 240_000
VIEWS = {
    "desktop": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "device_scale_factor": 2},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
}
SETTLE_MS = 2500
OWNER = "0" * 32  # all pictures are one person's: the training of the first is there for the next
GRID = Grid(
    tasks=("bandit1d",),
    rules=("bc", "qgf", "grad_step", "vgf"),
    axes={
        "qgf.weight": (0.03, 0.1, 0.3, 1.0, 3.0),
        "grad_step.steps": (1, 3, 10, 30),
        "vgf.steps": (1, 3, 10, 30),
    },
    seeds=(0, 1),
    episodes=200,
)
MAZE = "maze"  # the course's policy of pointmaze, as a run of the store


def nothing(page: Page) -> None:
    """The page as it opens."""


def balanced(page: Page) -> None:
    page.locator(".wb-preset-balanced button").click()
    page.mouse.move(2, 2)


def trained(page: Page) -> None:
    """A training of the bandit in the plane, started here unless it is there."""
    state = page.locator("div:has(> dt [data-tip='what the process is doing']) > dd")
    page.wait_for_timeout(SETTLE_MS)
    if not state.count():
        page.locator(".wb-task select").select_option("Bandit in the plane")
        expect(page.get_by_label("Updates")).to_have_value("2000")
        page.locator(".wb-start button").click()
    expect(state).to_have_text("Finished", timeout=PATIENCE_MS)
    expect(page.get_by_role("slider").first).to_be_enabled()


def compared(page: Page) -> None:
    """Two rules at their best."""
    page.get_by_label("Words").fill("seed=0")
    expect(page.locator("tbody tr")).to_have_count(len(GRID.jobs()) // 2)
    for rule, setting in (("qgf", "weight=1"), ("vgf", "steps=3")):
        row = page.locator("tbody tr").filter(has=page.get_by_text(setting, exact=True)).filter(has_text=rule)
        row.locator("input").click()
    expect(page.get_by_text("2 runs side by side")).to_be_visible()


def rendered(page: Page) -> None:
    page.locator(".wb-film-a button").click()
    page.locator(".film img").last.wait_for(timeout=PATIENCE_MS)


def exemplified(page: Page) -> None:
    """The example's dataset, as it was recognised."""
    page.locator(".wb-example button").click()
    expect(page.get_by_text("three_exits.npz: a dataset")).to_be_visible(timeout=PATIENCE_MS)


class Scene(NamedTuple):
    """A picture that tells something: the page, what is set, and what a person then does."""

    page: str
    query: str = ""
    act: Callable[[Page], None] = nothing
    views: tuple[str, ...] = tuple(VIEWS)


SCENES = {
    "index": Scene(""),
    "particles": Scene("particles", "?rule=qgf&weight=0.6&rule2=vgf&steps2=9&shown=256"),
    "landscape": Scene("landscape", "?rule=qgf&weight=1"),
    "budget": Scene("budget", "?task=bandit1d", balanced),
    "compare": Scene("compare"),
    "rollouts": Scene("rollouts", "?rule=qgf&weight=0.3&other=30&episodes=300"),
    "frames": Scene("rollouts", f"?task=run:{MAZE}&rule=qgf&weight=30&other=300&episodes=100", rendered, ("desktop",)),
    "training": Scene("training", "", trained),
    "runs": Scene("runs", "", compared),
    "bring": Scene("bring", "", exemplified),
    "language": Scene("language"),
}


def small(png: bytes) -> bytes:
    """The same picture with as many colours as fit into 200 kB."""
    image, colours = Image.open(io.BytesIO(png)).convert("RGB"), 256
    while len(png) > MOST_BYTES and colours >= 16:
        buffer = io.BytesIO()
        image.quantize(colours, Image.Quantize.MAXCOVERAGE, kmeans=4, dither=Image.Dither.NONE).save(
            buffer, "png", optimize=True
        )
        png, colours = buffer.getvalue(), colours // 2
    return png


def shoot(browser: Browser, url: str, name: str) -> None:
    scene = SCENES[name]
    for view in scene.views:
        context = browser.new_context(**VIEWS[view])
        context.add_init_script(f"localStorage.setItem('wb-owner', '{OWNER}')")
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{url}/{scene.page}{scene.query}")
        page.wait_for_selector("html[data-ready]")
        page.wait_for_timeout(SETTLE_MS)
        # A page that still trains or plays says so in a notice; wait until the words are gone.
        for waiting in (page.locator(".notice.loading"), page.locator(".wb-notice.loading, .wb-waiting")):
            waiting.first.wait_for(state="hidden", timeout=PATIENCE_MS)
        scene.act(page)
        page.wait_for_timeout(SETTLE_MS)
        page.evaluate("scrollTo(0, 0)")
        picture = small(page.screenshot())
        (OUT / f"{name}-{view}.png").write_bytes(picture)
        print(f"docs/screenshots/{name}-{view}.png  {len(picture) // 1000} kB", flush=True)
        context.close()


def fill(store: Path) -> None:
    """The sweep behind Budget and Runs, and the maze's policy."""
    for progress in sweep(GRID, Store(store, create=True), Serial()):
        assert progress.failed == 0, progress.errors
    shutil.copytree(ROOT / "notebooks" / "data" / "pointmaze", store / "trained" / MAZE)


def main() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from chromium import find_chromium

    names = sys.argv[1:] or list(SCENES)
    assert {scene.page for scene in SCENES.values()} >= set(PAGES), "a page without a picture"
    unknown = [name for name in names if name not in SCENES]
    if unknown:
        sys.exit(f"no picture named {', '.join(unknown)}; there are {', '.join(SCENES)}")
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "lab"
        os.environ |= {STORE_VARIABLE: str(store), "XDG_DATA_HOME": folder}  # nothing of the user's own is shown
        if set(names) & {"budget", "compare", "runs", "frames"}:
            fill(store)
        with server() as (url, _), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS.split())
            for name in names:
                shoot(browser, url, name)
            browser.close()


if __name__ == "__main__":
    main()
