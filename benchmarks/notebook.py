"""From a slider's key to the painted picture in a real JupyterLab, and how long each lesson runs.

The peer is what the same picture costs with ipywidgets and a matplotlib image (`Explorer`), in the same notebook.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

import nbformat
from nbclient import NotebookClient
from playwright.sync_api import Page, sync_playwright

from benchmarks.timing import table

ROOT = Path(__file__).resolve().parents[1]
FLAGS = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update"
KEYS = 24
CELLS = (
    "from workbench.ui.notebook import Bench, Explorer, Live, parts_for, ready\nimport workbench as wb\nready()",
    'Bench("bandit2d", "qgf", ["weight"], weight=0.05, shown=256)',
    'Explorer(wb.make_task("bandit2d"), parts_for("bandit2d"), "qgf", weight=0.05)',
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
  while (state() === before) await new Promise(requestAnimationFrame)
  await new Promise(requestAnimationFrame)
  return performance.now() - start
}"""


def run() -> None:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        env = os.environ | {
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "HOME": name,
            "XDG_CACHE_HOME": str(home / "cache"),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        }
        _keys(home, env)
        _lessons(home, env)


def _keys(home: Path, env: dict[str, str]) -> None:
    folder = home / "lessons"
    folder.mkdir()
    cells = [nbformat.v4.new_markdown_cell("# Bench"), *[nbformat.v4.new_code_cell(text) for text in CELLS]]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "keys.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [
        f"--port={port}", f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=", "--ServerApp.open_browser=False",
        "--ServerApp.allow_root=True", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options],
        env=env,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        for _ in range(300):
            try:
                urlopen(f"http://127.0.0.1:{port}/api", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        with sync_playwright() as playwright:
            sys.path.append(str(ROOT / "tests"))
            from chromium import find_chromium

            browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS.split())
            page = browser.new_page(viewport={"width": 1280, "height": 1600})
            page.goto(f"http://127.0.0.1:{port}/lab/tree/keys.ipynb?reset")
            page.wait_for_selector(
                ".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=120_000
            )
            page.locator(".jp-MarkdownCell").first.click()
            page.wait_for_timeout(1500)
            page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
            page.locator(".workbench-numbers").wait_for(timeout=120_000)
            page.wait_for_timeout(4000)
            rows = []
            # In turns, so that a drift of the machine's speed meets both.
            taken: dict[int, list[float]] = {1: [], 2: []}
            for _ in range(KEYS):
                for cell in taken:
                    taken[cell].append(_press(page, cell))
            for what, cell in (
                ("Bench (Panel, the dashboard's stages)", 1),
                ("Explorer (ipywidgets and matplotlib)", 2),
            ):
                times = sorted(taken[cell][3:])
                rows.append([what, f"{statistics.median(times):.0f}", f"{times[int(0.95 * len(times))]:.0f}"])
            browser.close()
        table(
            f"JupyterLab, key to painted picture, {KEYS - 3} keys (to reach: p50 140 ms)",
            ("what", "p50 ms", "p95 ms"),
            rows,
        )
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def _press(page: Page, cell: int) -> float:
    page.evaluate("window.wbReady = false")
    page.evaluate(f"window.wbTook = ({WATCH})({cell})")
    page.wait_for_function("window.wbReady")
    page.keyboard.press("ArrowRight")
    took = float(page.evaluate("window.wbTook"))
    page.wait_for_timeout(150)
    return took


def _lessons(home: Path, env: dict[str, str]) -> None:
    rows = []
    (home / "run").mkdir()
    (home / "run" / "data").symlink_to(ROOT / "notebooks" / "data")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        start = time.perf_counter()
        NotebookClient(
            notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(home / "run")}}
        ).execute(env=env)
        rows.append([path.stem, f"{time.perf_counter() - start:.0f}"])
    rows.append(["all", f"{sum(int(seconds) for _, seconds in rows)}"])
    table(
        "lessons from top to bottom, the policy of three exits trained in the first (to reach: 60 s each)",
        ("lesson", "s"),
        rows,
    )
