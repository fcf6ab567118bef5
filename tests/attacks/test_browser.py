"""In a browser: pages under their Content-Security-Policy, and behind nginx with TLS and a prefix, as docs/nginx.conf has it."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attacks.conftest import ask, free_port, served
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
NAME = "lab.example.org"
PATIENCE = 120_000
CURE = "nginx is not on PATH; `make browser` installs it in a container of Debian's; elsewhere: apt-get install nginx-light"
pytestmark = pytest.mark.browser

# Everything that markup from a store could try; each would set window.ran.
TRY = """() => {
  window.refused = []
  document.addEventListener("securitypolicyviolation", (event) => window.refused.push(event.effectiveDirective))
  const put = (html) => document.body.insertAdjacentHTML("beforeend", html)
  put('<img src="data:image/png;base64,x" onerror="window.ran = 1">')
  put('<svg onload="window.ran = 2"></svg>')
  put('<a id="wb-try" href="javascript:window.ran = 3">x</a>')
  document.getElementById("wb-try").click()
  put('<iframe srcdoc="<script>parent.ran = 4</scr' + 'ipt>"></iframe>')
  put('<object data="data:text/html,x"></object>')
  const sources = [["src", "http://127.0.0.1:9/x.js"], ["src", "data:text/javascript,window.ran=6"]]
  for (const [key, value] of [["textContent", "window.ran = 5"], ...sources]) {
    const script = document.createElement("script")
    script[key] = value
    document.head.append(script)
  }
  fetch("http://127.0.0.1:9/").catch(() => {})
}"""


@pytest.fixture(scope="module")
def browser(chromium: str, proxy_port: int) -> Iterator[Browser]:
    """A browser for which the example's name leads to this machine."""
    rules = f"--host-resolver-rules=MAP {NAME}:443 127.0.0.1:{proxy_port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS.split(), rules])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def proxy_port() -> int:
    """Where nginx listens, for TLS."""
    return free_port()


@contextmanager
def watched(context: BrowserContext) -> Iterator[tuple[Page, list[str]]]:
    """A page and what went wrong on it."""
    context.set_default_timeout(PATIENCE)
    page, faults = context.new_page(), []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("response", lambda found: faults.append(f"{found.status} {found.url}") if found.status >= 400 else None)
    yield page, faults
    context.close()


def works(page: Page) -> None:
    """The websocket is open and the page's own controls are there."""
    expect(page.locator(".wb-toolbar button").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".wb-opening")).to_be_hidden(timeout=PATIENCE)


def test_no_markup_runs_under_the_policy_of_a_page(root: Path, tmp_path: Path, browser: Browser) -> None:
    with served(root, tmp_path) as port, watched(browser.new_context()) as (page, faults):
        page.goto(f"http://127.0.0.1:{port}/runs")
        works(page)
        assert not faults  # the page itself needs nothing that its policy refuses
        page.evaluate(TRY)
        page.wait_for_function("window.refused.length >= 6", timeout=PATIENCE)
        page.wait_for_timeout(300)
        assert page.evaluate("window.ran") is None
        refused = set(page.evaluate("window.refused"))
        assert {"script-src-attr", "script-src-elem", "object-src", "connect-src"} <= refused


@contextmanager
def nginx(root: Path, folder: Path, tls: int, plain: int, behind: int) -> Iterator[None]:
    """The configuration of the documentation, with free ports and a certificate that was made for the test."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    openssl = shutil.which("openssl")
    if program is None or openssl is None:
        pytest.skip(CURE)
    folder.mkdir()
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    making = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    subprocess.run([*making, "-out", certificate, "-keyout", key], check=True, capture_output=True)
    text = (root / "docs" / "nginx.conf").read_text()
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    changes = {
        "listen 443": f"listen 127.0.0.1:{tls}",
        "listen 80": f"listen 127.0.0.1:{plain}",
        "127.0.0.1:5006": f"127.0.0.1:{behind}",
        f"/etc/ssl/certs/{NAME}.pem": str(certificate),
        f"/etc/ssl/private/{NAME}.key": str(key),
        "http {\n": f"http {{\naccess_log off;\n{temporary}",
    }
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text)
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    process = subprocess.Popen([*command, "-g", f"daemon off; pid {folder}/pid;"])
    try:
        until = time.monotonic() + 60
        while True:
            assert process.poll() is None, (folder / "error.log").read_text()
            assert time.monotonic() < until, "nginx does not listen"
            try:
                socket.create_connection(("127.0.0.1", tls), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


def test_pages_work_behind_nginx_with_tls_and_a_prefix(
    root: Path, tmp_path: Path, browser: Browser, proxy_port: int
) -> None:
    users, plain, home = tmp_path / "users.json", free_port(), f"https://{NAME}/workbench"
    users.write_text(json.dumps({"ann": "tulip"}))
    flags = ("--basic-auth", str(users), "--allow-websocket-origin", NAME, "--trusted-proxy", "127.0.0.1")
    with served(root, tmp_path / "home", *flags) as port, nginx(root, tmp_path / "nginx", proxy_port, plain, port):
        first = ask(plain, ["GET /workbench/runs HTTP/1.1", f"Host: {NAME}"])
        assert (first.status, first.headers["location"]) == (308, [f"{home}/runs"])
        with watched(browser.new_context(ignore_https_errors=True)) as (page, faults):
            page.goto(f"{home}/particles?rule=qgf&weight=0.5&rule2=none")
            assert page.url.startswith(f"{home}/login?next=")
            page.fill("#username", "ann")
            page.fill("#password", "rose")
            page.click("button")
            expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
            page.fill("#username", "ann")
            page.fill("#password", "tulip")
            page.click("button")
            page.wait_for_url(re.compile(r"/workbench/particles\?.*weight=0\.5"))
            works(page)
            (cookie,) = page.context.cookies()
            assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
            assert page.evaluate("document.cookie") == ""
            page.click(".wb-nav a[data-page=runs]")
            page.wait_for_url(f"{home}/runs**")
            works(page)
            page.goto(f"https://{NAME}/workbench")
            assert page.url == f"{home}/"
            works(page)
            page.click("details:has(a[href='./particles?rule=bc']) > summary")
            page.click("a[href='./particles?rule=bc']")
            page.wait_for_url(f"{home}/particles?**")
            works(page)
            page.click(".wb-leave")
            page.wait_for_url(f"{home}/logout")
            page.click("button")
            page.wait_for_url(f"{home}/login")
            page.goto(f"{home}/runs")
            assert "/workbench/login" in page.url
            assert not faults
