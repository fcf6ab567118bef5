"""Words over a page's pictures: loading with its progress, an empty state, an error with its cure; and numbers in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import panel as pn

STYLE = (Path(__file__).parent / "notice.css").read_text(encoding="utf-8")


class Notice(pn.Column):
    """A line of words, with a button where something can be done; invisible while there is nothing to say.

    Parameters
    ----------
    pressed : callable
        Called when the button is pressed.
    """

    def __init__(self, pressed: Callable[[], None] = lambda: None, **options: Any) -> None:
        over = {
            "position": "absolute",
            "top": "40px",
            "left": "0",
            "right": "0",
            "z-index": "5",
        }  # moves nothing below it
        self._words = pn.pane.HTML("", stylesheets=[STYLE], margin=0, sizing_mode="stretch_width")
        self._button = pn.widgets.Button(
            stylesheets=[STYLE], label="", margin=(6, 0, 0, 0), align="center", css_classes=["wb-notice-button"]
        )
        self._button.on_click(lambda _: pressed())
        super().__init__(self._words, visible=False, styles=over, margin=0, sizing_mode="stretch_width", **options)

    def say(self, kind: str, text: str, progress: float | None = None, button: str = "") -> None:
        """Show ``text`` as a "hint", "loading", "waiting" or "error"; "" takes it away."""
        bar = "" if progress is None else f'<div class="bar" style="--wb-part:{100 * progress:.0f}%"></div>'
        role = "alert" if kind == "error" else "status"
        self._words.object = (
            f'<div class="notice {escape(kind)}" role="{role}">{escape(text)}{bar}</div>' if text else ""
        )
        if button:
            self._button.label = button
        if bool(button) != (len(self) == 2):
            self.objects = [self._words, self._button] if button else [self._words]
        self.visible = bool(text)

    @property
    def text(self) -> str:
        """What is said, as HTML."""
        return str(self._words.object)


def numbers(title: str, subtitle: str, rows: Sequence[tuple[str, str, str]]) -> str:
    """HTML of a heading and numbers below it: (name, value, meaning); a value may end in ``± …``, set smaller."""
    cells = []
    for name, value, meaning in rows:
        first, plus, rest = value.partition(" ±")
        small = f" <small>±{escape(rest)}</small>" if plus else ""
        cells.append(f'<div title="{escape(meaning)}"><dt>{escape(name)}</dt><dd>{escape(first)}{small}</dd></div>')
    return f"<h2>{escape(title)}</h2><p>{escape(subtitle)}</p><dl>{''.join(cells)}</dl>"


def number_pane(html: str = "") -> pn.pane.HTML:
    """A pane for `numbers`."""
    return pn.pane.HTML(html, stylesheets=[STYLE], margin=0, sizing_mode="stretch_width")
