"""Words over a page's pictures: loading with its progress, an empty state, an error with its cure; and numbers in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import panel as pn

from workbench.plots.markup import Markup, html, joined
from workbench.ui.shell.html_pane import HTML

STYLE = (Path(__file__).parent / "notice.css").read_text(encoding="utf-8")


# Over the pictures, so that words that come and go move nothing; a hint stays, and stands before what it would hide.
OVER = {"position": "absolute", "top": "40px", "left": "0", "right": "0", "z-index": "5"}
BEFORE = {"position": "static", "margin-bottom": "8px"}


class Notice(pn.Column):
    """A line of words, with a button where something can be done; invisible while there is nothing to say.

    Parameters
    ----------
    pressed : callable
        Called when the button is pressed.
    """

    def __init__(self, pressed: Callable[[], None] = lambda: None, **options: Any) -> None:
        self._words = HTML("", stylesheets=[STYLE], margin=0, sizing_mode="stretch_width")
        self._button = pn.widgets.Button(
            stylesheets=[STYLE], label="", margin=(6, 0, 0, 0), align="center", css_classes=["wb-notice-button"]
        )
        self._button.on_click(lambda _: pressed())
        super().__init__(self._words, visible=False, styles=OVER, margin=0, sizing_mode="stretch_width", **options)

    def say(self, kind: str, text: str, progress: float | None = None, button: str = "") -> None:
        """Show ``text`` as a "hint", "loading", "waiting" or "error"; "" takes it away."""
        bar = "" if progress is None else html('<div class="bar" style="--wb-part:{:.0f}%"></div>', 100 * progress)
        role = "alert" if kind == "error" else "status"
        self._words.object = html('<div class="notice {}" role="{}">{}{}</div>', kind, role, text, bar) if text else ""
        if button:
            self._button.label = button
        if bool(button) != (len(self) == 2):
            self.objects = [self._words, self._button] if button else [self._words]
        place = BEFORE if kind == "hint" else OVER
        if self.styles != place:
            self.styles = place
        self.visible = bool(text)

    @property
    def text(self) -> str:
        """What is said, as HTML."""
        return str(self._words.object)


def numbers(title: str, subtitle: str, rows: Sequence[tuple[str, str, str]]) -> Markup:
    """HTML of a heading and numbers below it: (name, value, meaning); a value may end in ``± …``, set smaller."""
    cells = []
    for name, value, meaning in rows:
        first, plus, rest = value.partition(" ±")
        small = html(" <small>±{}</small>", rest) if plus else ""
        term = html(
            '<button type="button" class="wb-term" data-tip="{0}" aria-description="{0}">{1}</button>', meaning, name
        )
        cells.append(html("<div><dt>{}</dt><dd>{}{}</dd></div>", term if meaning else name, first, small))
    return html("<h2>{}</h2><p>{}</p><dl>{}</dl>", title, subtitle, joined(cells))


def number_pane(words: Markup | str = "") -> HTML:
    """A pane for `numbers`."""
    return HTML(words, stylesheets=[STYLE], margin=0, sizing_mode="stretch_width")
