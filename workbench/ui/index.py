"""The index: what the pages are for, and every rule in the registry with its equation."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import panel as pn

from workbench.engine.steering.rules import RULES
from workbench.plots.palette import look
from workbench.ui.equations import equations_of
from workbench.ui.session import CACHE, Cache
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
.equation svg { max-width: 100%; height: auto; }
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
        rows = "".join(_row(name) for name in RULES)
        self._rules = pn.pane.HTML(
            f"<table>{rows}</table>", stylesheets=[ROW_STYLE], sizing_mode="stretch_width", margin=0
        )

    def panels(self) -> Mapping[str, Any]:
        """The table of rules."""
        return {"rules": self._rules}

    def state(self) -> dict[str, Any]:
        """There is nothing to remember."""
        return {}

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Nothing changes here."""


def _row(name: str) -> str:
    rule = RULES[name]
    return (
        f'<tr><td><span class="dot" style="background:{look(name).light}"></span>'
        f'<a href="./particles?rule={quote(name)}">{escape(rule.title)}</a></td>'
        f'<td><div class="equation">{"".join(equations_of(rule))}</div></td><td>{escape(rule.paper)}</td></tr>'
    )
