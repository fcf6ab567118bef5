"""The figures of rollouts: the room with every path, and how endings depend on the start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from bokeh.models import ColumnDataSource, DataRange1d, Range1d

from workbench.engine.digits import exact
from workbench.engine.tasks.floor import Floor
from workbench.plots.palette import Look
from workbench.ui.canvas.bokeh_figures import dye, house_figure, hover, legend, span
from workbench.ui.shell.sheet import Scrub
from workbench.views.rollouts import Played, by_start, ends_of, lines_of, start_range

# Best first, as `outcomes` orders them; colour, and a shape for those who see no colours.
ENDINGS = (
    Look("#00805d", "#2fc99a", "circle"),
    Look("#a86f00", "#f0b429", "diamond"),
    Look("#d55e00", "#ff9245", "inverted_triangle"),
    Look("#5b6472", "#a9b3c1", "square"),
)
DASHES: tuple[Any, ...] = ("solid", [2, 3])  # of policies A and B
LEGEND = 40  # pixels of a line in the legend
MOMENTS = 40  # stops of the slider over an episode
LAVA = ("#f0c9bf", "#4a2620")
EXIT = ("#bfe3d3", "#1f4f3c")
WALL = ("#dde4ec", "#2b3644")


def ending(kind: int, kinds: int) -> Look:
    """The look of an ending; running out of time is always grey."""
    return ENDINGS[-1] if kind == kinds - 1 else ENDINGS[kind]


class Paths(NamedTuple):
    """One policy's picture: the figure, and the sources that `show` fills."""

    figure: Any
    lines: list[ColumnDataSource]
    ends: list[ColumnDataSource]


def paths_figure(floor: Floor | None, names: tuple[str, ...], title: str, ranges: tuple[Any, Any]) -> Paths:
    """An empty picture of a ground, or of the first two numbers of an observation; two with the same ``ranges`` move together."""
    chart = house_figure(
        title, "", "", x_range=ranges[0], y_range=ranges[1], sizing_mode="scale_width", aspect_ratio=1.0
    )
    chart.name = "episodes" if floor is None else f"episodes on the ground of {floor.title}"
    chart.xgrid.visible = chart.ygrid.visible = chart.xaxis.visible = chart.yaxis.visible = False
    if floor is not None:
        _ground(chart, floor)
    lines, ends = [], []
    for kind, name in enumerate(names):
        look = ending(kind, len(names))
        line, end = (
            ColumnDataSource({"x": [], "y": []}),
            ColumnDataSource({"x": [], "y": [], "reward": [], "steps": []}),
        )
        dye(chart.line("x", "y", source=line, line_width=1.0, line_alpha=0.25), look)
        mark = chart.scatter(
            "x", "y", source=end, marker=look.shape, size=6, line_color="white", line_width=0.5, legend_label=name
        )
        dye(mark, look)
        mark.glyph.line_color = None
        hover(chart, [mark], [("ending", name), ("return", "@reward{0.00}"), ("steps", "@steps")])
        lines.append(line)
        ends.append(end)
    legend(chart, "below", len(names))
    return Paths(chart, lines, ends)


def ranges_of(floor: Floor | None) -> tuple[Any, Any]:
    """Ranges that show the ground, or whatever there is."""
    if floor is None:
        return DataRange1d(), DataRange1d()
    left, right, low, high = floor.view
    margin = 0.01 * (right - left)
    return Range1d(start=left - margin, end=right + margin), Range1d(start=low - margin, end=high + margin)


def _ground(chart: Any, floor: Floor) -> None:
    for x0, x1, y0, y1 in floor.blocks:
        colour = LAVA if floor.deadly else WALL
        dye(chart.quad(left=x0, right=x1, bottom=y0, top=y1, line_color=None, level="underlay"), colour)
    for x, y, radius, pays in floor.goals:
        dye(chart.circle([x], [y], radius=radius, line_color=None, level="underlay"), EXIT)
        word = exact(pays) if pays else "goal"
        words = chart.text([x], [y], [word], text_align="center", text_baseline="middle", text_font_size="12px")
        dye(words, ("#17202c", "#e8edf3"))


def show(paths: Paths, played: Played) -> None:
    """Fill a picture."""
    ends = ends_of(played)
    for kind, (line, end) in enumerate(zip(paths.lines, paths.ends, strict=True)):
        x, y = lines_of(played, kind)
        line.data = {"x": x, "y": y}
        chosen = played.kinds == kind
        columns = {
            "x": ends[chosen, 0],
            "y": ends[chosen, 1],
            "reward": played.record.returns[chosen],
            "steps": played.record.lengths[chosen],
        }
        # a point that is nowhere, so that the legend has a mark for an ending that did not occur
        end.data = columns if chosen.any() else {name: np.full(1, np.nan) for name in columns}


def moments_of(paths: Sequence[Paths], both: Sequence[Played]) -> Scrub:
    """A slider over the steps: the marks are where the episodes are then, at the last stop where they ended."""
    last = max(int(played.record.lengths.max()) for played in both)
    steps = sorted({round(step) for step in np.linspace(0, last, min(last, MOMENTS) + 1)})
    columns = []
    for chart, played in zip(paths, both, strict=True):
        episodes = np.arange(len(played.kinds))
        for kind, end in enumerate(chart.ends):
            chosen = episodes[played.kinds == kind]
            moments = []
            for step in steps:
                now = np.minimum(step, played.record.lengths[chosen])
                points = played.paths[chosen, now][:, :2]
                columns_now = {"x": points[:, 0], "y": points[:, 1]}
                moments.append(
                    columns_now | {"reward": played.record.returns[chosen], "steps": played.record.lengths[chosen]}
                )
            if len(chosen):
                columns.append((end, moments))
    return Scrub("Step", [f"{step} of {last}" for step in steps], len(steps) - 1, columns)


class Starts(NamedTuple):
    """Endings by start: the figure and its sources, A before B for each ending; the last pair is the time."""

    figure: Any
    sources: list[ColumnDataSource]


def starts_figure(names: tuple[str, ...], letters: str = "AB") -> Starts:
    """Share of the best and of the worst early ending over the start, for both policies."""
    chart = house_figure(
        "", "where the episode began, x", "share of episodes", x_range=Range1d(), y_range=Range1d(start=-0.03, end=1.03)
    )
    sources = []
    for kind in _worth_a_line(names):
        look = ending(kind, len(names))
        for number, letter in enumerate(letters):
            source = ColumnDataSource({"x": [], "y": [], "count": []})
            word = f"{names[kind]}, {letter}"
            _, dot = _line(chart, source, look, number, word)
            hover(chart, [dot], [(word, "@y{0%}"), ("episodes", "@count")])
            sources.append(source)
    legend(chart)
    chart.legend.glyph_width = LEGEND
    return Starts(chart, sources)


def times_figure(letters: str = "AB") -> Starts:
    """Mean steps of the episodes that ended best, over the start."""
    chart = house_figure("", "where the episode began, x", "steps to success", x_range=Range1d(), y_range=Range1d())
    sources = []
    for number, letter in enumerate(letters):
        source = ColumnDataSource({"x": [], "y": [], "count": []})
        _, dot = _line(chart, source, ENDINGS[0], number, letter)
        hover(chart, [dot], [("policy", letter), ("steps", "@y{0.0}"), ("episodes that began here", "@count")])
        sources.append(source)
    legend(chart)
    chart.legend.glyph_width = LEGEND
    return Starts(chart, sources)


def _line(chart: Any, source: ColumnDataSource, look: Look, number: int, word: str) -> tuple[Any, Any]:
    """A line with its marks: policy A's is solid and its marks are full, policy B's is dotted and its marks are rings.

    The legend shows the same: its pieces are long enough for the dots to be seen beside the mark.
    """
    line = chart.line("x", "y", source=source, line_width=2, line_dash=DASHES[number], legend_label=word)
    mark = chart.scatter("x", "y", source=source, marker=look.shape, size=7, line_width=1.8, legend_label=word)
    for renderer in (line, mark):
        dye(renderer, look)
    if number:
        mark.glyph.fill_alpha = 0.0
    return line, mark


def show_starts(starts: Starts, times: Starts, both: tuple[Played, Played]) -> None:
    """Fill both figures."""
    low, high = start_range(*both)
    drawn = _worth_a_line(both[0].names)
    for chart in (starts.figure, times.figure):
        chart.x_range.update(start=low, end=high)
    spans = span([by_start(played, low, high).steps for played in both])
    times.figure.y_range.update(start=spans[0], end=spans[1])
    for number, played in enumerate(both):
        sorted_ = by_start(played, low, high)
        common = {"x": sorted_.centres, "count": sorted_.counts}
        for place, kind in enumerate(drawn):
            starts.sources[2 * place + number].data = common | {"y": sorted_.shares[kind]}
        times.sources[number].data = common | {"y": np.asarray(sorted_.steps)}


def _worth_a_line(names: tuple[str, ...]) -> tuple[int, int]:
    """The two endings worth a line: the best, and the worst before the time ran out."""
    return 0, len(names) - 2
