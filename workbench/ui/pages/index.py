"""The index: what the pages are for, and every rule in the registry with its equation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from workbench.engine.steering.rules import RULES
from workbench.plots.markup import Markup, html, joined
from workbench.plots.palette import look
from workbench.ui.controls.equations import equations_of
from workbench.ui.server.parts_cache import CACHE, Cache
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.page import Page

HERE = Path(__file__).parent
ROW_STYLE = """
:host { font-family: var(--wb-font); color: var(--wb-ink); }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
td { padding: 8px 14px 8px 0; border-top: 1px solid var(--wb-line); vertical-align: middle; }
tr:first-child td { border-top: none; }
a { color: var(--wb-accent); font-weight: 600; text-decoration: none; white-space: nowrap; }
td:last-child { color: var(--wb-muted); font-size: 12px; }
.equation { display: flex; flex-wrap: wrap; gap: 6px 22px; align-items: center; }
.equation math { font-size: 1.1em; }
.dot { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 8px; }
@media (max-width: 700px) {
  td { display: block; border: none; padding: 2px 0; }
  td:first-child { border-top: 1px solid var(--wb-line); padding-top: 10px; }
}
"""


class IndexPage(Page):
    """The page that leads to the others."""

    name: ClassVar[str] = "index"
    title: ClassVar[str] = "All pages"
    layout: ClassVar[str] = (HERE / "index.html").read_text(encoding="utf-8")
    style: ClassVar[str] = (HERE / "index.css").read_text(encoding="utf-8")

    def __init__(self, arguments: Mapping[str, str], cache: Cache = CACHE) -> None:
        super().__init__(arguments, cache)
        rows = joined(_row(name) for name in RULES)
        self._rules = HTML(
            html("<table>{}</table>", rows), stylesheets=[ROW_STYLE], sizing_mode="stretch_width", margin=0
        )

    def panels(self) -> Mapping[str, Any]:
        """The table of rules."""
        return {"rules": self._rules}

    def state(self) -> dict[str, Any]:
        """There is nothing to remember."""
        return {}

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Nothing changes here."""


def _row(name: str) -> Markup:
    rule = RULES[name]
    return html(
        '<tr><td><span class="dot" style="background:{}"></span><a href="./particles?rule={}">{}</a></td>'
        '<td><div class="equation">{}</div></td><td>{}</td></tr>',
        look(name).light,
        quote(name),
        rule.title,
        joined(equations_of(rule)),
        rule.paper,
    )
