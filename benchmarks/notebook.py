"""From a slider's key to the painted picture in a real JupyterLab.

Both ways: the dashboard's stages (`Bench`), and ipywidgets with a matplotlib image (`workbench.explore`).
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

import nbformat
from playwright.sync_api import Page, sync_playwright

from benchmarks.timing import table

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))
from chromium import find_chromium  # noqa: E402
from classroom import FLAGS, RED, jupyterlab, run_all  # noqa: E402

KEYS = 24
CELLS = (
    "from workbench.ui.notebook import Bench, Live, parts_for, ready\nimport workbench as wb\nready()",
    'Bench("bandit2d", "qgf", ["weight"], weight=0.05, shown=256)',
    'wb.explore(parts_for("bandit2d"), rule="qgf", task="bandit2d", weight=0.05)',
)
# Resolves with the time from the key to the first frame in which the picture is another one.
WATCH = """async (cell) => {
  const host = [...document.querySelectorAll(".jp-CodeCell")][cell]
  const deep = (node, test) => {
    if (test(node)) return node
    for (const child of [...(node.shadowRoot?.children ?? []), ...node.children]) {
      const found = deep(child, test)
      if (found) return found
    }
    return null
  }
  const scene = deep(host, (n) => n.dataset?.version !== undefined) ?? deep(host, (n) => n.classList?.contains("widget-image"))
  const state = () => scene.dataset.version ?? scene.src
  const before = state(), handle = deep(host, (n) => n.classList?.contains("noUi-handle"))
  const start = await new Promise((done) => {
    window.wbKey = (event) => { removeEventListener("keydown", window.wbKey, true); done(performance.now()) }
    addEventListener("keydown", window.wbKey, true)
    handle.focus()
    window.wbReady = true
  })
  while (state() === before) {
    if (performance.now() - start > 15000) return null
    await new Promise(requestAnimationFrame)
  }
  await new Promise(requestAnimationFrame)
  return performance.now() - start
}"""


def run() -> None:
    with tempfile.TemporaryDirectory() as name:
        home, folder = Path(name), Path(name) / "lessons"
        folder.mkdir()
        cells = [nbformat.v4.new_markdown_cell("# Bench"), *[nbformat.v4.new_code_cell(text) for text in CELLS]]
        # Without the name of a kernel JupyterLab asks for one, in a dialog that takes every click.
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "keys.ipynb")
        more = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(home / "cache")}
        with jupyterlab(folder, home, os.environ | more) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS.split())
            page = browser.new_page(viewport={"width": 1280, "height": 1600})
            run_all(page, address, "keys.ipynb")
            red = page.locator(RED)
            assert red.count() == 0, f"a cell failed: {red.first.inner_text()}"
            page.locator(".workbench-numbers").wait_for(timeout=60_000)
            page.wait_for_timeout(3000)  # the pictures are drawn after the cells have run
            # In turns, so that a drift of the machine's speed meets both.
            taken: dict[int, list[float]] = {1: [], 2: []}
            for number in range(KEYS):
                key = "ArrowRight" if number < KEYS // 2 else "ArrowLeft"  # there and back, never at an end
                for cell in taken:
                    taken[cell].append(_press(page, cell, key))
            browser.close()
        rows = []
        for what, cell in (("Bench (Panel, the dashboard's stages)", 1), ("wb.explore (ipywidgets and matplotlib)", 2)):
            times = sorted(taken[cell][3:])
            rows.append([what, f"{statistics.median(times):.0f}", f"{times[int(0.95 * len(times))]:.0f}"])
        load = os.getloadavg()[0]
        table(
            f"JupyterLab, key to painted picture, {KEYS - 3} keys (to reach: p50 140 ms, of wb.explore 90 ms; "
            f"load of the machine in the last minute {load:.1f})",
            ("what", "p50 ms", "p95 ms"),
            rows,
        )


def _press(page: Page, cell: int, key: str) -> float:
    """Milliseconds from one key on the slider of a cell to the changed picture."""
    # In braces, so that it returns at once: the promise ends after the key.
    page.evaluate(f"() => {{ window.wbReady = false; window.wbTook = ({WATCH})({cell}) }}")
    page.wait_for_function("window.wbReady")
    page.keyboard.press(key)
    took = page.evaluate("window.wbTook")
    if took is None:
        slider = page.locator(".jp-CodeCell").nth(cell).locator(".noUi-handle").first
        dialogs = page.locator(".jp-Dialog").all_inner_texts()
        raise AssertionError(
            f"cell {cell}: {key} changed no picture in 15 s; its slider says {slider.get_attribute('aria-valuetext')}, "
            f"open dialogs: {dialogs}"
        )
    page.wait_for_timeout(150)
    return float(took)
