"""What the page of language shows: sentences with their words marked, the latents beside them, and the measured curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bokeh.models import ColumnDataSource

from workbench.engine.digits import exact, figure
from workbench.language.table import NUMBERS, Row
from workbench.plots.markup import Markup, html, joined
from workbench.plots.palette import look
from workbench.ui.canvas.bokeh_figures import dye, house_figure, hover, legend, span
from workbench.views.language import Column, Said, Word

STYLE = """
:host { font-family: var(--wb-font); color: var(--wb-ink); }
.columns { display: flex; flex-wrap: wrap; gap: 18px; }
.columns section { flex: 1 1 220px; min-width: 0; }
section { min-height: 44px; }
section:focus-visible { outline: 2px solid var(--wb-accent); outline-offset: 4px; border-radius: 4px; }
h2 { font-size: 14px; margin: 0 0 6px; }
h2 small { color: var(--wb-muted); font-weight: 400; }
ol { margin: 0; padding: 0; list-style: none; }
li { padding: 8px 0; border-top: 1px solid var(--wb-line); font-size: 15px; line-height: 1.5; }
.changed { text-decoration: underline; text-underline-offset: 3px; }
.good, .bad { font-weight: 700; }
.good::after { content: "+"; font-size: .75em; vertical-align: super; }
.bad::after { content: "−"; font-size: .75em; vertical-align: super; }
.facts { display: block; font-size: 12px; color: var(--wb-muted); }
"""
LINES = {
    "proxy": "promised by the proxy",
    "pay": "paid by the judge",
    "readable": "readable",
    "distinct": "different pairs of words",
}
MEASURED = "What each strength brings"
UNMEASURED = f"{MEASURED}: not measured for this rule"
LOOKS = {"proxy": "vgf", "pay": "qgf", "readable": "best_of_n", "distinct": "noisy"}


def sentences(columns: Sequence[Column]) -> Markup:
    """Three columns of the same prompts, which the keys reach; before there are any, one that says so."""
    if not columns:
        return html('<section tabindex="0" aria-label="Sentences"><p>The proxy learns from its labels…</p></section>')
    return html('<div class="columns">{}</div>', joined(_column(column) for column in columns))


def _column(column: Column) -> Markup:
    rows = joined(_sentence(said) for said in column.said)
    strength = exact(column.strength)
    return html(
        '<section tabindex="0" aria-label="{0}"><h2>{0} <small>strength {1}</small></h2><ol>{2}</ol></section>',
        column.title,
        strength,
        rows,
    )


def _sentence(said: Said) -> Markup:
    words = joined((_word(word) for word in said.words), " ")
    unread = "" if said.readable else ", cannot be read"
    facts = f"promised {figure(said.promised)}, paid {figure(said.paid)}{unread}"
    return html('<li>{} <span class="facts">{}</span></li>', words, facts)


def _word(word: Word) -> Markup:
    kinds = ["changed"] * word.changed + (["good"] if word.score > 0 else ["bad"] if word.score < 0 else [])
    return html('<span class="{}">{}</span>', " ".join(kinds), word.text) if kinds else html("{}", word.text)


class Cloud(NamedTuple):
    """The latents in the plane of the behaviour policy's widest spread."""

    figure: Any
    sources: tuple[ColumnDataSource, ...]


def cloud_figure() -> Cloud:
    """Three clouds: unsteered, at the dial, too far."""
    made = house_figure(
        "Latents, widest plane",
        "first direction",
        "second direction",
        tools="pan,wheel_zoom,save,reset",
        x_range=(-3.0, 3.0),
        y_range=(-3.0, 3.0),
    )
    sources = []
    for name, kind in (("Unsteered", "bc"), ("At the dial", "qgf"), ("Too far", "vgf")):
        source = ColumnDataSource({"x": [], "y": []})
        light = look(kind).light
        dye(
            made.scatter("x", "y", source=source, size=5, alpha=0.55, color=light, line_color=None, legend_label=name),
            look(kind),
        )
        sources.append(source)
    legend(made, "above", 3)
    return Cloud(made, tuple(sources))


def show_cloud(cloud: Cloud, columns: Sequence[Column]) -> None:
    """Draw the latents of ``columns``."""
    for source, column in zip(cloud.sources, columns, strict=True):
        source.data = {"x": column.points[:, 0].tolist(), "y": column.points[:, 1].tolist()}
    for axis, end in (("x_range", 0), ("y_range", 1)):
        low, high = span([column.points[:, end] for column in columns])
        getattr(cloud.figure, axis).update(start=low, end=high)


class Curves(NamedTuple):
    """The measured curves over the dial."""

    figure: Any
    sources: dict[str, ColumnDataSource]
    here: ColumnDataSource


def curves_figure() -> Curves:
    """Proxy, judge, readability and diversity over the dial's stops."""
    made = house_figure(MEASURED, "strength", "mean over proxies", tools="save")
    sources, drawn = {}, []
    for name, words in LINES.items():
        source = sources[name] = ColumnDataSource(
            {"at": [], "mean": [], "low": [], "high": [], "strength": [], "perplexity": []}
        )
        kind = look(LOOKS[name])
        dye(made.varea("at", "low", "high", source=source, alpha=0.18, color=kind.light), kind)
        line = made.line("at", "mean", source=source, line_width=2, color=kind.light, legend_label=words)
        dye(line, kind)
        dots = made.scatter("at", "mean", source=source, size=6, color=kind.light)
        dye(dots, kind)
        drawn.append(dots)
    here = ColumnDataSource({"x": []})
    dye(made.vspan("x", source=here, line_dash="dashed", color=look("bc").light), look("bc"))
    hover(made, drawn, [("strength", "@strength"), ("mean", "@mean{0.000}"), ("perplexity", "@perplexity{0}")])
    legend(made, "above", 2)
    return Curves(made, sources, here)


def show_curves(curves: Curves, unsteered: Row | None, rows: Sequence[Row], at: int) -> None:
    """Draw ``rows`` behind the unsteered one, and where the dial stands; where there are none the title says so."""
    curves.figure.title.text = MEASURED if rows else UNMEASURED
    every = [row for row in (unsteered, *rows) if row is not None] if rows else []
    for name, source in curves.sources.items():
        found = [row.numbers()[NUMBERS.index(name)] for row in every]
        source.data = {
            "at": list(range(len(every))),
            "mean": [one.mean for one in found],
            "low": [one.low for one in found],
            "high": [one.high for one in found],
            "strength": [row.value for row in every],
            "perplexity": [row.perplexity.mean for row in every],
        }
    axis = curves.figure.xaxis[0]
    axis.ticker = list(range(len(every)))
    axis.major_label_overrides = {place: exact(row.value) for place, row in enumerate(every)}
    curves.here.data = {"x": [at] if every else []}
