"""The two figures: performance profiles, and return against network evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource

from workbench.plots.series import Axes, Series
from workbench.ui.canvas.bokeh_figures import dye, house_figure, hover, legend, span, themed

COLUMNS = 4  # of the legend


def chart_of(
    series: Sequence[Series], axes: Axes, *, band: bool = False, whiskers: bool = True, log: bool = False
) -> Any:
    """Draw ``series``: intervals as ``whiskers``, or where there are many points as a ``band``, or only said of the mark
    that is pointed at; ``log`` makes x logarithmic.
    """
    kind = {"x_axis_type": "log"} if log else {}
    made = house_figure("", axes.x, axes.y, y_range=span([one.y for one in series] + _ends(series)), **kind)
    for line in series:
        _draw(made, line, "band" if band else "whiskers" if whiskers else "")
    if series:
        legend(made, "above", COLUMNS)
    themed(made)
    return made


def _ends(series: Sequence[Series]) -> list[np.ndarray]:
    return [end for one in series for end in (one.low, one.high) if end is not None]


def _draw(made: Any, line: Series, interval: str) -> None:
    low, high = (line.y if end is None else end for end in (line.low, line.high))
    source = ColumnDataSource({"x": line.x, "y": line.y, "low": low, "high": high, "label": list(line.labels)})
    word = {"legend_label": line.name}
    if interval == "band":
        dye(made.varea("x", "low", "high", source=source, fill_alpha=0.1, **word), line.look)
    elif interval:
        dye(made.segment("x", "low", "x", "high", source=source, line_width=1.4, line_alpha=0.8, **word), line.look)
    dye(made.line("x", "y", source=source, line_width=2.0, **word), line.look)
    dots = made.scatter(
        "x", "y", source=source, marker=line.look.shape, size=9 if interval == "whiskers" else 5, **word
    )
    dye(dots, line.look)
    hover(made, [dots], [("", "@label"), ("", "@y{0.000} (@low{0.000} to @high{0.000})")])
