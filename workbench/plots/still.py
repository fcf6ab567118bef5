"""Matplotlib twins of the pictures, for papers and notebooks; and equations as SVG."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from workbench.engine.steering.trace import Trace
from workbench.plots.lines import positions_of
from workbench.plots.palette import MATPLOTLIB_MARKERS, VALUE_RAMP, Theme, look

BOX = 1.0  # actions live in [-1, 1]


def value_map(theme: Theme = "light") -> LinearSegmentedColormap:
    """The value ramp as a matplotlib colour map."""
    return LinearSegmentedColormap.from_list(f"value_{theme}", list(VALUE_RAMP[theme]))


def landscape(
    axes: Axes, values: np.ndarray, extent: tuple[float, float, float, float], theme: Theme = "light"
) -> AxesImage:
    """Draw Q (G, G) behind everything else, with contour lines; row i is the i-th lowest second coordinate."""
    x0, y0, x1, y1 = extent
    edges = (x0, x1, y0, y1)
    image = axes.imshow(values, origin="lower", extent=edges, cmap=value_map(theme), interpolation="bilinear", zorder=0)
    if np.ptp(values) > 0:
        axes.contour(values, levels=8, extent=edges, colors="black", linewidths=0.5, alpha=0.18, zorder=0)
    axes.set(xlim=(x0, x1), ylim=(y0, y1), aspect="equal", xlabel="action 1", ylabel="action 2")
    return image


def particles(
    axes: Axes, trace: Trace, tick: int = -1, state: int | None = None, theme: Theme = "light"
) -> PathCollection:
    """Draw the particles after ``tick``; the picked ones are larger."""
    positions, picked = positions_of(trace, state)
    style = look(trace.rule)
    return axes.scatter(
        positions[tick, :, 0],
        positions[tick, :, 1],
        s=np.where(picked, 26.0, 9.0),
        color=style.colour(theme),
        label=trace.rule,
        marker=MATPLOTLIB_MARKERS[style.shape],
        edgecolors="white",
        linewidths=0.5,
        zorder=3,
    )


def paths(axes: Axes, trace: Trace, state: int | None = None, theme: Theme = "light") -> LineCollection:
    """Draw every particle's path from noise to its end."""
    positions, _ = positions_of(trace, state)
    lines = LineCollection(
        list(positions.transpose(1, 0, 2)), colors=look(trace.rule).colour(theme), alpha=0.3, linewidths=0.8, zorder=2
    )
    axes.add_collection(lines)
    return lines


def one_dimension(axes: Axes, trace: Trace, state: int | None = None, theme: Theme = "light") -> LineCollection:
    """Draw the paths of a one-dimensional action against the tick."""
    positions, _ = positions_of(trace, state)
    ticks = np.broadcast_to(np.arange(len(positions))[:, None], positions.shape[:2])
    lines = LineCollection(
        list(np.stack((ticks, positions[..., 0]), -1).transpose(1, 0, 2)),
        colors=look(trace.rule).colour(theme),
        alpha=0.3,
        linewidths=0.8,
    )
    axes.add_collection(lines)
    axes.autoscale_view()
    axes.set(xlabel="tick", ylabel="action")
    return lines


def stages(
    traces: list[Trace],
    values: np.ndarray | None = None,
    extent: tuple[float, float, float, float] = (-1.3, -1.3, 1.3, 1.3),
    theme: Theme = "light",
    titles: Sequence[str] | None = None,
    truth: np.ndarray | None = None,
) -> Figure:
    """One panel a trace on the same axes: landscape, paths, particles, and the box of allowed actions.

    ``titles`` stand above the panels, by default the rules' names. ``truth`` (G, G), where it is known, makes one panel more:
    the true reward, and where each trace's particles ended in it.
    """
    if not traces:
        raise ValueError("stages needs at least one trace: stages([steer(...)])")
    count = len(traces) + (truth is not None)
    figure = Figure(figsize=(3.3 * count, 3.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, count, sharex=True, sharey=True))
    named = titles or [trace.rule for trace in traces]
    for axes, trace, title in zip(panels[: len(traces)], traces, named, strict=True):
        if values is not None:
            landscape(axes, values, extent, theme)
        axes.plot([-BOX, BOX, BOX, -BOX, -BOX], [-BOX, -BOX, BOX, BOX, -BOX], color="black", lw=0.8, ls=":", zorder=1)
        paths(axes, trace, theme=theme)
        particles(axes, trace, theme=theme)
        axes.set(title=title, xlim=extent[::2], ylim=extent[1::2], aspect="equal", xlabel="action 1")
        axes.label_outer()
    if truth is not None:
        landscape(panels[-1], truth, extent, theme)
        for trace in traces:
            particles(panels[-1], trace, theme=theme)
        panels[-1].set(title="True reward")
        panels[-1].label_outer()
    return figure


def lines(traces: list[Trace], theme: Theme = "light") -> Figure:
    """One panel a trace of one-dimensional actions, on the same axes: paths against the tick."""
    if not traces:
        raise ValueError("lines needs at least one trace: lines([steer(...)])")
    figure = Figure(figsize=(3.3 * len(traces), 3.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(traces), sharex=True, sharey=True))
    for axes, trace in zip(panels, traces, strict=True):
        one_dimension(axes, trace, theme=theme)
        axes.set(title=trace.rule)
        axes.label_outer()
    return figure


def svg(figure: Figure) -> bytes:
    """The figure as SVG, text as outlines."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    return buffer.getvalue()


def png(figure: Figure, dpi: int = 100) -> bytes:
    """The figure as the bytes of a PNG; compressed lightly, since most are looked at once."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, pil_kwargs={"compress_level": 1})
    return buffer.getvalue()


__all__ = ["Figure", "landscape", "one_dimension", "particles", "paths", "png", "stages", "value_map"]
