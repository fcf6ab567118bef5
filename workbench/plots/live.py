"""A matplotlib picture redrawn many times a second: the background is drawn once, then only paths and particles."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

from workbench.engine.steering.trace import Trace
from workbench.plots.lines import Dims, name_of, on_plane, positions_of
from workbench.plots.palette import MATPLOTLIB_MARKERS, look
from workbench.plots.still import BOX, landscape


class LivePicture:
    """Panels on one view with a landscape behind; `png` draws traces on it.

    Parameters
    ----------
    titles : list of str
        One per panel.
    values : ndarray or None
        (G, G), the landscape, or (G,) of one coordinate, or None for an empty ground.
    extent : float
        ``values`` reach from -extent to extent, action units.
    size : int
        D, how many numbers an action has.
    dims : tuple of int
        Which of them are shown, one or two.
    half : float
        The view reaches from -half to half.
    """

    def __init__(
        self,
        titles: list[str],
        values: np.ndarray | None,
        extent: float,
        size: int = 2,
        dims: Dims = (0, 1),
        half: float = 1.25,
    ) -> None:
        self._dims, flat = dims, len(dims) == 1
        figure = Figure(figsize=(3.6 * len(titles), 3.8), dpi=100, layout="constrained")
        self._canvas = FigureCanvasAgg(figure)
        self._axes = np.atleast_1d(figure.subplots(1, len(titles), sharex=True, sharey=True))
        self._lines, self._marks = [], []
        names = ["share of the ticks"] * flat + [name_of(dim, size) for dim in dims]
        across = (0.0, 1.0) if flat else (-extent, extent)
        for axes, title in zip(self._axes, titles, strict=True):
            if values is not None:
                ground = np.stack((values, values), 1) if flat else values
                landscape(axes, ground, (across[0], -extent, across[1], extent))
            left, right = (-0.05, 1.05) if flat else (-BOX, BOX)
            box = [left, right, right, left, left], [-BOX, -BOX, BOX, BOX, -BOX]
            axes.plot(*box, color="black", lw=0.8, ls=":", zorder=1)
            axes.set(
                title=title,
                xlim=(-0.02, 1.03) if flat else (-half, half),
                ylim=(-half, half),
                aspect="auto" if flat else "equal",
                xlabel=names[0],
                ylabel=names[1],
            )
            axes.label_outer()
            lines = LineCollection([], alpha=0.3, linewidths=0.8, animated=True, zorder=2)
            axes.add_collection(lines)
            self._lines.append(lines)
            self._marks.append(
                axes.plot(
                    [], [], linestyle="", markersize=4.5, markeredgecolor="white", markeredgewidth=0.5, animated=True
                )[0]
            )
        self._canvas.draw()
        figure.set_layout_engine("none")  # the ground is final: nothing may move any more
        self._ground = self._canvas.copy_from_bbox(figure.bbox)

    def png(self, traces: list[Trace]) -> bytes:
        """Draw one trace a panel; returns the bytes of a PNG."""
        self._canvas.restore_region(self._ground)
        for axes, lines, marks, trace in zip(self._axes, self._lines, self._marks, traces, strict=True):
            positions, picked = positions_of(trace)
            places, style = on_plane(positions, self._dims), look(trace.rule)
            lines.set(segments=list(places.transpose(1, 0, 2)), color=style.light)
            marks.set(
                xdata=places[-1, picked, 0],
                ydata=places[-1, picked, 1],
                color=style.light,
                marker=MATPLOTLIB_MARKERS[style.shape],
            )
            marks.set_markeredgecolor("white")
            axes.draw_artist(lines)
            axes.draw_artist(marks)
        image = Image.fromarray(np.asarray(self._canvas.buffer_rgba())).convert("RGB")
        buffer = io.BytesIO()
        image.save(buffer, "png", compress_level=1)
        return buffer.getvalue()
