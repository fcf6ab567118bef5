"""The way in: where a sign-in leads, who guesses, how long it lasts, and how it ends."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode, urljoin, urlsplit

import pytest
from attacks.conftest import Answer, ask, served
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.ui.shell.registry import PAGES
from workbench.ui.signin.guesses import FIRST, FREE, LONGEST, Guesses, in_words, network_of
from workbench.ui.signin.lock import way_on
from workbench.ui.signin.sessions import Sessions
from workbench.ui.signin.users import right


@pytest.fixture(scope="module")
def port(root: Path, home: Path) -> Iterator[int]:
    """A server with two users behind a proxy."""
    users = home / "users.json"
    users.write_text(json.dumps({"ann": "tulip", "bob": "fuchsia"}))
    flags = ("--basic-auth", str(users), "--trusted-proxy", "127.0.0.1", "--session-hours", "1")
    with served(root, home, *flags) as at:
        yield at


def sign_in(
    port: int, name: str, password: str, *, who: str, path: str = "/login", more: tuple[str, ...] = ()
) -> Answer:
    """As from the address ``who``, which the trusted proxy names."""
    head = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"X-Forwarded-For: {who}"]
    head += ["Content-Type: application/x-www-form-urlencoded", *more]
    return ask(port, head, urlencode({"username": name, "password": password}))


def get(port: int, path: str, cookie: str = "") -> Answer:
    return ask(port, [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *([f"Cookie: {cookie}"] if cookie else [])])


ELSEWHERE = [
    "///e.example/",
    "//e.example/",
    "////e.example",
    "https://e.example/",
    "https:e.example",
    "http:///e.example",
]
ELSEWHERE += [
    "/\\e.example",
    "\\\\e.example",
    "\\/e.example",
    "/%5Ce.example",
    "/%2f/e.example",
    "/%2F%2Fe.example/",
    "%2f%2fe.example",
]
ELSEWHERE += [
    "javascript:alert(1)",
    "data:text/html,x",
    "/\t/e.example",
    "/\n/e.example",
    "\t//e.example",
    " //e.example",
    "/ /e.example",
]
ELSEWHERE += [
    "/particles//e.example",
    "/particles/../..//e.example",
    "/..//e.example",
    "//e.example?/particles",
    "/particles@e.example",
]
ELSEWHERE += [
    "/particles\r\nSet-Cookie: a=b",
    "/particles?x=\r\nSet-Cookie: a=b",
    "/.//e.example",
    "/;//e.example",
    "https://127.0.0.1:1/",
]
ELSEWHERE += [
    "/particles?//e.example",
    "?next=//e.example",
    "e.example",
    "/%09/e.example",
    "/login?next=//e.example",
    "/logout",
    "/static/x",
]


def lands(place: str) -> bool:
    """Whether a browser on the sign-in page is led to a page of this server; nothing in it is a header of its own."""
    at = urlsplit(urljoin("http://own.example:5006/lab/login", place.replace("\\", "/")))
    return at.netloc == "own.example:5006" and at.path.removeprefix("/lab/") in {"", *PAGES} and place.isprintable()


def test_a_sign_in_leads_to_pages_of_this_server_alone(port: int) -> None:
    for number, target in enumerate(ELSEWHERE):
        assert lands(way_on(target)), target
        if number % 4 == 0:  # the same through the door
            found = sign_in(port, "ann", "tulip", who="203.0.113.1", path=f"/login?next={quote(target, safe='')}")
            assert found.status == 303
            assert lands(found.headers["location"][0]), target
            assert all("a=b" not in cookie for cookie in found.headers["set-cookie"])
    assert way_on("/particles?rule=qgf&weight=1") == "./particles?rule=qgf&weight=1"
    assert way_on("/") == "./"


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text("/\\.:?#@%25efhttps\t\n", max_size=30)))
def test_no_text_leads_elsewhere(text: str) -> None:
    assert lands(way_on(text))
    assert lands(way_on("/particles?" + text))


def test_nothing_is_to_be_had_without_signing_in(port: int) -> None:
    paths = ["/", *(f"/{name}" for name in PAGES)]
    for path in paths:
        answer = get(port, path)
        assert answer.status == 302, path
        assert answer.headers["location"][0].startswith("./login"), path
    for path in ("/particles/autoload.js?bokeh-autoload-element=x", "/particles/metadata"):
        assert get(port, path).status == 404, path
    upgrade = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
    ]
    head = ["GET /particles/ws HTTP/1.1", f"Host: 127.0.0.1:{port}", *upgrade, "Sec-WebSocket-Protocol: bokeh, x"]
    assert ask(port, head).status == 403


def test_the_pages_of_the_door_say_what_a_browser_may_do(port: int) -> None:
    for path in ("/login", "/logout"):
        answer = get(port, path)
        policy = answer.headers["content-security-policy"][0]
        assert "frame-ancestors 'self'" in policy
        assert "form-action 'self'" in policy
        assert answer.headers["x-content-type-options"] == ["nosniff"]
        assert answer.headers["cache-control"] == ["no-store"]
        assert "<script" not in answer.body
    assert "<script>" not in get(port, "/login?error=%3Cscript%3Ealert(1)%3C/script%3E&next=%22%3E%3Cscript%3E").body


def test_the_cookie_is_for_this_server_alone(port: int) -> None:
    (cookie,) = sign_in(port, "ann", "tulip", who="203.0.113.2").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    tls = sign_in(port, "ann", "tulip", who="203.0.113.2", more=("X-Forwarded-Proto: https",))
    assert "Secure" in tls.headers["set-cookie"][0]
    page = get(port, "/particles", cookie.partition(";")[0])
    assert page.status == 200
    assert "Signed in as ann" in page.body
    assert cookie.partition("=")[2].partition(";")[0] not in page.body
    forged = ask(port, ["GET / HTTP/1.1", f"Host: 127.0.0.1:{port}", "Workbench-User: ann"])
    assert forged.status == 302


def test_guesses_are_slowed_down_and_refused_for_their_address_alone(port: int) -> None:
    began = time.monotonic()
    for number in range(FREE):
        wrong = sign_in(port, "ann", f"tulip{number}", who="198.51.100.7")
        assert "password is wrong" in wrong.body
        assert "set-cookie" not in wrong.headers
    assert time.monotonic() - began > 0.4 * FREE
    refused = sign_in(port, "ann", "tulip", who="198.51.100.7")  # even the right one: a guess is not told from a try
    assert refused.status == 429
    assert re.search(r"Try again in \d+ seconds", refused.body)
    assert int(refused.headers["retry-after"][0]) <= FIRST + 1
    # What a visitor writes before the proxy's own word changes nothing.
    forged = sign_in(port, "ann", "tulip", who="203.0.113.99, 198.51.100.7")
    assert forged.status == 429
    assert sign_in(port, "ann", "tulip", who="198.51.100.8").status == 303


def test_an_address_that_no_trusted_proxy_names_is_not_believed(root: Path, tmp_path: Path) -> None:
    with served(root, tmp_path, "--basic-auth", "one password") as port:
        found = [sign_in(port, "x", "wrong", who=f"198.51.100.{number}").status for number in range(FREE + 1)]
        assert found[-1] == 429
        large = ask(port, ["POST /login HTTP/1.1", f"Host: 127.0.0.1:{port}"], "username=" + "x" * 200_000)
        assert large.status in (400, 413)


def test_signing_out_ends_the_session_and_is_no_link(port: int) -> None:
    cookie = sign_in(port, "bob", "fuchsia", who="203.0.113.4").headers["set-cookie"][0].partition(";")[0]
    assert get(port, "/logout", cookie).status == 200
    assert get(port, "/", cookie).status == 200  # looking at the page of the button ended nothing
    head = ["POST /logout HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Cookie: {cookie}", "Content-Length: 0"]
    foreign = ask(port, [*head, "Origin: http://stranger.example"])
    assert foreign.status == 403
    assert get(port, "/", cookie).status == 200
    assert ask(port, head).headers["location"] == ["./login"]
    assert get(port, "/", cookie).status == 302  # a cookie that somebody kept is worth nothing


def test_cookies_that_are_none_open_nothing(port: int) -> None:
    name = sign_in(port, "ann", "tulip", who="203.0.113.5").headers["set-cookie"][0].partition("=")[0]
    for value in ("", "x", "ann", '"', "2|1:0|10:1|4:user|4:YW5u|00", "a" * 5000, "é", ";;;=", "None"):
        assert get(port, "/", f"{name}={value}").status in (302, 400), value


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_waits_double_up_to_a_bound_and_are_forgotten() -> None:
    clock = Clock()
    guesses = Guesses(clock, most=100)
    waits = []
    for _ in range(20):
        guesses.wrong("a")
        waits.append(guesses.left("a"))
        clock.now += guesses.left("a")
    assert waits[: FREE - 1] == [0.0] * (FREE - 1)
    assert waits[FREE - 1 : FREE + 2] == [FIRST, 2 * FIRST, 4 * FIRST]
    assert max(waits) == LONGEST
    guesses.right("a")
    guesses.wrong("a")
    assert guesses.left("a") == 0.0
    for number in range(1000):
        guesses.wrong(f"192.0.2.{number}")
    assert len(guesses) == 100
    assert network_of("2001:db8::1") == network_of("2001:db8::2:3")
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert (in_words(0.2), in_words(30), in_words(900)) == ("1 second", "30 seconds", "15 minutes")


def test_sessions_end_by_age_and_by_idleness_with_the_pages_they_opened() -> None:
    class Socket:
        closed = False

        def close(self, *why: object) -> None:
            self.closed = True

    clock = Clock()
    sessions = Sessions(hours=12, idle_hours=2, clock=clock)
    idle, busy = sessions.begin("ann"), sessions.begin("bob")
    page = Socket()
    session = sessions.find(idle)
    assert session is not None
    session.sockets.add(page)
    for _ in range(11):
        clock.now += 3600
        if (found := sessions.find(busy)) is not None:
            sessions.touch(found)
        sessions.sweep()
    assert page.closed
    assert sessions.find(idle) is None
    assert sessions.find(busy) is not None
    clock.now += 3601
    assert sessions.find(busy) is None
    assert len(sessions) == 0


def test_passwords_are_compared_whole() -> None:
    users = {"ann": "tulip", "empty": "x"}
    assert right(users, "ann", "tulip")
    for name, password in (
        ("ann", "tuli"),
        ("ann", "tulip "),
        ("ann", ""),
        ("Ann", "tulip"),
        ("", ""),
        ("nobody", ""),
        ("ann", "\ud800"),
    ):
        assert not right(users, name, password)
    assert right("one", "anybody", "one")
    assert not right("one", "anybody", "")
