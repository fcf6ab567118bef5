"""The two small pictures of a dataset: its actions, and the lengths of its episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from bokeh.models import ColumnDataSource, Range1d

from workbench.engine.data.pictures import MOST_DIMS
from workbench.plots.palette import SPARE, look
from workbench.ui.canvas.bokeh_figures import dye, house_figure, hover, legend

DASHES = ("solid", "dashed", "dotdash", "dotted")


class Picture(NamedTuple):
    """A histogram: its figure, and a source and a renderer for each line."""

    figure: Any
    sources: list[ColumnDataSource]
    lines: list[Any]


NO_ACTIONS = "The actions of a dataset appear here"
NO_LENGTHS = "The lengths of its episodes appear here"


def action_figure() -> Picture:
    """An empty histogram with a line for each number of an action."""
    chart = house_figure(
        "", "value of an action's number, units of the file", "rows", x_range=Range1d(), y_range=Range1d()
    )
    looks = [look("bc"), *SPARE]
    sources, lines = [], []
    for number in range(MOST_DIMS):
        source = ColumnDataSource({"x": [], "y": []})
        line = chart.step(
            "x",
            "y",
            source=source,
            mode="center",
            line_width=2,
            visible=False,
            legend_label=f"a{number}",
            line_dash=DASHES[(number // len(looks)) % len(DASHES)],
        )
        dye(line, looks[number % len(looks)])
        hover(chart, [line], [(f"a{number}", "@x{0.000}"), ("rows", "@y{0,0}")])
        sources.append(source)
        lines.append(line)
    legend(chart, "above", MOST_DIMS)
    for item in chart.legend[0].items:
        item.visible = False
    return Picture(chart, sources, lines)


def length_figure() -> Picture:
    """An empty histogram of bars."""
    chart = house_figure("", "rows of an episode", "episodes", x_range=Range1d(), y_range=Range1d())
    source = ColumnDataSource({"left": [], "right": [], "top": []})
    bars = chart.quad(left="left", right="right", bottom=0, top="top", source=source, fill_alpha=0.55, line_width=1)
    dye(bars, look("bc"))
    hover(chart, [bars], [("rows", "@left{0.0} to @right{0.0}"), ("episodes", "@top{0,0}")])
    return Picture(chart, [source], [bars])


def show_actions(chart: Picture, histogram: Mapping[str, Any], names: Sequence[str]) -> None:
    """Fill it."""
    edges, counts = histogram["edges"], histogram["counts"]
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    items = chart.figure.legend[0].items
    for number, (source, line) in enumerate(zip(chart.sources, chart.lines, strict=True)):
        there = number < len(counts)
        line.visible = items[number].visible = there
        source.data = {"x": middles, "y": counts[number]} if there else {"x": [], "y": []}
        items[number].label = {"value": names[number] if number < len(names) else f"a{number}"}
    _frame(chart.figure, edges, max((max(row) for row in counts), default=1), NO_ACTIONS)


def show_lengths(chart: Picture, histogram: Mapping[str, Any]) -> None:
    """Fill it."""
    edges, counts = histogram["edges"], histogram["counts"]
    first = counts[0] if counts else []
    chart.sources[0].data = {"left": edges[:-1], "right": edges[1:], "top": first}
    _frame(chart.figure, edges, max(first, default=1), NO_LENGTHS)


def _frame(figure: Any, edges: Sequence[float], top: float, words: str) -> None:
    """Fit the axes; a picture of nothing has none, and says what will be there."""
    low, high = (edges[0], edges[-1]) if edges else (0.0, 1.0)
    pad = 0.04 * (high - low) or 0.5
    figure.x_range.update(start=low - pad, end=high + pad)
    figure.y_range.update(start=0, end=1.08 * max(top, 1))
    figure.title.text = "" if edges else words
    figure.title.align = "center"
    for part in (*figure.axis, *figure.grid):
        part.visible = bool(edges)
