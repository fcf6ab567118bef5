"""The server of the pages."""

from __future__ import annotations

import errno
import ipaddress
import multiprocessing
import os
import secrets
import signal
import socket
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import panel as pn
import torch

from workbench.engine.allocator import map_large_blocks
from workbench.engine.data.own_datasets import datasets_folder
from workbench.engine.models.native import build as native
from workbench.engine.words import UserError
from workbench.runs.scratch import clear_scratch
from workbench.ui.server.draw_processes import STUDIO
from workbench.ui.server.gate import NONCE, USER, Gate
from workbench.ui.server.lab import SHARED_VARIABLE
from workbench.ui.server.names import EVERYWHERE, Names, loopback, names_of, read_name
from workbench.ui.server.parts_cache import CACHE
from workbench.ui.server.workshop import WORKSHOP
from workbench.ui.shell.missing import answer_missing
from workbench.ui.shell.registry import PAGES
from workbench.ui.shell.template import opener, title_of
from workbench.ui.signin.lock import Lock
from workbench.ui.signin.sessions import HOURS, IDLE_HOURS, Sessions
from workbench.ui.signin.users import read_users
from workbench.views.links import FIRST

PORT = 5006
ADDRESS = "127.0.0.1"
MOST_BODY = 2**16  # bytes of a form; files come through the websocket
PATIENCE = 5.0  # seconds that a child gets to save and end


def check_free(address: str, port: int) -> None:
    """Raise OSError, with the cure, when the port cannot be had."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise OSError(
                    errno.EADDRINUSE,
                    f"port {port} is in use: stop what uses it, or choose another: workbench serve --port {port + 1}",
                ) from None
            if error.errno == errno.EACCES:
                raise OSError(errno.EACCES, f"port {port} needs administrator rights: choose one above 1023") from None
            raise OSError(error.errno, f"cannot listen on {address!r}: {error.strerror}") from None


def check_origin(origin: str) -> str:
    """``host`` or ``host:port`` as it is; UserError, with the cure, for a URL or a wildcard."""
    if "://" in origin or "/" in origin or not origin:
        raise UserError(f"--allow-websocket-origin takes host or host:port, such as lab.example.org, got '{origin}'")
    if "*" in origin:
        raise UserError("--allow-websocket-origin takes no wildcards: any page on the web could then use this server")
    if read_name(origin) is None:
        raise UserError(f"--allow-websocket-origin takes host or host:port, such as lab.example.org, got '{origin}'")
    return origin


def check_proxy(address: str) -> str:
    """An address of a proxy, in its one spelling; UserError, with the cure, for what is none."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise UserError(f"--trusted-proxy takes an address, such as 127.0.0.1, got '{address}'") from None


def guarded(names: Names) -> dict[str, Any]:
    """Options of `panel.serve` that every server here has.

    A page's token says what the page was asked with, and stands in the page itself: it carries no cookies, which scripts are
    not to read, and is signed, so that nobody can make one up.
    """
    return {
        "websocket_origin": names.hosts(),
        "http_server_kwargs": {"max_body_size": MOST_BODY},
        "include_cookies": [],
        "include_headers": ["Host", "X-Forwarded-For", NONCE, USER],
        "sign_sessions": True,
        "secret_key": secrets.token_bytes(32),
    }


def stand_before(server: pn.io.server.Server, names: Names, proxies: Sequence[str] = (), **more: Any) -> None:
    """Put a `Gate` before a server that has not started; ``more`` as for `Gate`."""
    answer_missing(server._tornado)
    server._http.request_callback = Gate(server._tornado, names, proxies, **more)


def serve(
    port: int = PORT,
    address: str = ADDRESS,
    show: bool = True,
    origins: Sequence[str] = (),
    basic_auth: str = "",
    proxies: Sequence[str] = (),
    session_hours: float = HOURS,
    idle_hours: float = IDLE_HOURS,
) -> None:
    """Serve the pages until Ctrl-C or SIGTERM.

    Parameters
    ----------
    port : int
        0 takes any free one.
    address : str
        Loopback by default: nothing outside this machine can open the pages.
    show : bool
        Open a browser.
    origins : sequence of str
        Further ``host:port`` pairs under which browsers reach the server, as behind a proxy.
    basic_auth : str
        A JSON file of names and passwords, or one password; "" leaves the pages open to all who reach the address.
    proxies : sequence of str
        Addresses of reverse proxies that are believed when they say who asks, and whether by TLS.
    session_hours, idle_hours : float
        As `Sessions`.
    """
    users, further = read_users(basic_auth), [check_origin(origin) for origin in origins]
    trusted = [check_proxy(proxy) for proxy in proxies]
    if port == 0:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    check_free(address, port)
    for place in (None, datasets_folder()):  # what servers left behind that were killed
        clear_scratch(place)
    torch.set_num_threads(1)  # two threads a session kept most of 30 sessions from opening (design.md)
    map_large_blocks()  # pictures are drawn in other processes: here they pass
    native.library()  # compiled now where it never was: no visitor waits for that, and no look at a page writes it
    names = names_of(address, port, further)
    if users is not None or further or trusted or not loopback(address):
        os.environ[SHARED_VARIABLE] = "1"
    lock = None
    if users is not None:
        lock = Lock(users, Sessions(session_hours, idle_hours), f"workbench-user-{port}")
    elif not loopback(address):
        print("Anyone who reaches this address can use the pages; --basic-auth asks for a password", flush=True)
    server = pn.serve(
        {"/": opener("index")} | {name: opener(name) for name in PAGES},
        port=port,
        address=address,
        show=False,
        start=False,
        title={"/": title_of("index")} | {name: title_of(name) for name in PAGES},
        verbose=False,
        **guarded(names),
        **({} if lock is None else {"auth_provider": lock}),
    )
    if lock is None:
        stand_before(server, names, trusted)
    else:
        stand_before(server, names, trusted, who=lock.who)
        lock.watch()
    STUDIO.start()
    WORKSHOP.start()
    CACHE.status(FIRST.task)  # in the background: the first visitor should not wait for the first task
    host = "127.0.0.1" if address in EVERYWHERE else address
    url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
    _run(server, url, show)


def _run(server: pn.io.server.Server, url: str, show: bool) -> None:
    loop = server.io_loop

    def stop(*_: object) -> None:
        loop.add_callback_from_signal(loop.stop)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    server.start()
    print(f"Workbench is at {url} (Ctrl-C stops it)", flush=True)
    if show:
        loop.add_callback(webbrowser.open, url)
    try:
        loop.start()
    finally:
        server.stop()
        CACHE.stop()  # first: else what a process that is ended below was training would begin anew
        STUDIO.close()
        WORKSHOP.close()
        end_children()
        CACHE.close()
    print("Workbench has stopped", flush=True)


def end_children() -> None:
    """End every process that this server started: asked first, so that it can save, then made to."""
    children = multiprocessing.active_children()
    for child in children:
        with suppress(ValueError):  # a thread that worked with it has buried it meanwhile
            child.terminate()
    for child in children:
        with suppress(ValueError):
            child.join(PATIENCE)
            if child.is_alive():
                child.kill()
                child.join(PATIENCE)
