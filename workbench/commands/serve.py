"""``workbench serve``: the dashboards."""

from __future__ import annotations

from workbench.commands.flags import check_range


def serve(port: int = 5006, address: str = "127.0.0.1", show: bool = False) -> None:
    """Serve the dashboards.

    Args:
        port: Port to listen on.
        address: Address to listen on; loopback unless told otherwise.
        show: Open a browser.
    """
    check_range("--port", port, 0, 65_535)
    from workbench.ui.serve import serve as run_server

    run_server(port=port, address=address, show=show)
