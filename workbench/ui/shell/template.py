"""A page in its shell: the template with header and navigation, and the words where a page could not be made."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote
from weakref import WeakMethod

import panel as pn
import torch

from workbench.plots.markup import html
from workbench.ui.browser.callbacks import custom_js
from workbench.ui.browser.first import FIRST
from workbench.ui.browser.link import inline
from workbench.ui.server.draw_processes import STUDIO
from workbench.ui.server.fault import told
from workbench.ui.server.garbage import GARBAGE
from workbench.ui.server.gate import NONCE, USER, Gate
from workbench.ui.server.workshop import WORKSHOP
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.layout import single
from workbench.ui.shell.page import Page
from workbench.ui.shell.plain import check_reached
from workbench.ui.shell.registry import PAGES, page_class
from workbench.views.contained import contained

log = logging.getLogger(__name__)
SCRIPT = re.compile(
    r"^\s*<script(?=[\s>])", re.MULTILINE
)  # a tag of Bokeh's; what it writes into one is indented and escaped
# Two megabytes of Bokeh's that no page asks for: equations are MathML, what people write is never read as TeX, and no figure
# is drawn by WebGL.
UNUSED = re.compile(r"""^\s*<script[^>]* src="[^"]*/bokeh-(mathjax|gl)\.[^"]*"[^>]*></script>\n?""", re.MULTILINE)
HERE = Path(__file__).parent
SHELL = (HERE / "shell.html").read_text(encoding="utf-8")
STYLE = (HERE / "shell.css").read_text(encoding="utf-8")
THEME_BUTTON = inline(HERE / "theme_button.js")
PHONE_SHEET = inline(HERE / "phone_sheet.js")
TOUCH_TIPS = inline(HERE / "touch_tips.js")


def framed(page: Page) -> pn.Template:
    """Put a page into the shell."""
    template = pn.Template(SHELL.replace("<!-- body -->", page.layout))
    template.add_variable("css", STYLE + page.style)
    template.add_variable("first", FIRST)
    template.add_variable("theme_button", THEME_BUTTON)
    template.add_variable("phone_sheet", PHONE_SHEET)
    template.add_variable("touch_tips", TOUCH_TIPS)
    template.add_variable("steers", page.steers)
    template.add_variable("page", page.name)
    template.add_variable("controls", 'id="wb-controls"' in page.layout)
    template.add_variable("pages", PAGES)
    said = pn.state.headers if Gate.standing else {}  # a visitor may have written what no gate has
    nonce = str(said.get(NONCE, ""))
    template.add_variable("nonce", nonce)
    template.add_variable("user", said.get(USER, ""))
    template.add_variable("with_nonce", lambda html: SCRIPT.sub(rf'\g<0> nonce="{nonce}"', html) if nonce else html)
    template.add_variable("lean", lambda html: UNUSED.sub("", html))
    template.add_panel("toolbar", page.toolbar)
    for slot, pane in page.panels().items():
        template.add_panel(slot, pane)
    return template


class FailedPage(Page):
    """What stands in place of a page that could not be made: the reason, and a way on."""

    name: ClassVar[str] = "failed"
    title: ClassVar[str] = "Not available"
    layout: ClassVar[str] = single()

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__({})
        words = html("<h2>This page could not be opened</h2><p>{}</p>", told(error))
        cure = html(
            '<p><a href="./{}">Open it without the link\'s settings</a>, or go to <a href="./">all pages</a>.</p>',
            quote(name),
        )
        self._words = HTML(words + cure, sizing_mode="stretch_width")

    def panels(self) -> Mapping[str, Any]:
        """The words."""
        return {"main": self._words}

    def state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Nothing."""


def made(name: str, arguments: Mapping[str, str]) -> Page:
    """The page, or the words of what went wrong: one user's broken page must not look like a broken server."""
    try:
        check_reached(None if pn.state.curdoc is None else pn.state.curdoc.session_context)
        with contained(f"the page {name}"):
            page: Page = page_class(name)(arguments)
        return page
    except Exception as error:  # whatever it was, the user gets words and the log the traceback
        log.warning("the page %s could not be made for %s: %s", name, dict(arguments), error)
        return FailedPage(name, error)


def open_page(name: str) -> pn.Template:
    """Make one user's page from the link that was opened; called once for every browser tab."""
    torch.set_num_threads(1)  # two threads a session kept most of 30 sessions from opening (design.md)
    arguments = {key: values[-1].decode("utf-8", "replace") for key, values in pn.state.session_args.items()}
    page = made(name, arguments)
    page.changed()
    pn.config.exception_handler = handler_of(page)  # of this session alone
    pn.state.onload(page.opened)
    pn.state.on_session_destroyed(lambda _: page.left())
    if page.document is not None and page.document.session_context is not None:
        STUDIO.start()  # where Panel's own command serves the apps; `serve` has done it before the first visitor
        WORKSHOP.start()
        GARBAGE.start()
        GARBAGE.opened()
        pn.state.on_session_destroyed(GARBAGE.left)
    if pn.state.curdoc is not None:
        pn.state.curdoc.js_on_event("connection_lost", custom_js(HERE / "connection_lost.js"))
    return framed(page)


def handler_of(page: Page) -> Callable[[Exception], None]:
    """What Panel calls with an error of the page's session; it does not keep the page.

    Panel keeps it by the session's document for as long as that lives, and a page holds its document: held by what is kept for
    it, a document would never go.
    """
    method = WeakMethod(page.failed)

    def tell(error: Exception) -> None:
        failed = method()
        if failed is not None:
            failed(error)

    return tell


def opener(name: str) -> Callable[[], pn.Template]:
    """`open_page` of one page, as the plain function that Panel's server wants."""

    def open_it() -> pn.Template:
        return open_page(name)

    return open_it


def serve_page(name: str) -> None:
    """What a file in apps/ calls: make the page servable under its title."""
    open_page(name).servable(title=title_of(name))


def title_of(name: str) -> str:
    """The title of the browser tab."""
    return f"Workbench – {PAGES[name].title}" if name in PAGES else "Workbench"
