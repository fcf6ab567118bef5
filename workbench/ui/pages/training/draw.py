"""The figures of training: losses on a logarithmic axis, and values over the snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from bokeh.models import ColumnDataSource, Range1d

from workbench.plots.palette import SPARE, Look, look
from workbench.ui.canvas.bokeh_figures import dye, house_figure, hover, legend, span
from workbench.views.training import Moment

LOSSES = 6  # lines that are ready; a run with more losses shows the first ones
FLOOR = 1e-6


class LossFigure(NamedTuple):
    """The figure and one source and renderer for each loss that may come."""

    figure: Any
    sources: list[ColumnDataSource]
    lines: list[Any]


def loss_figure() -> LossFigure:
    """An empty picture with lines for a few losses."""
    chart = house_figure(
        "", "update", "loss", y_axis_type="log", x_range=Range1d(start=0, end=1), y_range=Range1d(start=0.01, end=10)
    )
    looks = [look("bc"), *SPARE]
    dashes = ("solid", "dashed", "dotdash", "dotted", "solid", "dashed")
    sources, lines = [], []
    for number in range(LOSSES):
        source = ColumnDataSource({"x": [], "y": []})
        line = chart.line(
            "x",
            "y",
            source=source,
            line_width=1.8,
            line_dash=dashes[number],
            legend_label=f"loss {number}",
            visible=False,
        )
        dye(line, looks[number % len(looks)])
        hover(chart, [line], [("update", "@x"), ("loss", "@y{0.0000}")])
        sources.append(source)
        lines.append(line)
    legend(chart, "above", LOSSES)
    for item in chart.legend[0].items:
        item.visible = False  # until a loss has come
    return LossFigure(chart, sources, lines)


def show_losses(chart: LossFigure, losses: Mapping[str, tuple[np.ndarray, np.ndarray]], total: int) -> None:
    """Fill it; losses at or below 0 (SQL's may be) lie on the floor of the axis."""
    items = chart.figure.legend[0].items
    for number, (source, line) in enumerate(zip(chart.sources, chart.lines, strict=True)):
        pair = list(losses.items())[number] if number < len(losses) else None
        line.visible = items[number].visible = pair is not None
        if pair is not None:
            name, (steps, values) = pair
            source.data = {"x": steps, "y": np.maximum(values, FLOOR)}
            items[number].label = {"value": name}
    chart.figure.x_range.update(start=0, end=max(total, 1))
    every = [np.log10(np.maximum(values, FLOOR)) for _, values in losses.values()]
    if every:
        low, high = span(every)
        # whole powers of ten: between them the axis would crowd its numbers
        chart.figure.y_range.update(start=10.0 ** np.floor(low), end=10.0 ** np.ceil(high))


class ValueFigure(NamedTuple):
    """The figure and its sources: Q of the behaviour, Q of QGF, V."""

    figure: Any
    sources: list[ColumnDataSource]


def value_figure() -> ValueFigure:
    """An empty picture with three lines."""
    chart = house_figure("", "update", "mean value, task units", x_range=Range1d(start=0, end=1), y_range=Range1d())
    lines: tuple[tuple[str, Look], ...] = (
        ("Q, behaviour", look("bc")),
        ("Q, QGF", look("qgf")),
        ("V", SPARE[2]),
    )
    sources = []
    for word, style in lines:
        source = ColumnDataSource({"x": [], "y": []})
        line = chart.line("x", "y", source=source, line_width=2, legend_label=word)
        dot = chart.scatter("x", "y", source=source, marker=style.shape, size=5, legend_label=word)
        dye(line, style)
        dye(dot, style)
        hover(chart, [dot], [(word, "@y{0.000}"), ("update", "@x")])
        sources.append(source)
    legend(chart, "above", 3)
    return ValueFigure(chart, sources)


def show_values(chart: ValueFigure, moments: Sequence[Moment], total: int) -> None:
    """Fill it."""
    ordered = sorted(moments, key=lambda one: one.step)
    steps = np.array([one.step for one in ordered], dtype=float)
    rows = [np.array([getattr(one, name) for one in ordered]) for name in ("behaviour", "guided", "value")]
    for source, values in zip(chart.sources, rows, strict=True):
        source.data = {"x": steps, "y": values}
    low, high = span(rows)
    chart.figure.x_range.update(start=0, end=max(total, 1))
    chart.figure.y_range.update(start=low, end=high)
