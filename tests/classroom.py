"""A JupyterLab of our own, with nobody's settings, and a lesson opened in it; for the tests and for the benchmark."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Page

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
OPTIONS = (
    "--IdentityProvider.token=", "--ServerApp.open_browser=False", "--ServerApp.allow_root=True",
    "--LabApp.expose_app_in_browser=True",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)  # fmt: skip
SETTINGS = {
    # All cells are drawn, not only those in view: those who look want all of them.
    "notebook-extension/tracker": {"windowingMode": "none"},
    # It is this setting that asks about news; no option of the server does.
    "apputils-extension/notification": {"fetchNews": "false", "doNotDisturbMode": True},
}
IDLE = ".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status=idle]"
DIALOG = ".jp-Dialog"
RED = '[data-mime-type="application/vnd.jupyter.stderr"], .jp-RenderedText[data-mime-type*=error]'
COUNTS = """() => {
  const panel = window.jupyterapp.shell.currentWidget
  const cells = panel.content.widgets.filter((cell) => cell.model.type === "code")
  const done = cells.filter((cell) => cell.model.executionCount !== null && cell.model.executionState !== "running")
  return [cells.length, done.length, panel.context.sessionContext.session?.kernel?.status]
}"""


@contextmanager
def jupyterlab(folder: Path, home: Path, env: Mapping[str, str]) -> Iterator[str]:
    """JupyterLab on the notebooks in ``folder``, its own files in ``home``; yields its address."""
    for name, setting in SETTINGS.items():
        path = home / "config" / "lab" / "user-settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(setting))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = dict(env) | {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
    }
    command = [sys.executable, "-m", "jupyterlab", f"--port={port}", f"--ServerApp.root_dir={folder}", *OPTIONS]
    address, log = f"http://127.0.0.1:{port}", home / "lab.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=out, stderr=out)
        try:
            end = time.monotonic() + 90
            while True:
                try:
                    urlopen(f"{address}/api", timeout=1).close()
                    break
                except (URLError, OSError):
                    assert process.poll() is None, f"JupyterLab ended:\n{log.read_text()}"
                    assert time.monotonic() < end, f"JupyterLab did not start in 90 s:\n{log.read_text()}"
                    time.sleep(0.2)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def no_dialog(page: Page) -> None:
    """Say what JupyterLab asks: behind an open dialog every click waits in vain."""
    dialog = page.locator(DIALOG)
    assert dialog.count() == 0, f"JupyterLab waits for an answer to this dialog: {dialog.first.inner_text()!r}"


def run_all(page: Page, lab: str, name: str, seconds: float = 420.0) -> None:
    """Open a notebook and run all its cells; returns when the last one has run."""
    page.goto(f"{lab}/lab/tree/{name}?reset")
    page.wait_for_selector(f"{IDLE}, {DIALOG}", timeout=120_000)
    page.wait_for_timeout(1500)  # the kernel is idle before the notebook listens to it
    no_dialog(page)
    page.locator(".jp-MarkdownCell").first.click()
    end = time.monotonic() + seconds
    asked = 0.0
    while True:
        cells, done, status = page.evaluate(COUNTS)
        # On a busy machine the notebook may not listen yet, and the wish is lost: ask again until something has run.
        if done == 0 and status == "idle" and time.monotonic() - asked > 15:
            page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
            asked = time.monotonic()
        if cells == done and status == "idle":
            return
        no_dialog(page)
        assert time.monotonic() < end, f"{done} of {cells} cells ran in {seconds:g} s, the kernel is {status}"
        page.wait_for_timeout(200)
