"""The figures of the landscape: the plane of actions, cross-sections with the ensemble's spread, trust along the path."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from bokeh.models import ColumnDataSource, LinearColorMapper, Range1d
from bokeh.models.annotations import ColorBar, Span
from contourpy import contour_generator

from workbench.plots.palette import Look, look, shades
from workbench.ui.canvas.bokeh_figures import dye, house_figure, hover, legend, span
from workbench.ui.canvas.surface import inside_range
from workbench.views.terrain import LINE, Section, Terrain, density

LEVELS = 10
BAND = ("#569c98", "#6aa57b")
INK = ("#17202c", "#e8edf3")
MUTED = ("#5d6877", "#97a3b2")


class PlaneFigure(NamedTuple):
    """The picture of the plane and what `show_plane` fills."""

    figure: Any
    image: Any
    mapper: LinearColorMapper
    contours: ColumnDataSource
    clouds: dict[str, ColumnDataSource]
    marks: dict[str, Any]


def plane_figure() -> PlaneFigure:
    """Ground, contour lines, the box of actions; behaviour, steered policy, and the places where the critic is asked."""
    ranges = Range1d(start=-1.3, end=1.3), Range1d(start=-1.3, end=1.3)
    figure = house_figure(
        "", "action 1", "action 2", x_range=ranges[0], y_range=ranges[1], sizing_mode="scale_width", aspect_ratio=1.04
    )
    figure.grid.visible = False
    mapper = LinearColorMapper(palette=shades("light"), low=0.0, high=1.0)
    ground = ColumnDataSource({"image": [np.zeros((2, 2))], "x": [-1.0], "y": [-1.0], "dw": [2.0], "dh": [2.0]})
    image = figure.image("image", "x", "y", "dw", "dh", source=ground, color_mapper=mapper, level="image")
    image.tags = [{"light": shades("light"), "dark": shades("dark")}]
    figure.add_layout(ColorBar(color_mapper=mapper, width=9, padding=4, background_fill_alpha=0.0), "right")
    contours = ColumnDataSource({"x": [], "y": []})
    dye(figure.line("x", "y", source=contours, line_width=0.8, line_alpha=0.3), INK)
    box = figure.line([-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1], line_dash="dotted", line_width=1.2)
    dye(box, MUTED)
    clouds, marks = {}, {}
    for name, word, shape, size, alpha in (
        ("queries", "critic asked", "x", 5, 0.35),
        ("behaviour", "behaviour", look("bc").shape, 5, 0.75),
        ("steered", "steered", "square", 6, 0.95),
    ):
        clouds[name] = ColumnDataSource({"x": [], "y": [], "q": []})
        marks[name] = figure.scatter(
            "x", "y", source=clouds[name], marker=shape, size=size, alpha=alpha, line_width=1.0, legend_label=word
        )
        hover(figure, [marks[name]], [(word, "@x{0.00}, @y{0.00}"), ("Q", "@q{0.00}")])
    dye(marks["queries"], INK)
    dye(marks["behaviour"], look("bc"))
    legend(figure, "below", 3)
    return PlaneFigure(figure, image, mapper, contours, clouds, marks)


def show_plane(plane: PlaneFigure, terrain: Terrain, values: np.ndarray, image: bool) -> None:
    """Fill the picture with ``values`` (G, G); ``image`` paints them, contour lines are always drawn."""
    low, high = inside_range(values, terrain.extent)
    plane.mapper.update(low=low, high=high if high > low else low + 1.0)
    reach = terrain.extent
    plane.image.data_source.data = {
        "image": [values.astype(np.float32)],
        "x": [-reach],
        "y": [-reach],
        "dw": [2 * reach],
        "dh": [2 * reach],
    }
    plane.image.visible = image
    plane.contours.data = dict(zip("xy", contour_lines(values, reach, low, high), strict=True))
    plane.figure.xaxis.axis_label, plane.figure.yaxis.axis_label = terrain.basis.names
    dye_steered(plane, terrain)
    for name, points, q in clouds_of(terrain):
        plane.clouds[name].data = {"x": points[:, 0], "y": points[:, 1], "q": q}


def dye_steered(plane: PlaneFigure, terrain: Terrain) -> None:
    """Give the steered policy its rule's look."""
    mark, style = plane.marks["steered"], look(terrain.answer.traces[1].rule)
    mark.glyph.marker = style.shape
    dye(mark, style)


def clouds_of(terrain: Terrain) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, coordinates (M, P) and Q (M,) of behaviour, steered policy and queries."""
    clouds = []
    for name, trace in zip(("behaviour", "steered"), terrain.answer.traces, strict=True):
        actions = trace.actions.numpy()
        q = np.full(len(actions), np.nan)
        if trace.q is not None:
            q = trace.q.gather(1, trace.picked[:, None])[:, 0].numpy()
        clouds.append((name, terrain.basis.coordinates(actions), q))
    trace = terrain.answer.traces[1]
    asked = trace.queries.flatten(0, 2).numpy()
    known = np.isfinite(asked).all(1)
    clouds.append(("queries", terrain.basis.coordinates(asked[known]), trace.q_along.flatten().numpy()[known]))
    return clouds


def contour_lines(values: np.ndarray, reach: float, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Ten contour lines of a grid over [-reach, reach]², as one line (P,), (P,) with NaN between its pieces."""
    if high <= low:
        return np.zeros(0), np.zeros(0)
    centres = (np.arange(len(values)) + 0.5) / len(values) * 2 * reach - reach
    maker = contour_generator(centres, centres, values)
    gap = np.full((1, 2), np.nan)
    pieces = [
        piece
        for level in np.linspace(low, high, LEVELS + 2)[1:-1]
        for line in maker.lines(level)
        for piece in (line, gap)
    ]
    whole = np.concatenate([np.asarray(piece) for piece in pieces]) if pieces else np.zeros((0, 2))
    return whole[:, 0], whole[:, 1]


class SectionFigure(NamedTuple):
    """A cross-section: mean, band between the least and the greatest member; and densities where D = 1."""

    figure: Any
    band: ColumnDataSource
    here: Span
    densities: tuple[ColumnDataSource, ColumnDataSource]
    second: Any


def section_figure(densities: bool = False) -> SectionFigure:
    """An empty cross-section; with ``densities`` those of behaviour and steered policy on a second axis from below."""
    figure = house_figure(
        "", "", "Q, task units", x_range=Range1d(start=-1.3, end=1.3), y_range=Range1d(start=0, end=1)
    )
    band = ColumnDataSource({"x": [], "low": [], "mean": [], "high": []})
    area = figure.varea("x", "low", "high", source=band, fill_alpha=0.3, legend_label="between members")
    line = figure.line("x", "mean", source=band, line_width=2, legend_label="mean Q")
    dye(area, BAND)
    dye(line, INK)
    hover(figure, [line], [("Q", "@mean{0.00}"), ("members", "@low{0.00} to @high{0.00}")])
    here = Span(location=0, dimension="height", line_dash="dashed", line_width=1.2, line_color="#7a8594")
    figure.add_layout(here)
    for edge in (-1, 1):
        figure.add_layout(Span(location=edge, dimension="height", line_dash="dotted", line_color="#7a8594"))
    sources = (ColumnDataSource({"x": [], "y": []}), ColumnDataSource({"x": [], "y": []}))
    second: Any = None
    if densities:
        figure.extra_y_ranges = {"density": Range1d(start=0, end=1)}
        second = []
        for source, name, word in zip(sources, ("bc", "qgf"), ("behaviour", "steered"), strict=True):
            filled = figure.varea(
                "x",
                y1=0,
                y2="y",
                source=source,
                fill_alpha=0.35,
                y_range_name="density",
                legend_label=f"density, {word}",
            )
            dye(filled, look(name))
            second.append(filled)
    legend(figure, "above", 4 if densities else 2)
    return SectionFigure(figure, band, here, sources, second)


def show_section(
    drawn: SectionFigure, section: Section, name: str, here: float, terrain: Terrain | None = None
) -> None:
    """Fill a cross-section along the coordinate ``name``, marked at ``here``; densities from ``terrain`` where they show."""
    drawn.band.data = {"x": section.place, "low": section.low, "mean": section.mean, "high": section.high}
    drawn.figure.xaxis.axis_label = name
    drawn.here.location = here
    seen = np.abs(section.place) <= 1.3
    low, high = span([section.low[seen], section.high[seen]])
    drawn.figure.y_range.update(start=low, end=high)
    if terrain is None or drawn.second is None:
        return
    most = 1e-9
    place = np.linspace(-terrain.extent, terrain.extent, 4 * LINE)
    for source, area, trace in zip(drawn.densities, drawn.second, terrain.answer.traces, strict=True):
        values = density(trace.actions.numpy()[:, 0], place)
        most = max(most, float(values.max()))
        source.data = {"x": place, "y": values}
        dye(area, look(trace.rule))
    drawn.figure.extra_y_ranges["density"].update(start=0, end=2.5 * most)


class TrustFigure(NamedTuple):
    """Spread and distance at the queries, over the ticks, in units of what is usual on the behaviour's actions."""

    figure: Any
    sources: tuple[ColumnDataSource, ColumnDataSource]


def trust_figure() -> TrustFigure:
    """An empty picture with the line at which queries stop being usual."""
    figure = house_figure(
        "", "tick", "times the usual", x_range=Range1d(start=0, end=1), y_range=Range1d(start=0, end=2)
    )
    figure.add_layout(Span(location=1.0, dimension="width", line_dash="dashed", line_color="#7a8594", line_width=1.2))
    sources = (ColumnDataSource({"x": [], "y": []}), ColumnDataSource({"x": [], "y": []}))
    looks = (Look("#d55e00", "#ff9245", "triangle"), Look("#0072b2", "#56b4e9", "square"))
    words = ("members' spread", "distance to behaviour")
    for source, style, word in zip(sources, looks, words, strict=True):
        line = figure.line("x", "y", source=source, line_width=2, legend_label=word)
        dot = figure.scatter("x", "y", source=source, marker=style.shape, size=6, legend_label=word)
        dye(line, style)
        dye(dot, style)
        hover(figure, [dot], [(word, "@y{0.0} × usual"), ("tick", "@x")])
    legend(figure, "above", 2)
    return TrustFigure(figure, sources)


def show_trust(drawn: TrustFigure, terrain: Terrain) -> None:
    """Fill it."""
    trust = terrain.trust
    rows = (trust.spread / max(trust.usual_spread, 1e-9), trust.distance / max(trust.usual_distance, 1e-9))
    for source, values in zip(drawn.sources, rows, strict=True):
        source.data = {"x": trust.ticks, "y": values}
    last = max(1, len(terrain.answer.traces[1].positions) - 1)
    drawn.figure.x_range.update(start=-0.3, end=last - 0.7)
    drawn.figure.y_range.update(start=0.0, end=max(1.2, span(rows)[1]))
