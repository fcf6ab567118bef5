"""The gate before every page, file and websocket of a server: whose requests are answered, and what browsers are told.

It stands before Tornado's routes, so that nothing that is served, now or later, by us or by Bokeh, can be reached around it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from tornado import httputil, netutil

from workbench.ui.server.names import Names, read_name, read_origin

# Headers that the gate writes for the pages; a visitor's own are dropped.
NONCE = "Workbench-Nonce"
USER = "Workbench-User"
EMBEDDING = ("autoload.js", "metadata")  # Bokeh's, for pages elsewhere that show ours
READING = ("GET", "HEAD", "OPTIONS")
COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
CURE = (
    "If it is yours, start the server with --allow-websocket-origin and the name that people type into their browser."
)


def policy(nonce: str, frames: Sequence[str] = ()) -> str:
    """The Content-Security-Policy of every answer.

    Scripts are this server's files and what carries the nonce of the answer. Bokeh needs three exceptions: 'unsafe-eval' for
    its CustomJS, ``blob:`` for Panel's components, whose modules it makes in the page and fetches there, and 'unsafe-inline'
    for styles alone, which Bokeh writes into every element.
    """
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval' blob:",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' blob:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            " ".join(("frame-ancestors 'self'", *frames)),
        )
    )


class Gate(httputil.HTTPServerConnectionDelegate):
    """Answers what may be answered by ``inner``; refuses the rest in words.

    Parameters
    ----------
    inner : HTTPServerConnectionDelegate
        The application.
    names : Names
        Under which the server may be asked for.
    proxies : sequence of str
        Addresses of proxies whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
    frames : sequence of str
        Further sources that may show the pages in a frame.
    who : callable
        ``who(cookies) -> str``: the name of who has signed in, "" for nobody.

    Attributes
    ----------
    standing : bool
        Whether this process has a gate.
    """

    standing: ClassVar[bool] = False

    def __init__(
        self,
        inner: httputil.HTTPServerConnectionDelegate,
        names: Names,
        proxies: Sequence[str] = (),
        frames: Sequence[str] = (),
        who: Callable[[str], str] = lambda cookies: "",
    ) -> None:
        self.inner, self.names = inner, names
        Gate.standing = True
        self.proxies, self.frames, self.who = frozenset(proxies), tuple(frames), who

    def start_request(self, server_conn: object, request_conn: httputil.HTTPConnection) -> httputil.HTTPMessageDelegate:
        """Called by Tornado for every request."""
        return _Request(self, server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        """A connection has ended."""
        self.inner.on_close(server_conn)

    def refusal(self, start: Any, headers: httputil.HTTPHeaders) -> tuple[HTTPStatus, str] | None:
        """Why a request is not answered; None when it is."""
        said = headers.get_list("Host")
        if len(said) != 1:
            return HTTPStatus.BAD_REQUEST, "A request names one host."
        if read_name(said[0]) not in self.names:
            return HTTPStatus.FORBIDDEN, f"This server is not known as {said[0][:80]!r}. {CURE}"
        for origin in headers.get_list("Origin"):
            if read_origin(origin) not in self.names:
                return HTTPStatus.FORBIDDEN, f"A page of {origin[:80]!r} may not use this server. {CURE}"
        # Without an Origin a browser still says when another page wants a script or a picture of this server.
        foreign = headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site")
        if foreign and "Origin" not in headers and headers.get("Sec-Fetch-Mode") != "navigate":
            return HTTPStatus.FORBIDDEN, "Another page may link to this server, not load its files."
        if foreign and "Origin" not in headers and start.method not in READING:
            return HTTPStatus.FORBIDDEN, "Another page may not send a form to this server."
        if start.path.partition("?")[0].rpartition("/")[2] in EMBEDDING:
            return HTTPStatus.NOT_FOUND, "Pages of this server are not put into others."
        return None


class _Request(httputil.HTTPMessageDelegate):
    """One request on its way in: refused here, or handed on with the gate's own headers."""

    def __init__(self, gate: Gate, server_conn: object, connection: httputil.HTTPConnection) -> None:
        self._gate, self._server, self._connection = gate, server_conn, connection
        self._inner: httputil.HTTPMessageDelegate | None = None
        self._refused: tuple[HTTPStatus, str] = (HTTPStatus.BAD_REQUEST, "")

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> Any:
        """The request has begun."""
        trust(self._connection.context, headers, self._gate.proxies)  # type: ignore[attr-defined]
        refused = self._gate.refusal(start_line, headers)
        if refused is not None:
            self._refused = refused
            return None
        nonce = secrets.token_urlsafe(18)
        headers[NONCE] = nonce
        headers[USER] = self._gate.who(headers.get("Cookie", ""))
        dressed = Dressed(self._connection, nonce, self._gate.frames)
        self._inner = self._gate.inner.start_request(self._server, dressed)
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Any:
        """A piece of the body."""
        return None if self._inner is None else self._inner.data_received(chunk)

    def finish(self) -> None:
        """The request is complete."""
        if self._inner is not None:
            self._inner.finish()
            return
        status, words = self._refused
        body = f"{words}\n".encode()
        headers = httputil.HTTPHeaders({"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))})
        answer = Dressed(self._connection, secrets.token_urlsafe(18), ())
        answer.write_headers(httputil.ResponseStartLine("HTTP/1.1", status, status.phrase), headers, body)
        answer.finish()

    def on_connection_close(self) -> None:
        """The visitor has gone."""
        if self._inner is not None:
            self._inner.on_connection_close()


class Dressed(httputil.HTTPConnection):
    """A connection whose answers carry the headers that tell a browser what it may do with them."""

    def __init__(self, connection: httputil.HTTPConnection, nonce: str, frames: Sequence[str]) -> None:
        self._connection, self._nonce, self._frames = connection, nonce, frames

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def write_headers(self, start_line: Any, headers: httputil.HTTPHeaders, chunk: bytes | None = None) -> Any:
        """Begin the answer."""
        for name, value in COMMON.items():
            headers[name] = value
        if not self._frames:
            headers["X-Frame-Options"] = "SAMEORIGIN"
        headers["Content-Security-Policy"] = policy(self._nonce, self._frames)
        headers.pop("Access-Control-Allow-Origin", None)  # Bokeh lets every page read its files
        headers.pop("Server", None)
        return self._connection.write_headers(start_line, headers, chunk)

    def write(self, chunk: bytes) -> Any:
        """A piece of the answer."""
        return self._connection.write(chunk)

    def finish(self) -> None:
        """The answer is complete."""
        self._connection.finish()


def trust(context: Any, headers: httputil.HTTPHeaders, proxies: frozenset[str]) -> None:
    """Write into a connection's ``context`` who asks, and how: what a trusted proxy says, else what the socket says.

    Each proxy adds the address it was asked from at the end, so that the last one that is no proxy of ours is the visitor's;
    what stands before it, the visitor may have written. A connection serves many visitors behind a proxy, so this is done
    for every request.
    """
    address = context.address[0] if isinstance(context.address, tuple) else "0.0.0.0"
    context.remote_ip, context.protocol = address, "http"
    if address not in proxies:
        return
    said = [part.strip() for line in headers.get_list("X-Forwarded-For") for part in line.split(",")]
    visitor = next((part for part in reversed(said) if part not in proxies), address)
    if netutil.is_valid_ip(visitor):
        context.remote_ip = visitor
    if headers.get("X-Forwarded-Proto", "").strip().lower() == "https":
        context.protocol = "https"
