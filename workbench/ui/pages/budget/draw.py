"""The two linked figures: return against shift, and return and what the critic promised against transport."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bokeh.models import ColumnDataSource, Range1d
from bokeh.models.annotations import Span

from workbench.engine.glossary import TERM
from workbench.experiments.summary import Curve
from workbench.plots.palette import look
from workbench.ui.browser.callbacks import custom_js
from workbench.ui.canvas.bokeh_figures import TOOLS, dye, house_figure, hover, legend, span
from workbench.views.budget import Here, points_of, seed_lines

GATHER = Path(__file__).parent / "gather.js"
TIPS = [
    ("", "@label"),
    (TERM["return"].label, "@value{0.000} (@low{0.00} to @high{0.00})"),
    (TERM["shift.w2"].label, "@shift{0.000}"),
    (TERM["transport"].label, "@transport{0.000}"),
    (TERM["promised"].label, "@promised{0.000}"),
    ("seeds", "@seeds"),
]


class Pair(NamedTuple):
    """Both figures with what belongs to their points."""

    frontier: Any
    against_transport: Any
    sources: list[ColumnDataSource]
    here: ColumnDataSource
    at: Span


def pair_of(curves: Sequence[Curve], tapped: ColumnDataSource) -> Pair:
    """Draw the curves of one task; a selection in one figure shows in the other.

    Parameters
    ----------
    curves : sequence of Curve
    tapped : ColumnDataSource
        Its column ``key`` is replaced by the keys of the points that are selected.
    """
    worth = curves[0].worth  # of data without an environment the fitted-Q value
    tips = [TIPS[0], (worth.label, TIPS[1][1]), *TIPS[2:]]
    tools = f"{TOOLS},tap,box_select,lasso_select"
    frontier = house_figure(
        "",
        TERM["shift.w2"].head,
        worth.head,
        tools=tools,
        x_range=Range1d(),
        y_range=Range1d(),
    )
    against_transport = house_figure(
        "",
        TERM["transport"].head,
        f"{worth.label} (solid), {TERM['promised'].label} (dashed)",
        tools=tools,
        x_range=Range1d(),
        y_range=Range1d(),
    )
    sources = []
    for curve in curves:
        style, source = look(curve.rule), ColumnDataSource(points_of(curve))
        sources.append(source)
        for chart, x, y in (
            (frontier, "shift", "value"),
            (against_transport, "transport", "value"),
            (against_transport, "transport", "promised"),
        ):
            names = {"shift": "shift.w2", "value": "return"}
            thin = ColumnDataSource(dict(zip("xy", seed_lines(curve, names.get(x, x), names.get(y, y)), strict=True)))
            dash = "dashed" if y == "promised" else "solid"
            word = {} if y == "promised" else {"legend_label": curve.name}
            dye(chart.line("x", "y", source=thin, line_width=0.8, line_alpha=0.3, line_dash=dash, **word), style)
            dot = chart.scatter(x, y, source=source, marker=style.shape, size=8, nonselection_alpha=0.06, **word)
            linked = [chart.line(x, y, source=source, line_width=2, line_dash=dash, **word), dot]
            if y == "value":
                linked.append(chart.segment(x, "low", x, "high", source=source, line_width=1.2, line_alpha=0.7, **word))
            for renderer in linked:
                dye(renderer, style).selection_glyph = renderer.glyph  # what is brushed keeps its look
            hover(chart, [dot], tips)
    gather = custom_js(GATHER, sources=sources, tapped=tapped, figure=frontier)
    for source in sources:
        source.selected.js_on_change("indices", gather)
    at = Span(location=0, dimension="height", line_dash="dashed", line_width=1.2, line_color="#7a8594", visible=False)
    frontier.add_layout(at)
    here = ColumnDataSource({name: [] for name in ("shift", "value", "low", "high", "transport", "promised", "label")})
    for chart, x in ((frontier, "shift"), (against_transport, "transport")):
        mark = chart.scatter(
            x, "value", source=here, marker="star", size=17, line_width=1.5, legend_label="you are here"
        )
        dye(mark, ("#17202c", "#e8edf3"))
        hover(chart, [mark], [("you are here", "@label"), *TIPS[1:4]])
    columns = [source.data for source in sources]
    for chart, x, ys in (
        (frontier, "shift", ("low", "high")),
        (against_transport, "transport", ("low", "high", "promised")),
    ):
        low, high = span([column[x] for column in columns])
        chart.x_range.update(start=low, end=high)
        low, high = span([column[y] for column in columns for y in ys])
        chart.y_range.update(start=low, end=high)
    legend(frontier, "above", 4)
    against_transport.legend.visible = False
    return Pair(frontier, against_transport, sources, here, at)


def show_here(pair: Pair, marks: Sequence[Here]) -> None:
    """Place the stars; the axes grow where one lies outside."""
    pair.here.data = {
        "shift": [mark.shift for mark in marks],
        "value": [mark.value for mark in marks],
        "low": [mark.low for mark in marks],
        "high": [mark.high for mark in marks],
        "transport": [mark.transport for mark in marks],
        "promised": [mark.promised for mark in marks],
        "label": [name_of(mark) for mark in marks],
    }
    pair.frontier.legend[0].items[-1].visible = bool(marks)
    for chart, x in ((pair.frontier, "shift"), (pair.against_transport, "transport")):
        for mark in marks:
            place = getattr(mark, x)
            if np.isfinite(place):
                chart.x_range.update(start=min(chart.x_range.start, place), end=max(chart.x_range.end, 1.03 * place))


def name_of(mark: Here) -> str:
    """The rule and its strength."""
    rule = mark.policy.make()
    return f"{rule.title}, {rule.strength.replace('_', ' ')} {getattr(rule, rule.strength):g}"
