"""Where Panel's own command serves the pages no gate stands before them: each page then asks under which name it was reached."""

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
    told, _ = flags.parse_known_args(command)
    origins = [*told.allow_websocket_origin, *os.environ.get("BOKEH_ALLOW_WS_ORIGIN", "").split(",")]
    found = [read_name(one) for one in (told.address, *origins)]
    return set(LOOPBACK) | {name.host for name in found if name is not None}
