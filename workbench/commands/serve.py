"""``workbench serve``: the dashboards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import tyro

from workbench.commands.flags import check_range
from workbench.engine.words import UserError

Origins = Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="HOST[:PORT]")]
Proxies = Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="ADDRESS")]
Lock = Annotated[str, tyro.conf.arg(metavar="FILE|PASSWORD")]


def serve(
    port: int = 5006,
    address: str = "127.0.0.1",
    show: bool = False,
    basic_auth: Lock = "",
    allow_websocket_origin: Origins = (),
    trusted_proxy: Proxies = (),
    session_hours: float = 12.0,
    idle_hours: float = 2.0,
    store: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
) -> None:
    """Serve the dashboards (docs/serving.md).

    Args:
        port: Port to listen on.
        address: Address to listen on; loopback unless told otherwise.
        show: Open a browser.
        basic_auth: Ask for a password: a JSON file of names and passwords, or one password for everybody.
        store: Folder of the runs that the pages Budget and Runs show (workbench sweep); without it one of the user's own.
        data: Folder whose files and folders the page Bring your own opens by their paths; without it, it opens none.
        allow_websocket_origin: Another host under which browsers reach the server, as behind a proxy; repeat for more.
        trusted_proxy: Address of a reverse proxy that is believed when it says who asks, and whether by TLS; repeat for more.
        session_hours: After so long everybody signs in again.
        idle_hours: So does who did nothing for so long.
    """
    check_range("--port", port, 0, 65_535)
    check_range("--session-hours", session_hours, 0.01, 8760)
    check_range("--idle-hours", idle_hours, 0.01, 8760)
    from workbench.experiments.own_store import STORE_VARIABLE
    from workbench.ui.serve import serve as run_server
    from workbench.ui.server.lab import DATA_VARIABLE

    if data is not None:
        if not data.is_dir():
            raise UserError(f"--data {data}: there is no such folder; name the one whose files pages may open")
        os.environ[DATA_VARIABLE] = str(data.resolve())
    if store is not None:
        os.environ[STORE_VARIABLE] = str(store)
    run_server(
        port=port,
        address=address,
        show=show,
        origins=allow_websocket_origin,
        basic_auth=basic_auth,
        proxies=trusted_proxy,
        session_hours=session_hours,
        idle_hours=idle_hours,
    )
