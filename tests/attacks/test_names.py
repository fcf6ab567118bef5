"""Names that are not the server's: other hosts that resolve to it, origins of other pages, odd spellings of both."""

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacks.conftest import Answer, ask, served
from hypothesis import given, settings
from hypothesis import strategies as st
from sockets import what_is_left_closed
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from workbench.ui.server.names import Name, names_of, read_name, read_origin
from workbench.ui.shell.plain import own_hosts

TOKEN = re.compile(r'"token":"([^"]+)"')


@pytest.fixture(scope="module")
def port(root: Path, home: Path) -> Iterator[int]:
    """A server with one further name."""
    with served(
        root, home, "--allow-websocket-origin", "lab.example.org", "--allow-websocket-origin", "h.example:81"
    ) as at:
        yield at


def get(port: int, *hosts: str, path: str = "/static/js/bokeh.min.js", more: tuple[str, ...] = ()) -> Answer:
    return ask(port, [f"GET {path} HTTP/1.1", *(f"Host: {host.format(port=port)}" for host in hosts), *more])


OURS = [
    "127.0.0.1:{port}",
    "localhost:{port}",
    "LocalHost:{port}",
    "localhost.:{port}",
    "[::1]:{port}",
    "[0:0:0:0:0:0:0:1]:{port}",
]
OURS += [
    "lab.example.org",
    "LAB.example.org",
    "lab.example.org.",
    "lab.example.org:80",
    "lab.example.org:443",
    "h.example:81",
]
STRANGE = [
    "stranger.example:{port}",
    "stranger.example",
    "stranger.example.:{port}",
    "localhost.stranger.example:{port}",
]
STRANGE += [
    "localhost",
    "localhost:1",
    "127.0.0.1",
    "127.0.0.1:1",
    "127.0.0.2:{port}",
    "0.0.0.0:{port}",
    "127.1:{port}",
]
STRANGE += [
    "2130706433:{port}",
    "0x7f.1:{port}",
    "[::2]:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "::1:{port}",
    "lab.example.org:8080",
]
STRANGE += [
    "x.lab.example.org",
    "lab.example.org.stranger.example",
    "h.example",
    "h.example:80",
    "",
    ":{port}",
    "localhost:{port}:1",
]
STRANGE += [
    "a@localhost:{port}",
    "localhost:{port}/x",
    "localhost:99999",
    "localhost,stranger.example",
    "localhost..:{port}",
]
STRANGE += ["lab_example.org", "*", "localhost:{port}#", "xn--lcalhost-54a:{port}"]


def test_the_servers_own_names_open_it(port: int) -> None:
    for host in OURS:
        assert get(port, host).status == 200, host


def test_a_strangers_name_opens_nothing(port: int) -> None:
    for host in STRANGE:
        answer = get(port, host)
        assert answer.status in (400, 403), host
        assert "Bokeh" not in answer.body
    answer = get(port, "stranger.example:{port}", path="/particles")
    assert answer.status == 403
    assert "--allow-websocket-origin" in answer.body  # the owner is told the cure
    assert not TOKEN.search(answer.body)


def test_one_host_is_named_and_no_more(port: int) -> None:
    assert get(port).status == 400
    assert get(port, "localhost:{port}", "localhost:{port}").status == 400
    assert get(port, "localhost:{port}", "stranger.example").status == 400
    forwarded = ("X-Forwarded-Host: localhost", "Forwarded: host=localhost")
    assert get(port, "stranger.example", more=forwarded).status == 403
    assert get(port, "stranger.example", path=f"http://localhost:{port}/").status == 403


ORIGINS = ["http://stranger.example", "http://stranger.example:{port}", "null", "", "file://", "http://localhost:1"]
ORIGINS += ["http://127.0.0.1", "http://127.0.0.1:{port}@stranger.example", "http://stranger.example/127.0.0.1:{port}"]
ORIGINS += [
    "http://127.0.0.1:{port}.stranger.example",
    "chrome-extension://127.0.0.1:{port}",
    "127.0.0.1:{port}",
    "//127.0.0.1:{port}",
]
ORIGINS += [
    "https://lab.example.org:8443",
    "http://127.0.0.1:{port}, http://stranger.example",
    "http://127.0.0.1:{port}/",
]
PAIRED = [
    "stranger.example:{port}",
    "stranger.example",
    "localhost:1",
]  # Host and Origin agree, and are both a stranger's


def knock(port: int, token: str, host: str, origins: tuple[str, ...], more: tuple[str, ...] = ()) -> int:
    head = ["GET /particles/ws HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    key = base64.b64encode(b"0123456789abcdef").decode()
    head += [f"Sec-WebSocket-Key: {key}", f"Sec-WebSocket-Protocol: bokeh, {token}"]
    head += ["Connection: Upgrade", *(f"Origin: {origin}" for origin in origins), *more]
    return ask(port, [line.format(port=port) for line in head]).status


def test_a_websocket_opens_for_the_servers_own_pages_alone(port: int) -> None:
    page = get(port, "localhost:{port}", path="/particles")
    found = TOKEN.search(page.body)
    assert found is not None
    token = found[1]
    for host, origin in (
        ("127.0.0.1:{port}", "http://127.0.0.1:{port}"),
        ("LOCALHOST:{port}", "http://LOCALHOST:{port}"),
        ("[::1]:{port}", "http://[::1]:{port}"),
        ("lab.example.org", "https://lab.example.org"),
        ("127.0.0.1:{port}", "https://lab.example.org"),  # a proxy that does not pass the host on
    ):
        assert knock(port, token, host, (origin,)) == 101, origin
    for origin in ORIGINS:
        assert knock(port, token, "127.0.0.1:{port}", (origin,)) in (400, 403), origin
        same = ("Sec-Fetch-Site: same-origin",)
        assert knock(port, token, "127.0.0.1:{port}", (origin,), same) in (400, 403), origin
    for name in PAIRED:
        for scheme in ("http", "https"):
            assert knock(port, token, name, (f"{scheme}://{name}",)) in (400, 403), name
    assert knock(port, token, "127.0.0.1:{port}", ("http://127.0.0.1:{port}", "http://stranger.example")) in (400, 403)


def test_a_token_that_somebody_made_up_opens_nothing(port: int) -> None:
    made_up = (
        base64.urlsafe_b64encode(json.dumps({"session_id": "x", "session_expiry": 9e9}).encode()).decode().rstrip("=")
    )
    page = get(port, "localhost:{port}", path="/particles")
    found = TOKEN.search(page.body)
    assert found is not None
    status = knock(port, made_up, "127.0.0.1:{port}", ("http://127.0.0.1:{port}",))
    assert status in (101, 403)  # Bokeh shakes hands first and hangs up then
    if status == 101:
        assert not welcomed(port, made_up)
    assert welcomed(port, found[1])


def welcomed(port: int, token: str) -> bool:
    """Whether the server says its first word over the websocket."""

    async def connect() -> bool:
        request = HTTPRequest(f"ws://127.0.0.1:{port}/particles/ws", headers={"Origin": f"http://127.0.0.1:{port}"})
        line = await websocket_connect(request, subprotocols=["bokeh", token])
        first = await asyncio.wait_for(line.read_message(), 60)
        line.close()
        while first is not None and await asyncio.wait_for(line.read_message(), 60) is not None:
            pass  # until it is closed: else its socket outlives the loop
        return first is not None

    with what_is_left_closed():
        return asyncio.run(connect())


def test_other_pages_read_nothing(port: int) -> None:
    for path in (
        "/particles/autoload.js?bokeh-autoload-element=x",
        "/particles",
        "/static/js/bokeh.min.js",
        "/particles/metadata",
    ):
        foreign = get(port, "127.0.0.1:{port}", path=path, more=("Origin: http://stranger.example",))
        assert foreign.status == 403, path
        script = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script")
        assert get(port, "127.0.0.1:{port}", path=path, more=script).status == 403, path
        answer = get(port, "127.0.0.1:{port}", path=path)
        assert "access-control-allow-origin" not in answer.headers, path
    link = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
    assert get(port, "127.0.0.1:{port}", path="/", more=link).status == 200  # a link from elsewhere may lead here


def test_every_answer_tells_the_browser_what_it_may_do(port: int) -> None:
    for path in ("/", "/particles", "/static/js/bokeh.min.js", "/nothing", "/favicon.ico"):
        headers = get(port, "127.0.0.1:{port}", path=path).headers
        assert headers["x-content-type-options"] == ["nosniff"], path
        assert headers["x-frame-options"] == ["SAMEORIGIN"]
        assert headers["referrer-policy"] == ["same-origin"]
        assert "frame-ancestors 'self'" in headers["content-security-policy"][0]
        assert "server" not in headers
    one, other = (get(port, "127.0.0.1:{port}", path="/").headers["content-security-policy"][0] for _ in range(2))
    assert one != other  # a nonce is used once


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.text(max_size=40))
def test_no_text_is_taken_for_a_name_of_the_server(text: str) -> None:
    names = names_of("127.0.0.1", 5006, ["lab.example.org"])
    for read in (read_name, read_origin):
        name = read(text)
        assert (
            name is None
            or name not in names
            or text.lower().rpartition("//")[2].rstrip(".").startswith(("l", "1", "["))
        )


def test_the_names_of_an_address() -> None:
    assert names_of("127.0.0.1", 80).hosts() == ["127.0.0.1:80", "localhost:80"]
    assert names_of("10.0.0.7", 80).hosts() == ["10.0.0.7:80"]
    assert Name("::1", 5006) in names_of("::1", 5006)
    assert Name("localhost", 5006) in names_of("0.0.0.0", 5006)
    assert Name("fd00::7", 5006) in names_of("fd00::7", 5006)


def test_panels_own_command_knows_the_names_it_was_given() -> None:
    given = "serve apps/runs.py --address 10.0.0.7 --allow-websocket-origin lab.example.org:80 --allow-websocket-origin=b.example"
    assert own_hosts(given.split()) == {"localhost", "127.0.0.1", "::1", "10.0.0.7", "lab.example.org", "b.example"}
