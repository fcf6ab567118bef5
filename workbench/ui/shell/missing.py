"""The answer to an address that no page has: words, and the way to the pages."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment
from tornado.web import Application, RequestHandler

from workbench.ui.shell.registry import PAGES

TEMPLATE = Environment(autoescape=True).from_string(
    (Path(__file__).parent / "missing.html").read_text(encoding="utf-8")
)


class Missing(RequestHandler):
    """Answers whatever is asked with words and status 404."""

    def prepare(self) -> None:
        """Answer at once, whatever the method."""
        self.set_status(404)
        self.finish(TEMPLATE.render(pages={name: entry.title for name, entry in PAGES.items()}))


def answer_missing(application: Application) -> None:
    """Let ``application`` answer what it has no page for with `Missing`."""
    application.settings["default_handler_class"] = Missing
