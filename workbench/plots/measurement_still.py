"""Matplotlib twins of the figures of measurements: PDF for papers, SVG for pages that are printed."""

from __future__ import annotations

import io
import re

import matplotlib
from matplotlib.axes import Axes as Panel
from matplotlib.figure import Figure

from workbench.plots.palette import MATPLOTLIB_MARKERS, Theme
from workbench.plots.series import Axes, Series

SIZE = (6.4, 4.0)  # inches


def measured(series: list[Series], axes: Axes, theme: Theme = "light", size: tuple[float, float] = SIZE) -> Figure:
    """All ``series`` in one figure; arguments as in `workbench.plots.measurement.measured`."""
    if not series:
        raise ValueError("a figure needs at least one series")
    figure = Figure(figsize=size, layout="constrained")
    panel = figure.subplots()
    if axes.zero:
        panel.axhline(0.0, color="#8a94a3", lw=0.8, ls=":", zorder=1)
    for line in series:
        _draw(panel, line, theme)
    panel.set(xlabel=axes.x, ylabel=axes.y, title=axes.title)
    if axes.log:
        panel.set_yscale("log")
    if axes.ticks:
        panel.set_xticks([place for place, _ in axes.ticks], [name for _, name in axes.ticks])
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(alpha=0.25, lw=0.6)
    panel.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    return figure


def _draw(panel: Panel, line: Series, theme: Theme) -> None:
    style = line.look
    colour, dash = style.colour(theme), "--" if line.dashed else "-"
    for x, y in line.seeds():
        panel.plot(x, y, color=colour, alpha=0.28, lw=0.8, ls=dash, zorder=2)
    if line.low is not None and line.high is not None:
        spread = [line.y - line.low, line.high - line.y]
        panel.errorbar(line.x, line.y, yerr=spread, fmt="none", ecolor=colour, elinewidth=1.0, capsize=2.5, zorder=3)
    panel.plot(
        line.x,
        line.y,
        color=colour,
        lw=1.8,
        ls=dash,
        marker=MATPLOTLIB_MARKERS[style.shape],
        ms=5.5,
        markeredgecolor="white",
        markeredgewidth=0.6,
        label=line.name,
        zorder=4,
    )
    if line.chosen is not None:
        x, y = line.x[line.chosen], line.y[line.chosen]
        panel.plot([x], [y], marker="o", ms=13, mfc="none", mec=colour, mew=1.6, ls="", zorder=5)


def svg(figure: Figure, mark: str) -> str:
    """The figure as an inline SVG of outlines, without metadata; ``mark`` keeps the ids of several figures apart."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": mark}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{mark}-\1"', text)
    text = re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{mark}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{mark}-\1)", text)
    return re.sub(
        r'<svg ([^>]*?)width="[^"]*" ?',
        r"<svg \1",
        re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", text, count=1),
        count=1,
    )
