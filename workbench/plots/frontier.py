"""HoloViews figures of measurements: lines with intervals, every seed behind them, the chosen strength ringed."""

from __future__ import annotations

from typing import Any

import holoviews as hv
import holoviews.plotting.bokeh

from workbench.plots.palette import Theme
from workbench.plots.series import Axes, Series

HEIGHT = 380  # pixels; the width follows the page


def measured(series: list[Series], axes: Axes, theme: Theme = "light") -> hv.Overlay:
    """All ``series`` in one figure.

    Raises
    ------
    ValueError
        No series.
    """
    if not series:
        raise ValueError("a figure needs at least one series")
    parts: list[Any] = (
        [hv.HLine(0.0).opts(backend="bokeh", color="#8a94a3", line_width=1, line_dash="dotted")] if axes.zero else []
    )
    for line in series:
        parts += _one(line, theme)
    ticks = {"xticks": list(axes.ticks)} if axes.ticks else {}
    return hv.Overlay(parts).opts(
        xlabel=axes.x,
        ylabel=axes.y,
        title=axes.title,
        responsive=True,
        height=HEIGHT,
        legend_position="bottom",
        legend_cols=2,
        legend_limit=10_000,
        show_grid=True,
        toolbar="above",
        logy=axes.log,
        padding=0.06,
        backend="bokeh",
        hooks=[_quiet],
        **ticks,
    )


def _one(line: Series, theme: Theme) -> list[Any]:
    style = line.look
    colour, dash = style.colour(theme), "dashed" if line.dashed else "solid"
    thin = {"color": colour, "alpha": 0.28, "line_width": 1, "line_dash": dash}
    parts: list[Any] = [hv.Curve((x, y), "x", "y").opts(backend="bokeh", **thin) for x, y in line.seeds()]
    if line.low is not None and line.high is not None:
        bars = (line.x, line.y, line.y - line.low, line.high - line.y)
        parts.append(
            hv.ErrorBars(bars, "x", ["y", "below", "above"]).opts(backend="bokeh", color=colour, line_width=1.2)
        )
    parts.append(
        hv.Curve((line.x, line.y), "x", "y", label=line.name).opts(
            backend="bokeh", color=colour, line_width=2.2, line_dash=dash
        )
    )
    labels = line.labels or ("",) * len(line.x)
    dots = hv.Scatter((line.x, line.y, labels), "x", ["y", "label"], label=line.name)
    parts.append(
        dots.opts(
            backend="bokeh",
            color=colour,
            marker=style.shape,
            size=8,
            line_color="white",
            tools=["hover"],
            hover_tooltips=[("", "@label"), ("x", "@x{0.000}"), ("y", "@y{0.000}")],
        )
    )
    if line.chosen is not None:
        ring = hv.Scatter(([line.x[line.chosen]], [line.y[line.chosen]]), "x", "y")
        parts.append(
            ring.opts(backend="bokeh", marker="circle", size=18, fill_alpha=0.0, line_color=colour, line_width=2)
        )
    return parts


def _quiet(plot: Any, element: Any) -> None:
    """A calm frame, a legend that hides lines on click, and no wheel that catches the page's scrolling."""
    figure = plot.state
    figure.outline_line_color = None
    figure.axis.minor_tick_line_color = None
    figure.axis.axis_label_text_font_style = "normal"
    figure.grid.grid_line_alpha = 0.4
    figure.toolbar.logo = None
    for legend in figure.legend:
        legend.click_policy = "hide"
        legend.border_line_color = None
        legend.background_fill_alpha = 0.0
    figure.toolbar.active_scroll = None
    figure.toolbar.active_drag = None


def bokeh_figure(overlay: hv.Overlay) -> Any:
    """The Bokeh model of a figure, ready to be embedded."""
    return hv.renderer("bokeh").get_plot(overlay).state
