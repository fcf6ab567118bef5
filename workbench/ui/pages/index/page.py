"""The index: the opening, where to start, three roads, every page, and every rule in the registry with its equation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from workbench.engine.steering.rules import RULES
from workbench.plots.markup import Markup, html, joined
from workbench.plots.palette import VALUE_RAMP, look
from workbench.ui.browser.link import inline
from workbench.ui.controls.equations import equations_of
from workbench.ui.server.parts_cache import CACHE, Cache
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.page import Page
from workbench.ui.shell.toolbar import Export
from workbench.views.opening.measured import Opening, link_of, shipped

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
  table, tbody, tr { display: block; }
  td { display: block; border: none; padding: 2px 0; }
  a { display: inline-block; padding: 5px 0; }
  .equation, .line { max-width: 100%; overflow-x: auto; overflow-y: hidden; }
  td:first-child { border-top: 1px solid var(--wb-line); padding-top: 10px; }
}
"""


def for_the_browser(opening: Opening) -> str:
    """What the opening's script reads: its numbers, how it is drawn, and a link for every frame, as JSON inside a page."""
    more = {
        "rule_title": RULES[opening.rule].title,
        "look": look(opening.rule)._asdict(),
        "ramps": VALUE_RAMP,
        "links": [f"./particles?{urlencode(link_of(opening, frame))}" for frame in range(len(opening.words))],
    }
    text = json.dumps(asdict(opening) | more, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")  # no text can end the script


def layout_of(opening: Opening) -> str:
    """The page's HTML, with the opening's numbers and script in it: its first picture waits for no connection."""
    text = (HERE / "page.html").read_text(encoding="utf-8")
    for place, inside in (
        ("opening", for_the_browser(opening)),
        ("script", inline(HERE / "opening.js")),
        ("start", urlencode(link_of(opening, opening.best))),
    ):
        text = text.replace(f"/*{place}*/", "{% raw %}" + inside + "{% endraw %}")
    return text


class IndexPage(Page):
    """The page that leads to the others."""

    name: ClassVar[str] = "index"
    title: ClassVar[str] = "All pages"
    layout: ClassVar[str] = layout_of(shipped())
    style: ClassVar[str] = (HERE / "page.css").read_text(encoding="utf-8")

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

    def exports(self) -> tuple[Export, ...]:
        """The opening as a film."""
        return (
            Export("Opening as GIF", "opening.gif", "image/gif", lambda: _film(".gif")),
            Export("Opening as MP4", "opening.mp4", "video/mp4", lambda: _film(".mp4")),
        )


def _film(suffix: str) -> bytes:
    from workbench.views.opening.film import film

    return film(shipped(), suffix)


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
