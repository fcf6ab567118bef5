"""Under which names a server is reached: the Host and Origin of a request are compared with what is served.

A stranger's page may have a name that resolves to this machine (DNS rebinding). Its requests carry that name in both
headers, so comparing one header with the other would find nothing wrong.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import NamedTuple

LOOPBACK = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("0.0.0.0", "::", "")
DEFAULT_PORTS = (80, 443)
HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?)\.?(?::(?P<port>\d{1,5}))?", re.ASCII)


class Name(NamedTuple):
    """A host, and its port where one was said."""

    host: str
    port: int | None


def read_name(text: str) -> Name | None:
    """``host[:port]`` in one spelling: lower case, no dot at the end, IPv6 shortened; None for what is none."""
    match = HOST.fullmatch(text.lower())
    if match is None or (port := int(match["port"] or 0)) > 65_535:
        return None
    host = match["name"]
    if host.startswith("["):
        try:
            host = str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            return None
    return Name(host, None if match["port"] is None else port)


def read_origin(text: str) -> Name | None:
    """The host of an ``Origin``; None for ``null``, for what is no web page's, and for what is not one address."""
    scheme, _, host = text.partition("://")
    return read_name(host) if scheme.lower() in ("http", "https") else None


def loopback(address: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


class Names:
    """The names under which a server may be asked for.

    Parameters
    ----------
    names : iterable of Name
        One without a port stands for the ports that browsers do not say, 80 and 443.
    """

    def __init__(self, names: Iterable[Name]) -> None:
        self._names = frozenset(names)

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, Name):
            return False
        ports = (None, *DEFAULT_PORTS) if name.port in (None, *DEFAULT_PORTS) else (name.port,)
        return any(Name(name.host, port) in self._names for port in ports)

    def hosts(self) -> list[str]:
        """All of them as Bokeh takes them, ``host[:port]``; it knows no IPv6, and lets a page of the same name in by itself."""
        return sorted(host if port is None else f"{host}:{port}" for host, port in self._names if ":" not in host)


def names_of(address: str, port: int, further: Iterable[str] = ()) -> Names:
    """The names of a server that listens on ``address`` and ``port``; ``further`` are ``host[:port]``.

    For an address that means "every interface" these are the machine's own names and addresses.
    """
    hosts = {*LOOPBACK, address} if loopback(address) else {address}
    if address in EVERYWHERE:
        hosts = {*LOOPBACK, socket.gethostname().lower(), socket.getfqdn().lower()} | _own_addresses()
    spelled = [f"[{host}]" if ":" in host else host for host in hosts]
    read = [read_name(f"{host}:{port}") for host in spelled] + [read_name(host) for host in further]
    return Names(name for name in read if name is not None)


def _own_addresses() -> set[str]:
    try:
        return {str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:
        return set()
