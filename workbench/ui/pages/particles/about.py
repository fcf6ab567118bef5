"""The card about the rules: their equations, with the setting that was touched last marked in them, and their own words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench.engine.steering.rules import RULES
from workbench.plots.markup import Markup, html, joined
from workbench.ui.controls.equations import equations_of, paragraphs_of
from workbench.ui.shell.html_pane import HTML
from workbench.views.fields import fields_of

STYLE = (Path(__file__).parent / "about.css").read_text(encoding="utf-8")


class About(HTML):
    """Describes the rules that are shown; it is sent again only when it says something else."""

    def __init__(self) -> None:
        super().__init__("", stylesheets=[STYLE], margin=0, sizing_mode="stretch_width")
        self._touched = (0, "")

    def touch(self, place: int, setting: str) -> None:
        """The last change was of ``setting`` of the rule at ``place``; "" for the rule itself."""
        self._touched = (place, setting)

    def describe(self, rules: Sequence[str]) -> None:
        """Say what ``rules`` are, by name."""
        place, setting = self._touched
        place = min(place, len(rules) - 1)
        sections = joined(_section(rule, setting if index == place else "") for index, rule in enumerate(rules))
        words = joined(html("<p>{}</p>", paragraph) for paragraph in paragraphs_of(RULES[rules[place]]))
        text = sections + html(
            "<details><summary>Source and cost of {}</summary>{}</details>", RULES[rules[place]].title, words
        )
        if text != self.object:
            self.object = text


def _section(name: str, touched: str) -> Markup:
    rule = RULES[name]
    field = next((field for field in fields_of(rule) if field.name == touched), None)
    symbol = "" if field is None else field.symbol
    lines = joined(html('<div class="line">{}</div>', line) for line in equations_of(rule, symbol))
    now = Markup()
    if field is not None:
        now = html('<p class="now"><b>{} {}</b>: {}</p>', field.title, symbol, field.meaning)
    return html('<section><h3>{}</h3><div class="equation">{}</div>{}</section>', rule.title, lines, now)
