"""HoloViews figures of measurements: lines with intervals, every seed behind them, the chosen strength ringed."""

from __future__ import annotations

from typing import Any

import holoviews as hv

from workbench.plots.palette import Theme
from workbench.plots.series import Axes, Series
from workbench.plots.styled import GREY, calm, marker, plain, styled

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
    parts: list[Any] = []
    if axes.zero:
        parts.append(
            styled(hv.HLine(0.0), {"color": GREY}, {"line_width": 1, "line_dash": "dotted"}, {"linestyle": ":"})
        )
    for line in series:
        parts += _one(line, axes, theme)
    ticks = {"xticks": list(axes.ticks)} if axes.ticks else {}
    both = {"xlabel": axes.x, "ylabel": axes.y, "title": axes.title, "show_grid": True, "logy": axes.log, **ticks}
    legend = {"legend_position": "bottom", "legend_cols": 2, "legend_limit": 10_000, "toolbar": "above"}
    return styled(
        hv.Overlay(parts),
        both | {"padding": 0.06},
        {"hooks": [calm], **legend},
        {"legend_position": "best", "legend_cols": 1, "hooks": [plain], "sublabel_format": ""},
    )


def _one(line: Series, axes: Axes, theme: Theme) -> list[Any]:
    style = line.look
    colour, (dash, still) = {"color": style.colour(theme)}, ("dashed", "--") if line.dashed else ("solid", "-")
    across, along = hv.Dimension(("x", axes.x)), hv.Dimension(("y", axes.y))
    shape, shape_still = marker(style)
    parts: list[Any] = [
        styled(
            hv.Curve((x, y), [across], [along]),
            colour | {"alpha": 0.28},
            {"line_width": 1, "line_dash": dash},
            {"linewidth": 0.8, "linestyle": still},
        )
        for x, y in line.seeds()
    ]
    edge = colour["color"]
    if line.low is not None and line.high is not None:
        bars = hv.ErrorBars(
            (line.x, line.y, line.y - line.low, line.high - line.y), [across], [along, "below", "above"]
        )
        bokeh = {"color": edge, "line_color": edge, "line_width": 1.2, "lower_head": None, "upper_head": None}
        parts.append(styled(bars, None, bokeh, {"edgecolor": edge, "capsize": 2.0, "elinewidth": 0.9}))
    mean = hv.Curve((line.x, line.y), [across], [along], label=line.name)
    parts.append(styled(mean, colour, {"line_width": 2.2, "line_dash": dash}, {"linewidth": 1.6, "linestyle": still}))
    labels = line.labels or ("",) * len(line.x)
    dots = hv.Scatter((line.x, line.y, labels), [across], [along, "label"], label=line.name)
    hover = {"tools": ["hover"], "hover_tooltips": [("", "@label"), ("x", "@x{0.000}"), ("y", "@y{0.000}")]}
    parts.append(
        styled(
            dots,
            colour,
            {**shape, **hover, "size": 8, "line_color": "white"},
            {**shape_still, "s": 26.0, "edgecolors": "white"},
        )
    )
    if line.chosen is not None:
        ring = hv.Scatter(([line.x[line.chosen]], [line.y[line.chosen]]), [across], [along])
        bokeh = {"marker": "circle", "size": 18, "fill_alpha": 0.0, "line_color": edge, "line_width": 2}
        parts.append(
            styled(ring, None, bokeh, {"s": 120.0, "facecolors": "none", "edgecolors": edge, "linewidth": 1.4})
        )
    return parts


def bokeh_figure(overlay: hv.Overlay) -> Any:
    """The Bokeh model of a figure, ready to be embedded in a page; its width is the page's."""
    wide = overlay.opts(backend="bokeh", responsive=True, height=HEIGHT)
    return hv.renderer("bokeh").get_plot(wide).state
