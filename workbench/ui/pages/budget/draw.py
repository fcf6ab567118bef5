"""The two linked figures: return against shift, and what the critic promised and what was earned, on the curve of the dial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, FixedTicker, Range1d
from bokeh.models.annotations import BoxAnnotation, Span

from workbench.engine.digits import exact
from workbench.engine.glossary import TERM
from workbench.experiments.summary import Curve
from workbench.plots.palette import Look, looks_of
from workbench.ui.browser.callbacks import custom_js
from workbench.ui.canvas.bokeh_figures import TOOLS, dye, house_figure, hover, legend, span
from workbench.views.budget import Here, points_of, seed_lines
from workbench.views.dial import Scale
from workbench.views.measured import Ride

GATHER = Path(__file__).parent / "gather.js"
TIPS = [
    ("", "@label"),
    (TERM["return"].label, "@value{0.000} (@low{0.00} to @high{0.00})"),
    (TERM["shift.w2"].label, "@shift{0.000}"),
    (TERM["transport"].label, "@transport{0.000}"),
    (TERM["promised"].label, "@promised{0.000}"),
    (TERM["earned"].label, "@earned{0.000}"),
    ("seeds", "@seeds"),
]
INK = ("#17202c", "#e8edf3")
SAFE = ("#23724b", "#6fd3a4")
PAST = ("#a3402a", "#ff9d86")
ROOM = 0.3  # share of the axis that words at its end need on the narrowest screen
BEHIND = 0.42  # opacity of the curves that the dial does not ride on


@dataclass
class Pictures:
    """Both figures with what belongs to their points.

    Attributes
    ----------
    frontier, promise : figure
    sources : list of ColumnDataSource
        The points of each curve.
    here : ColumnDataSource
        The reader's own settings.
    at : Span
        Where all rules are compared.
    scale : Scale
        Of both horizontal axes.
    """

    frontier: Any
    promise: Any
    scale: Scale
    here: ColumnDataSource
    at: Span
    sources: list[ColumnDataSource] = field(default_factory=list)


def pictures_of(
    curves: Sequence[Curve],
    looks: Sequence[Look],
    ride: Ride | None,
    scale: Scale,
    tapped: ColumnDataSource,
    dot: ColumnDataSource,
) -> Pictures:
    """Draw the curves of one task; a selection in one figure shows in the other.

    Parameters
    ----------
    curves : sequence of Curve
    looks : sequence of Look
        One for each curve.
    ride : Ride or None
        The curve that the dial rides on: the others stand back.
    scale : Scale
        Of the axis of shifts.
    tapped : ColumnDataSource
        Its column ``key`` is replaced by the keys of the points that are selected.
    dot : ColumnDataSource
        Where the dial stands, ``at``, ``value``, ``promised``, ``earned``, ``middle``, ``words``.
    """
    names = ("shift", "value", "low", "high", "transport", "promised", "at", "label")
    span_at = Span(
        location=0, dimension="height", line_dash="dashed", line_width=1.2, line_color="#7a8594", visible=False
    )
    made = Pictures(
        _figure(curves[0].worth.head, scale),  # of data without an environment the fitted-Q value
        _figure("task units", scale),
        scale,
        ColumnDataSource({name: [] for name in names}),
        span_at,
    )
    for curve, style in zip(curves, looks, strict=True):
        source = ColumnDataSource(points_of(curve) | {"at": scale.to(curve.column("shift.w2"))})
        made.sources.append(source)
        ridden = ride is not None and curve.name == ride.name
        _draw_curve(made, curve, style, source, ridden)
        if ridden and ride is not None:
            _draw_promise(made, curve, style, source)
    _fit(made)
    if ride is not None:
        _draw_zones(made, ride)
        _draw_dot(made, dot)
    gather = custom_js(GATHER, sources=made.sources, tapped=tapped, figure=made.frontier)
    for source in made.sources:
        source.selected.js_on_change("indices", gather)
    made.frontier.add_layout(made.at)
    for chart, y in ((made.frontier, "value"), (made.promise, "promised")):
        word = {"legend_label": "your settings"} if y == "value" else {}
        mark = chart.scatter(
            "at", y, source=made.here, marker="circle_cross", size=15, fill_alpha=0.0, line_width=2, **word
        )
        dye(mark, INK)
        hover(chart, [mark], [("your settings", "@label"), *TIPS[1:4]])
    legend(made.frontier, "above", 4)
    return made


def _figure(y: str, scale: Scale) -> Any:
    """Dragging selects, as the page says; the tools of the toolbar pan and zoom."""
    words = TERM["shift.w2"].head + (", logarithmic" if scale.ticks() else "")
    tools = f"{TOOLS},tap,box_select,lasso_select"
    made = house_figure("", words, y, tools=tools, active_drag="box_select", x_range=Range1d(), y_range=Range1d())
    if ticks := scale.ticks():
        made.xaxis.ticker = FixedTicker(ticks=list(ticks))
        made.xgrid.ticker = made.xaxis.ticker
        made.xaxis.major_label_overrides = ticks
    return made


def _draw_curve(made: Pictures, curve: Curve, style: Look, source: ColumnDataSource, ridden: bool) -> None:
    chart, word = made.frontier, {"legend_label": curve.name}
    strong = 1.0 if ridden else BEHIND
    if ridden:
        x, y = seed_lines(curve, "shift.w2", "return")
        thin = ColumnDataSource({"x": made.scale.to(x), "y": y})
        dye(chart.line("x", "y", source=thin, line_width=0.8, line_alpha=0.3, **word), style)
        bars = chart.segment("at", "low", "at", "high", source=source, line_width=1.4, line_alpha=0.8, **word)
        dye(bars, style).selection_glyph = bars.glyph
        words = chart.text("at", "value", "strength", source=source, x_offset=7, y_offset=-5, text_font_size="11px")
        dye(words, style).selection_glyph = words.glyph
    line = chart.line("at", "value", source=source, line_width=2.4 if ridden else 1.6, line_alpha=strong, **word)
    dot = chart.scatter(
        "at",
        "value",
        source=source,
        marker=style.shape,
        size=8 if ridden else 6,
        alpha=strong,
        nonselection_alpha=0.06,
        **word,
    )
    for renderer in (line, dot):
        dye(renderer, style).selection_glyph = renderer.glyph  # what is brushed keeps its look
    hover(chart, [dot], TIPS)
    if curve.choice is None or len(curve.points) < 2:
        return
    place = [point.value for point in curve.points].index(curve.choice.strength)
    best = ColumnDataSource({name: [values[place]] for name, values in source.data.items()})
    whisker = chart.segment("at", "low", "at", "high", source=best, line_width=2.2, line_alpha=strong, **word)
    star = chart.scatter("at", "value", source=best, marker="star", size=19 if ridden else 13, alpha=strong, **word)
    for renderer in (whisker, star):
        dye(renderer, style)
    hover(chart, [star], [("best by the choosing episodes", "@label"), *TIPS[1:]])


def _draw_promise(made: Pictures, curve: Curve, style: Look, source: ColumnDataSource) -> None:
    chart = made.promise
    area = chart.varea("at", "earned", "promised", source=source, fill_alpha=0.16)
    dye(area, PAST)
    area.nonselection_glyph = area.selection_glyph = area.glyph
    for name, dash in (("promised", "dashed"), ("earned", "solid")):
        x, y = seed_lines(curve, "shift.w2", name)
        thin = ColumnDataSource({"x": made.scale.to(x), "y": y})
        dye(chart.line("x", "y", source=thin, line_width=0.8, line_alpha=0.3, line_dash=dash), style)
        line = chart.line("at", name, source=source, line_width=2.2, line_dash=dash)
        mark = chart.scatter("at", name, source=source, marker=style.shape, size=7, nonselection_alpha=0.06)
        for renderer in (line, mark):
            dye(renderer, style).selection_glyph = renderer.glyph
        hover(chart, [mark], TIPS)
        away = -7 if name == "promised" else 18  # below the line of what was earned, which falls
        ends = {"at": source.data["at"][-1:], "y": source.data[name][-1:], "word": [TERM[name].label]}
        text = chart.text(
            "at", "y", "word", source=ColumnDataSource(ends), text_align="right", y_offset=away, text_font_size="11px"
        )
        dye(text, style)


def _draw_zones(made: Pictures, ride: Ride) -> None:
    """Up to the peak, and past it."""
    if ride.best is None:
        return
    chart, peak = made.frontier, float(made.scale.to(ride.shift[ride.best]))
    for chart in (made.frontier, made.promise):
        chart.add_layout(
            BoxAnnotation(right=peak, fill_color=SAFE[0], fill_alpha=0.07, line_alpha=0.0, level="underlay")
        )
        chart.add_layout(
            BoxAnnotation(left=peak, fill_color=PAST[0], fill_alpha=0.07, line_alpha=0.0, level="underlay")
        )
    chart = made.frontier
    top, left, right = chart.y_range.end, chart.x_range.start, chart.x_range.end
    beside = [("safe", "right", -8, SAFE, peak, 4), ("past the peak", "left", 8, PAST, peak, 4)]
    if right - peak < ROOM * (
        right - left
    ):  # on a phone the words would be cut off: they stand below the others, at the end
        beside[1] = ("past the peak", "right", -4, PAST, right, 20)
    for word, align, away, style, place, below in beside:
        text = chart.text(
            [place],
            [top],
            [word],
            text_align=align,
            text_baseline="top",
            x_offset=away,
            y_offset=below,
            text_font_size="12px",
            text_font_style="bold",
        )
        dye(text, style)


def _draw_dot(made: Pictures, dot: ColumnDataSource) -> None:
    for chart, names in ((made.frontier, ("value",)), (made.promise, ("promised", "earned"))):
        for name in names:
            ring = chart.scatter("at", name, source=dot, size=17, line_width=3, fill_alpha=0.25)
            dye(ring, INK)
    gap = made.promise.segment("at", "earned", "at", "promised", source=dot, line_width=2.5)
    words = made.promise.text(
        "at",
        "middle",
        "wrong",
        source=dot,
        text_align="side",
        x_offset="away",
        text_baseline="middle",
        text_font_size="12.5px",
        text_font_style="bold",
        background_fill_color="#ffffff",  # the page's own, by the theme: the words cross the lines
        background_fill_alpha=0.8,
    )
    for renderer in (gap, words):
        dye(renderer, PAST)


def _fit(made: Pictures) -> None:
    """Both figures show all of their points."""
    columns = [source.data for source in made.sources]
    low, high = span([column["at"] for column in columns], 0.04)
    high += 0.04 * (high - low)  # the last strength is written beside its point
    made.frontier.x_range.update(start=low, end=high)
    made.promise.x_range.update(start=low, end=high)
    low, high = span([column[name] for column in columns for name in ("low", "high")], 0.1)
    made.frontier.y_range.update(start=low, end=high)
    drawn = [
        renderer.data_source.data for renderer in made.promise.renderers if "promised" in renderer.data_source.data
    ]
    low, high = span([column[name] for column in drawn for name in ("promised", "earned")], 0.15)
    made.promise.y_range.update(start=min(low, 0.0) if low > 0.0 and low < 0.5 * high else low, end=high)


def show_here(made: Pictures, marks: Sequence[Here]) -> None:
    """Place the reader's own settings; the axes grow where one lies outside."""
    made.here.data = {
        **{
            name: [getattr(mark, name) for mark in marks]
            for name in ("shift", "value", "low", "high", "transport", "promised")
        },
        "at": made.scale.to([mark.shift for mark in marks]),
        "label": [name_of(mark) for mark in marks],
    }
    made.frontier.legend[0].items[-1].visible = bool(marks)
    places = [float(place) for place in made.scale.to([mark.shift for mark in marks]) if np.isfinite(place)]
    for chart in (made.frontier, made.promise):
        for place in places:
            chart.x_range.update(start=min(chart.x_range.start, place), end=max(chart.x_range.end, 1.03 * place))


def name_of(mark: Here) -> str:
    """The rule and its strength."""
    rule = mark.policy.make()
    return f"{rule.title}, {rule.strength.replace('_', ' ')} {exact(getattr(rule, rule.strength))}"


def looks_by_name(curves: Sequence[Curve]) -> dict[str, Look]:
    """A look for each curve of a task, which stays while others are hidden."""
    return dict(zip((curve.name for curve in curves), looks_of([curve.rule for curve in curves]), strict=True))
