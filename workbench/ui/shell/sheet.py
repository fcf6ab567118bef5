"""Saving a page of Bokeh figures: as a picture, which the browser draws, or as a page that works without a server."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bokeh.core.serialization import Deserializer, Serializer
from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource
from bokeh.models.widgets import Button, Slider
from bokeh.resources import Resources

from workbench.ui.browser.callbacks import custom_js, stop_words
from workbench.ui.browser.first import FIRST
from workbench.ui.canvas.bokeh_figures import follow_theme

HERE = Path(__file__).parent
TEMPLATE = (HERE / "saved.html").read_text(encoding="utf-8")
STYLE = (HERE / "shell.css").read_text(encoding="utf-8")
HEIGHT = 360
ELSEWHERE = re.compile(
    r'<(script|link)\b[^>]*\b(src|href)="(?!data:)[^>]*>(</script>)?'
)  # what Panel's own models would load


@dataclass(frozen=True)
class Scrub:
    """A slider of the saved page: what some sources of its figures hold at every stop.

    Attributes
    ----------
    label : str
    stops : sequence of str
        Their names, as the slider says them.
    at : int
        The stop at which the page opens.
    columns : sequence of (ColumnDataSource, sequence of mapping)
        A source of the page, and its columns at each stop.
    """

    label: str
    stops: Sequence[str]
    at: int
    columns: Sequence[tuple[ColumnDataSource, Sequence[Mapping[str, Any]]]]


@dataclass(frozen=True)
class Sheet:
    """What a page shows, for saving.

    Attributes
    ----------
    rows : sequence of sequence
        Bokeh figures as they stand beside and below each other; a string is the CSS selector of a canvas, which pictures
        have and the saved page lacks.
    words : str
        HTML above them (`notice.numbers`), with everything in it escaped.
    scrub : callable
        Makes the slider in a worker thread; None for no slider.
    """

    rows: Sequence[Sequence[Any]]
    words: str = ""
    scrub: Callable[[], Scrub | None] = lambda: None


def names_of(sheet: Sheet) -> list[list[str]]:
    """The figures' ids, by which the browser finds them; selectors begin with a dot."""
    return [[one if isinstance(one, str) else one.id for one in line] for line in sheet.rows]


def saved_page(title: str, sheet: Sheet, scrub: Scrub | None, code: str) -> bytes:
    """One HTML file with the figures as they are now; hover, zoom, brush, and the slider work without a server.

    Call it in the page's own thread: it reads the page's models.
    """
    figures = [[one for one in line if not isinstance(one, str)] for line in sheet.rows]
    sources = [] if scrub is None else [source for source, _ in scrub.columns]
    # Copies, because a model belongs to one document, and the page's own goes on.
    content = Serializer(deferred=False).serialize([figures, sources]).content
    figures, sources = Deserializer().decode(content)
    every = [one for line in figures for one in line]
    for one in every:
        one.js_property_callbacks, one.js_event_callbacks, one.toolbar.autohide = {}, {}, False
        one.update(sizing_mode="stretch_width", height=HEIGHT if one.aspect_ratio in (None, "auto") else None)
    lines: list[Any] = [row(line, sizing_mode="stretch_width", spacing=18) for line in figures if line]
    if scrub is not None and len(scrub.stops) > 1:
        lines.insert(0, _slider(scrub, sources))
    document = Document()
    document.add_root(column(lines, sizing_mode="stretch_width", spacing=12))
    follow_theme(every, document)
    variables = {"style": STYLE, "first": FIRST, "heading": title, "words": sheet.words, "code": code}
    page: str = file_html(
        document,
        Resources(mode="inline"),
        title=f"{title} – Workbench",
        template=TEMPLATE,
        template_variables=variables,
    )
    return ELSEWHERE.sub("", page).encode()


def _slider(scrub: Scrub, sources: Sequence[ColumnDataSource]) -> Any:
    frames = [[ColumnDataSource(dict(columns)) for columns in moments] for _, moments in scrub.columns]
    slider = Slider(
        start=0,
        end=len(scrub.stops) - 1,
        value=scrub.at,
        step=1,
        title=scrub.label,
        format=stop_words(scrub.stops),
        sizing_mode="stretch_width",
    )
    show = custom_js(HERE / "show_stop.js", slider=slider, sources=list(sources), frames=frames)
    slider.js_on_change("value", show)
    play = Button(label="Play", width=80)
    play.js_on_click(custom_js(HERE / "play_stops.js", slider=slider, button=play))
    return row([play, slider], sizing_mode="stretch_width", spacing=14)
