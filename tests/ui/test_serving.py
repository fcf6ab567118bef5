"""Who may come in: passwords, origins, the flags' words, and an end that leaves nothing behind."""

import asyncio
import http.cookiejar
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from sockets import what_is_left_closed
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect
from ui.conftest import free_port

from workbench.ui.serve import check_origin, end_children
from workbench.ui.signin.users import read_users

TOKEN = re.compile(r'"token":"([^"]+)"')


@pytest.fixture(scope="module")
def locked(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that asks for a password and knows one further origin."""
    port, users = free_port(), tmp_path_factory.mktemp("users") / "users.json"
    users.write_text(json.dumps({"ann": "tulip"}))
    command = [sys.executable, "-m", "workbench.cli", "serve", "--port", str(port), "--basic-auth", str(users)]
    command += ["--allow-websocket-origin", "lab.example.org"]
    process = subprocess.Popen(
        command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while "Workbench is at" not in (line := process.stdout.readline()):
        assert line, "the server ended"
    yield f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0


class Visitor:
    """A browser as far as cookies go."""

    def __init__(self, server: str) -> None:
        self.server, self.cookies = server, http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def get(self, path: str) -> tuple[str, str]:
        """Address where it ended, and the text."""
        with self._opener.open(self.server + path, timeout=60) as answer:
            return answer.url, answer.read().decode()

    def sign_in(self, name: str, password: str) -> tuple[str, str]:
        data = urllib.parse.urlencode({"username": name, "password": password}).encode()
        with self._opener.open(self.server + "/login", data, timeout=60) as answer:
            return answer.url, answer.read().decode()

    def websocket(self, token: str, origin: str) -> None:
        """Open the page's websocket; HTTPClientError when it is refused."""
        jar = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies)
        headers = {"Origin": origin} | ({"Cookie": jar} if jar else {})
        request = HTTPRequest(self.server.replace("http", "ws") + "/particles/ws", headers=headers, request_timeout=20)

        async def connect() -> None:
            socket = await websocket_connect(request, subprotocols=["bokeh", token])
            first = await asyncio.wait_for(socket.read_message(), 20)
            socket.close()
            while first is not None and await socket.read_message() is not None:
                pass
            if first is None:
                raise ConnectionError("closed without a word")

        with what_is_left_closed():
            asyncio.run(connect())


def test_without_a_password_nobody_sees_a_page(locked: str) -> None:
    for path in ("/", "/particles"):
        address, text = Visitor(locked).get(path)
        assert "/login" in address
        assert not TOKEN.search(text)
        assert "http://" not in text.replace("http://www.w3.org", "")  # nothing is fetched from elsewhere
        assert "https://" not in text


def test_a_wrong_password_is_refused_in_words(locked: str) -> None:
    for name, password in (("ann", "rose"), ("bob", "tulip"), ("", "")):
        visitor = Visitor(locked)
        _, text = visitor.sign_in(name, password)
        assert "password is wrong" in text
        assert "/login" in visitor.get("/particles")[0]


def test_what_a_link_says_is_not_put_into_the_sign_in_page(locked: str) -> None:
    _, text = Visitor(locked).get("/login?error=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in text


def test_the_right_password_opens_pages_and_only_known_origins_their_websocket(locked: str) -> None:
    visitor = Visitor(locked)
    visitor.sign_in("ann", "tulip")
    address, text = visitor.get("/particles")
    assert address.endswith("/particles")
    token = TOKEN.search(text)
    assert token is not None
    visitor.websocket(token.group(1), locked)
    visitor.websocket(token.group(1), "http://lab.example.org")
    with pytest.raises(HTTPClientError, match="403"):
        visitor.websocket(token.group(1), "http://evil.example.org")
    # The session's token alone is no ticket: without the cookie of the sign-in the websocket stays shut.
    with pytest.raises((HTTPClientError, ConnectionError)):
        Visitor(locked).websocket(token.group(1), locked)


def test_users_are_read_or_refused_in_words(tmp_path: Path) -> None:
    assert read_users("") is None
    assert read_users("one password") == "one password"
    users = tmp_path / "users.json"
    with pytest.raises(ValueError, match="does not exist"):
        read_users(str(users))
    for text in ("not json", "[]", "{}", '{"ann": 3}', '{"ann": ""}'):
        users.write_text(text)
        with pytest.raises(ValueError, match="ann"):
            read_users(str(users))


@pytest.mark.parametrize("origin", ["http://lab.example.org", "lab.example.org/pages", "*", "*.example.org", ""])
def test_an_origin_that_is_none_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="--allow-websocket-origin"):
        check_origin(origin)
    assert check_origin("lab.example.org:8080") == "lab.example.org:8080"


def test_children_end_with_the_server() -> None:
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=time.sleep, args=(600,))
    child.start()
    end_children()
    assert not child.is_alive()


def test_a_mistyped_address_leads_to_the_pages(locked: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as answer:
        Visitor(locked).get("/particels")
    assert answer.value.code == 404
    assert '<a href="/particles">Particles</a>' in answer.value.read().decode()
