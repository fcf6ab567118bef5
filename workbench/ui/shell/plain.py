"""Served by Panel's own command, without our gate, each page itself checks under which host name it was reached."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from workbench.engine.words import UserError
from workbench.ui.server.gate import Gate
from workbench.ui.server.names import LOOPBACK, read_name


class StrangerError(UserError):
    """The page was asked for under a name that is not this server's."""


def check_reached(context: Any) -> None:
    """Refuse a session whose browser came under a stranger's name that resolves to this machine.

    The name is the request's own, not what a page's token says, which on such a server anyone can write.

    Raises
    ------
    StrangerError
    """
    if Gate.standing or context is None or (said := getattr(context.request, "host", None)) is None:
        return
    name = read_name(str(said))
    if name is None or name.host not in own_hosts(sys.argv[1:]):
        raise StrangerError(
            f"this server is not known as '{str(said)[:80]}'; if it is yours, start it with --allow-websocket-origin and it"
        )


def own_hosts(command: list[str]) -> set[str]:
    """The hosts that ``panel serve`` was told: loopback, its address, and its websocket origins."""
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    flags.add_argument("--address", default="")
    flags.add_argument("--allow-websocket-origin", action="append", default=[])
    given, _ = flags.parse_known_args(command)
    origins = [*given.allow_websocket_origin, *os.environ.get("BOKEH_ALLOW_WS_ORIGIN", "").split(",")]
    known = [read_name(one) for one in (given.address, *origins)]
    return set(LOOPBACK) | {name.host for name in known if name is not None}
