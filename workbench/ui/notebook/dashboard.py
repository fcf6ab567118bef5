"""The dashboard of a notebook's own kernel: it knows the rules that were written in the notebook."""

from __future__ import annotations

import asyncio
import atexit
import socket
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import panel as pn
from tornado.ioloop import IOLoop

from workbench.engine.words import UserError
from workbench.plots.markup import html
from workbench.ui.notebook.widgets import on_paper
from workbench.ui.serve import guarded, stand_before
from workbench.ui.server.names import names_of
from workbench.ui.shell.registry import PAGES
from workbench.ui.shell.template import opener, title_of
from workbench.views.background import begin

# Who may show the dashboard in a frame: notebooks that are served by this machine, and editors.
NOTEBOOKS = ("http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*", "vscode-webview:")
_ports: list[int] = []  # of this kernel's server, once it runs


@dataclass(frozen=True)
class Frame:
    """A page of the dashboard in a frame, with its link."""

    url: str
    height: int

    def __repr__(self) -> str:
        return f"The dashboard is at {self.url}"

    def _repr_html_(self) -> str:
        if on_paper():
            return "<p>(The dashboard opens here.)</p>"
        return str(
            html(
                '<p><a href="{url}" target="_blank">Open the dashboard in a tab of its own</a></p>'
                '<iframe class="wb-dashboard" src="{url}" width="100%" height="{height}" style="border:0"></iframe>',
                url=self.url,
                height=self.height,
            )
        )


def dashboard(page: str = "particles", height: int = 820, **link: Any) -> Frame:
    """Show a page of the dashboard, served by this kernel (started on the first call) on this machine alone.

    Parameters
    ----------
    page : str
        Its name in the dashboard.
    height : int
        Of the frame, pixels.
    **link : Any
        What the page starts with: task, rule, seed, settings.

    Raises
    ------
    UserError
        There is no such page.
    """
    if page not in PAGES:
        raise UserError(f"no page named '{page}'; there are {', '.join(PAGES)}")
    if not _ports:
        _ports.append(_start())
    return Frame(f"http://127.0.0.1:{_ports[0]}/{page}?{urlencode(link)}", height)


def _start() -> int:
    """Start the server in a thread of this kernel; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    listening = threading.Event()

    def run() -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        names = names_of("127.0.0.1", port)
        server = pn.serve(
            {name: opener(name) for name in PAGES},
            port=port,
            address="127.0.0.1",
            title={name: title_of(name) for name in PAGES},
            show=False,
            start=False,
            verbose=False,
            **guarded(names),
        )
        stand_before(server, names, frames=NOTEBOOKS)
        server.start()
        loops.append(server.io_loop)
        server.io_loop.add_callback(listening.set)
        server.io_loop.start()

    loops: list[IOLoop] = []
    begin("dashboard", run)
    listening.wait()
    # before the threads are waited for: what is registered last is called first
    atexit.register(loops[0].add_callback, loops[0].stop)
    return port
