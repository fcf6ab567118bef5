"""The lock of a server: Bokeh asks it who a request is from; its pages sign in and out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from bokeh.server.auth_provider import AuthProvider
from jinja2 import Environment
from tornado.ioloop import PeriodicCallback
from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler

from workbench.ui.server.gate import NONCE
from workbench.ui.shell.registry import PAGES
from workbench.ui.signin.guesses import Guesses, in_words
from workbench.ui.signin.sessions import Session, Sessions
from workbench.ui.signin.users import right

HERE = Path(__file__).parent
DELAY = 0.5  # seconds before a wrong password is answered
SWEEP_MS = 15_000
LONGEST = 1024  # characters of a name, and of a password
TEMPLATES = Environment(autoescape=True)
LOGIN = TEMPLATES.from_string((HERE / "login.html").read_text(encoding="utf-8"))
LOGOUT = TEMPLATES.from_string((HERE / "logout.html").read_text(encoding="utf-8"))


class Lock(AuthProvider):
    """Names, passwords and sessions of one server.

    Parameters
    ----------
    users : mapping of str to str, or str
        As `users.right`.
    sessions : Sessions
    cookie : str
        Its name; two servers of one machine share a browser's cookies, whatever their ports.
    """

    def __init__(self, users: Mapping[str, str] | str, sessions: Sessions, cookie: str) -> None:
        self.users, self.sessions, self.cookie = users, sessions, cookie
        self.guesses = Guesses()
        super().__init__()

    def session(self, cookies: str) -> Session | None:
        """The session that a ``Cookie`` header means."""
        return self.sessions.find(self.token(cookies))

    def token(self, cookies: str) -> str:
        """The token in a ``Cookie`` header; "" without one."""
        try:
            morsel = SimpleCookie(cookies).get(self.cookie)
        except CookieError:
            return ""
        return "" if morsel is None else morsel.value

    def who(self, cookies: str) -> str:
        """The name of who has signed in, for the pages; "" for nobody."""
        session = self.session(cookies)
        return "" if session is None else session.user or "somebody"

    def watch(self) -> None:
        """End sessions when their time is over, also those whose pages stand open."""
        PeriodicCallback(self.sessions.sweep, SWEEP_MS).start()

    @property
    def get_user(self) -> Any:
        """What Bokeh asks before every page and websocket."""

        def get_user(handler: RequestHandler) -> str | None:
            session = self.session(handler.request.headers.get("Cookie", ""))
            if session is None:
                return None
            self.sessions.touch(session)
            if isinstance(handler, WebSocketHandler) and handler not in session.sockets:
                session.sockets.add(handler)
                _hear(handler, lambda: self.sessions.touch(session))
            return session.user or "somebody"

        return get_user

    @property
    def get_user_async(self) -> None:
        """Not needed."""

    @property
    def login_url(self) -> str:
        """Panel puts a dot before it: relative, so that a proxy's prefix stays."""
        return "/login"

    @property
    def get_login_url(self) -> None:
        """`login_url` is enough."""

    @property
    def logout_url(self) -> str:
        """Where one signs out."""
        return "/logout"

    @property
    def login_handler(self) -> None:
        """Both pages stand among `endpoints`."""

    @property
    def logout_handler(self) -> None:
        """As `login_handler`."""

    @property
    def endpoints(self) -> list[Any]:
        """The pages for Tornado."""
        return [("/login", Login, {"lock": self}), ("/logout", Logout, {"lock": self})]


def _hear(handler: Any, touch: Any) -> None:
    """Call ``touch`` for every message of a websocket: who moves a slider is not idle."""
    inner = handler.on_message

    def heard(message: str | bytes) -> Any:
        touch()
        return inner(message)

    handler.on_message = heard


class _Page(RequestHandler):
    """What signing in and out have in common."""

    def initialize(self, lock: Lock) -> None:
        """Called by Tornado."""
        self.lock = lock

    def show(self, template: Any, **words: Any) -> None:
        """Answer with a page."""
        self.set_header("Cache-Control", "no-store")
        self.finish(template.render(nonce=self.request.headers.get(NONCE, ""), **words))


class Login(_Page):
    """Name and password."""

    def get(self) -> None:
        """The form."""
        self.show(LOGIN, wrong="")

    async def post(self) -> None:
        """Sign in, or say what is wrong."""
        address = str(self.request.remote_ip)
        if left := self.lock.guesses.left(address):
            self.set_status(429)
            self.set_header("Retry-After", str(round(left) + 1))
            self.show(LOGIN, wrong=f"Too many wrong passwords came from your address. Try again in {in_words(left)}.")
            return
        name, password = (self.get_body_argument(field, "", strip=False) for field in ("username", "password"))
        if max(len(name), len(password)) > LONGEST or not right(self.lock.users, name, password):
            self.lock.guesses.wrong(address)  # before the wait: many guesses at once count like one after the other
            await asyncio.sleep(DELAY)
            self.show(LOGIN, wrong="The name or the password is wrong.")
            return
        self.lock.guesses.right(address)
        self.lock.sessions.end(self.lock.token(self.request.headers.get("Cookie", "")))
        self.set_cookie(
            self.lock.cookie,
            self.lock.sessions.begin(name),
            httponly=True,
            samesite="Lax",
            secure=self.request.protocol == "https",
        )
        self.set_status(303)
        self.set_header("Location", way_on(self.get_query_argument("next", "")))


class Logout(_Page):
    """Signing out: a button, for reading an address changes nothing."""

    def get(self) -> None:
        """The button."""
        self.show(LOGOUT)

    def post(self) -> None:
        """Sign out."""
        self.lock.sessions.end(self.lock.token(self.request.headers.get("Cookie", "")))
        self.clear_cookie(self.lock.cookie)
        self.set_status(303)
        self.set_header("Location", "./login")


def way_on(wanted: str) -> str:
    """Where a sign-in leads: the page that was asked for, written anew as a relative address; else the index.

    Only the name of a page is taken from ``wanted``, and its settings: no other text can become a place elsewhere.
    """
    path, _, query = wanted.partition("?")
    name = path.removeprefix("/")
    page = name if path.startswith("/") and name in PAGES else ""
    try:
        settings = urlencode(parse_qsl(query, keep_blank_values=True, max_num_fields=100)) if page else ""
    except ValueError:
        settings = ""
    return f"./{page}{'?' if settings else ''}{settings}"
