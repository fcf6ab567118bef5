"""Bokeh figures in the house style: hover, zoom, pan and save, and colours that follow the page's theme."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn
from bokeh.document import Document
from bokeh.events import DocumentReady
from bokeh.models import HoverTool
from bokeh.models.renderers import GlyphRenderer
from bokeh.plotting import figure

from workbench.plots.palette import Look
from workbench.ui.browser.callbacks import custom_js

SCRIPT = Path(__file__).parent / "bokeh_figures.js"
FIT_LEGEND = Path(__file__).parent / "fit_legend.js"
TOOLS = "pan,wheel_zoom,box_zoom,save,reset"


def house_figure(title: str, x: str, y: str, *, tools: str = TOOLS, **options: Any) -> Any:
    """A figure without frame and ground of its own, with its tools shown while the pointer is over it.

    Parameters
    ----------
    title, x, y : str
        Of the figure and its axes, with units.
    tools : str
    options
        Passed on to `bokeh.plotting.figure`.
    """
    made: Any = figure(
        title=title,
        x_axis_label=x,
        y_axis_label=y,
        tools=tools,
        active_scroll=None,
        background_fill_alpha=0.0,
        border_fill_alpha=0.0,
        outline_line_color=None,
        sizing_mode=options.pop("sizing_mode", "stretch_both"),
        min_border_left=8,
        min_border_right=12,
        **options,
    )
    made.toolbar.autohide = True
    made.toolbar.logo = None
    made.title.text_font_size = "13px"
    made.axis.minor_tick_line_color = None
    made.axis.axis_label_text_font_style = "normal"
    made.axis.axis_label_text_font_size = made.axis.major_label_text_font_size = "11.5px"
    return made


def dye(renderer: GlyphRenderer[Any], look: Look | tuple[str, str]) -> GlyphRenderer[Any]:
    """Give a renderer its colour on light and on dark ground."""
    light, dark = look[:2]
    renderer.tags = [{"light": light, "dark": dark}]
    return renderer


def hover(made: Any, renderers: Sequence[GlyphRenderer[Any]], tips: Sequence[tuple[str, str]]) -> None:
    """Say ``tips`` (name, value in Bokeh's notation) over ``renderers``."""
    made.add_tools(HoverTool(renderers=list(renderers), tooltips=list(tips)))


def follow_theme(figures: Sequence[Any], document: Document | None) -> None:
    """Dye ``figures`` in the browser, now and whenever the theme changes."""
    if document is not None:
        document.js_on_event(DocumentReady, custom_js(SCRIPT, figures=list(figures)))


def themed(made: Any) -> None:
    """As `follow_theme`, for a figure that is made after the page has been opened: it is dyed when it is laid out."""
    made.js_on_change("inner_width", custom_js(SCRIPT, figures=[made]))


def legend(made: Any, place: str = "above", columns: int = 2) -> None:
    """Move the legend out of the picture, in ``columns`` where there is room; a click on a word hides what it names."""
    made.legend.click_policy = "hide"
    made.legend.label_text_font_size = "11px"
    made.legend.padding, made.legend.margin, made.legend.spacing = 2, 2, 4
    made.legend.ncols, made.legend.border_line_color = columns, None
    made.add_layout(made.legend[0], place)
    made.js_on_change("outer_width", custom_js(FIT_LEGEND, figure=made, legend=made.legend[0], most=columns))


def span(values: Sequence[Any], margin: float = 0.06) -> tuple[float, float]:
    """From the least to the greatest finite number in ``values``, with a margin; (0, 1) where there is none."""
    flat = np.concatenate([np.asarray(value, dtype=float).ravel() for value in values]) if values else np.zeros(0)
    flat = flat[np.isfinite(flat)]
    if not len(flat):
        return 0.0, 1.0
    low, high = float(flat.min()), float(flat.max())
    pad = margin * (high - low) or 0.5
    return low - pad, high + pad


def pane(made: Any, **options: Any) -> pn.pane.Bokeh:
    """A figure as a pane that fills its place, or has the ``height`` that is given."""
    if "height" in options:
        made.update(sizing_mode="stretch_width", height=options["height"])
    return pn.pane.Bokeh(made, sizing_mode=options.pop("sizing_mode", made.sizing_mode), margin=0, **options)
