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
from pathlib import Path
from typing import Any

import panel as pn
import torch

from workbench.engine.allocator import keep_large_blocks
from workbench.engine.data.records import read_json
from workbench.engine.words import SaidError, plain
from workbench.ui.lab import SHARED_VARIABLE
from workbench.ui.links import FIRST
from workbench.ui.pages import PAGES
from workbench.ui.session import CACHE
from workbench.ui.shell.template import opener, title_of
from workbench.ui.studio import STUDIO

PORT, ADDRESS = 5006, "127.0.0.1"
HERE = Path(__file__).parent
PATIENCE = 5.0  # seconds that a child gets to save and end


def origins_of(address: str, port: int) -> list[str]:
    """Hosts that a browser may open the page under; any other page on the web is refused the websocket.

    For an address that means "every interface" these are the machine's own names and addresses.
    """
    names = {"localhost", "127.0.0.1"} if _loopback(address) else {address}
    if address in ("0.0.0.0", "::", ""):
        names = {"localhost", "127.0.0.1", socket.gethostname(), socket.getfqdn()} | _own_addresses()
    return sorted(f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name in names)


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _own_addresses() -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:
        return set()


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


def read_users(basic_auth: str) -> dict[str, str] | str | None:
    """Who may come in: the users of a JSON file (name to password), one password for everybody, or None for no lock.

    Raises
    ------
    ValueError
        The file does not hold names and passwords, or the text looks like a file that is not there.
    """
    if not basic_auth:
        return None
    path = Path(basic_auth)
    if not _exists(path):
        if path.suffix == ".json":
            raise ValueError(
                f"{basic_auth} does not exist; --basic-auth takes a JSON file of names and passwords, or one password"
            )
        return basic_auth
    try:
        users = read_json(path)
    except SaidError as error:
        raise ValueError(f'{error}; it should read {{"ann": "her password"}}') from None
    words = isinstance(users, dict) and all(isinstance(word, str) and word for word in users.values())
    if not isinstance(users, dict) or not users or not words:
        raise ValueError(f'{plain(basic_auth)} should hold names and passwords: {{"ann": "her password"}}')
    return users


def _exists(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):
        return False  # a password that no file can be called


def check_origin(origin: str) -> str:
    """``host`` or ``host:port`` as it is; ValueError, with the cure, for a URL or a wildcard."""
    if "://" in origin or "/" in origin or not origin:
        raise ValueError(f"--allow-websocket-origin takes host or host:port, such as lab.example.org, got '{origin}'")
    if "*" in origin:
        raise ValueError("--allow-websocket-origin takes no wildcards: any page on the web could then use this server")
    return origin


def serve(
    port: int = PORT,
    address: str = ADDRESS,
    show: bool = True,
    origins: Sequence[str] = (),
    basic_auth: str = "",
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
    """
    users, further = read_users(basic_auth), [check_origin(origin) for origin in origins]
    if port == 0:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    check_free(address, port)
    torch.set_num_threads(1)  # two threads a session kept most of 30 sessions from opening (design.md)
    keep_large_blocks()  # a landscape in a quarter of the time
    allowed = [*origins_of(address, port), *further]
    if users is not None or further or not _loopback(address):
        os.environ[SHARED_VARIABLE] = "1"
    lock: dict[str, Any] = {}
    if users is not None:
        # Signed-in browsers sign in again after a restart: the secret is drawn anew and never stored.
        lock = {"basic_auth": users, "cookie_secret": secrets.token_hex(32), "login_template": str(HERE / "login.html")}
    elif not _loopback(address):
        print("Anyone who reaches this address can use the pages; --basic-auth asks for a password", flush=True)
    server = pn.serve(
        {"/": opener("index")} | {name: opener(name) for name in PAGES},
        port=port,
        address=address,
        websocket_origin=allowed,
        show=False,
        start=False,
        title={"/": title_of("index")} | {name: title_of(name) for name in PAGES},
        verbose=False,
        **lock,
    )
    STUDIO.start()
    CACHE.status(FIRST.task)  # in the background: the first visitor should not wait for the first task
    host = "127.0.0.1" if address in ("0.0.0.0", "::", "") else address
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
        STUDIO.close()
        end_children()
        CACHE.close()
    print("Workbench has stopped", flush=True)


def end_children() -> None:
    """End every process that this server started: asked first, so that it can save, then made to."""
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    for child in children:
        child.join(PATIENCE)
        if child.is_alive():
            child.kill()
            child.join(PATIENCE)
