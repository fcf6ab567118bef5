"""The dashboard of a notebook's own kernel: it knows the rules that were written in the notebook."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlencode

import panel as pn

from workbench.ui.bench import on_paper
from workbench.ui.pages import PAGES
from workbench.ui.serve import origins_of
from workbench.ui.shell.template import opener, title_of

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
        url = escape(self.url)
        link = f'<p><a href="{url}" target="_blank">Open the dashboard in a tab of its own</a></p>'
        return f'{link}<iframe class="wb-dashboard" src="{url}" width="100%" height="{self.height}" style="border:0"></iframe>'


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
    ValueError
        There is no such page.
    """
    if page not in PAGES:
        raise ValueError(f"no page named '{page}'; there are {', '.join(PAGES)}")
    if not _ports:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        pn.serve(
            {name: opener(name) for name in PAGES},
            port=port,
            address="127.0.0.1",
            websocket_origin=origins_of("127.0.0.1", port),
            title={name: title_of(name) for name in PAGES},
            threaded=True,
            show=False,
            verbose=False,
        )
        _ports.append(port)
    return Frame(f"http://127.0.0.1:{_ports[0]}/{page}?{urlencode(link)}", height)
