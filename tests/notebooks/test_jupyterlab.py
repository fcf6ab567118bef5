"""The first lesson in a real JupyterLab: its slider, moved by keyboard, changes the numbers and the picture.

Executing a notebook without a browser passes even when an output cannot be shown, so this is needed as well.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, expect, sync_playwright

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)


@pytest.fixture
def lab(root: Path, tmp_path: Path) -> Iterator[str]:
    """JupyterLab on a copy of the notebook, with no user's settings; yields its address."""
    folder = tmp_path / "lessons"
    folder.mkdir()
    shutil.copy(root / "notebooks" / "01_first_steps.ipynb", folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]),
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
    }
    options = [
        f"--ServerApp.root_dir={folder}",
        "--IdentityProvider.token=",
        "--ServerApp.open_browser=False",
        "--ServerApp.allow_root=True",
    ]
    options += [
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with (tmp_path / "lab.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", f"--port={port}", *options],
            env=env,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            end = time.monotonic() + 60
            while True:
                try:
                    urlopen(f"{address}/api", timeout=1).close()
                    break
                except (URLError, OSError):
                    assert process.poll() is None, (tmp_path / "lab.log").read_text()
                    assert time.monotonic() < end, "JupyterLab did not start"
                    time.sleep(0.2)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        page, elsewhere = browser.new_page(viewport={"width": 1280, "height": 1000}), []

        def only_here(route) -> None:
            elsewhere.append(route.request.url)
            route.abort()

        page.route(lambda url: not url.startswith(("http://127.0.0.1", "data:", "blob:")), only_here)
        yield page
        browser.close()
        assert not elsewhere, elsewhere


def test_a_slider_in_jupyterlab_changes_text_and_picture(lab: str, page: Page) -> None:
    page.goto(f"{lab}/lab/tree/01_first_steps.ipynb?reset")
    page.wait_for_selector(".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=90_000)
    page.locator(".jp-MarkdownCell").first.click()
    page.wait_for_timeout(1500)  # the kernel is idle before the notebook listens to it
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    slider = page.locator(".noUi-handle").first
    slider.wait_for(timeout=120_000)
    table = page.locator(".workbench-numbers").first
    expect(table).to_contain_text("QGF", timeout=30_000)
    text, picture = table.inner_text(), page.locator(".widget-image").first.get_attribute("src")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    end = time.monotonic() + 60  # the kernel answers after the cells that still run
    while table.inner_text() == text:
        assert time.monotonic() < end, "the slider changed nothing"
        page.wait_for_timeout(100)
    assert page.locator(".widget-image").first.get_attribute("src") != picture
    expect(page.locator(".widget-readout").first).to_have_text("1 action² / Q")
    # To the end, without an error in any cell.
    last = page.locator(".jp-CodeCell").last
    expect(last.locator(".jp-InputPrompt")).to_contain_text(re.compile(r"\[\d+\]"), timeout=120_000)
    expect(
        page.locator('[data-mime-type="application/vnd.jupyter.stderr"], .jp-RenderedText[data-mime-type*=error]')
    ).to_have_count(0)
