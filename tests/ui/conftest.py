"""A real server in its own process, and a browser page that reports what it should not do."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
PATIENCE_MS = 60_000  # machines are shared; what is wrong fails all the same
expect.set_options(timeout=PATIENCE_MS / 2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session", autouse=True)
def _no_store_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Pages that are made in this process never look at the user's own runs."""
    before = os.environ.get("WORKBENCH_STORE")
    os.environ["WORKBENCH_STORE"] = str(tmp_path_factory.mktemp("pages") / "store")
    yield
    del os.environ["WORKBENCH_STORE"]
    if before is not None:
        os.environ["WORKBENCH_STORE"] = before


@pytest.fixture(scope="module")
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server's runs are."""
    return tmp_path_factory.mktemp("lab") / "store"


@contextmanager
def serving(root: Path, home: Path, store: Path) -> Iterator[str]:
    """`serve` in a process of its own; it must also stop cleanly. Caches and trainings are kept in ``home``."""
    port = free_port()
    env = os.environ | {"PYTHONPATH": str(root), "WORKBENCH_STORE": str(store)}
    env |= {"XDG_CACHE_HOME": str(home / "cache"), "XDG_DATA_HOME": str(home / "data")}
    command = f"from workbench.ui.serve import serve; serve(port={port}, show=False)"
    process = subprocess.Popen([sys.executable, "-c", command], env=env, cwd=root, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "Workbench is at" in line, line
    yield f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "has stopped" in rest


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory, store_folder: Path) -> Iterator[str]:
    """A server of each file's own: what it has trained and what lies in its store depends on no other file's tests."""
    with serving(root, tmp_path_factory.mktemp("home"), store_folder) as url:
        yield url


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One per module: Playwright's event loop runs as long as this does, and other tests want one of their own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of 1440×900; an error in the console or a request to another host fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    context.set_default_timeout(PATIENCE_MS)
    context.set_default_navigation_timeout(2 * PATIENCE_MS)
    page, faults = context.new_page(), []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(f"console: {message.text}")

    def asked(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            faults.append(f"request to another host: {request.url}")

    page.on("console", heard)
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("request", asked)
    page.on("requestfailed", lambda request: faults.append(f"failed: {request.url}"))
    page.on(
        "response",
        lambda response: faults.append(f"{response.status}: {response.url}") if response.status >= 400 else None,
    )
    yield page
    page.remove_listener("console", heard)
    context.close()
    assert not faults, faults


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder that goes away, for code that writes where it stands."""
    monkeypatch.chdir(tmp_path)
