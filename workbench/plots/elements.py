"""HoloViews elements of a steering run: the landscape, the particles, their paths, and the one-dimensional view.

Every function takes arrays or a `Trace` of one state and returns an element; overlay them with ``*``. ``state`` chooses
the row of the batch, None takes all rows together (the usual case when the rows share one observation).
"""

from __future__ import annotations

import holoviews as hv
import holoviews.plotting.bokeh
import numpy as np

from workbench.engine.steering.trace import Trace
from workbench.plots.lines import joined, positions_of
from workbench.plots.palette import VALUE_RAMP, Theme, look


def landscape(values: np.ndarray, extent: tuple[float, float, float, float], theme: Theme = "light") -> hv.Image:
    """Q over a grid of actions.

    Parameters
    ----------
    values : ndarray
        (G, G); row i is the i-th lowest second coordinate, column j the j-th lowest first coordinate.
    extent : tuple of float
        (x low, y low, x high, y high), the outer edges, action units.
    theme : {"light", "dark"}
    """
    image = hv.Image(np.flipud(values), bounds=extent, kdims=["a1", "a2"], vdims=["Q"])
    return image.opts(
        cmap=list(VALUE_RAMP[theme]),
        colorbar=True,
        clabel="Q",
        xlabel="action 1",
        ylabel="action 2",
        aspect="equal",
        backend="bokeh",
    )


def particles(trace: Trace, tick: int = -1, state: int | None = None, theme: Theme = "light") -> hv.Points:
    """Where the particles are after ``tick`` (−1: at the end); the picked ones are drawn larger."""
    positions, picked = positions_of(trace, state)
    size = np.where(picked, 7.0, 4.0)
    style = look(trace.rule)
    points = hv.Points((*positions[tick].T[:2], size), kdims=["a1", "a2"], vdims=["size"], label=trace.rule)
    return points.opts(
        color=style.colour(theme),
        marker=style.shape,
        size="size",
        line_color="white",
        line_width=0.5,
        aspect="equal",
        backend="bokeh",
    )


def paths(trace: Trace, state: int | None = None, theme: Theme = "light") -> hv.Curve:
    """All paths as one line with NaN between them: the fast way to draw many (design.md, the table of ways)."""
    positions, _ = positions_of(trace, state)
    curve = hv.Curve(joined(positions), kdims=["a1"], vdims=["a2"], label=trace.rule)
    return curve.opts(color=look(trace.rule).colour(theme), alpha=0.3, line_width=1.0, aspect="equal", backend="bokeh")


def one_dimension(trace: Trace, state: int | None = None, theme: Theme = "light") -> hv.Curve:
    """Paths of a one-dimensional action, against the tick: flow first, then the steps after it."""
    positions, _ = positions_of(trace, state)
    ticks = np.broadcast_to(np.arange(len(positions), dtype=np.float32)[:, None], positions.shape[:2])
    curve = hv.Curve(
        joined(np.stack((ticks, positions[..., 0]), -1)), kdims=["tick"], vdims=["action"], label=trace.rule
    )
    return curve.opts(color=look(trace.rule).colour(theme), alpha=0.3, line_width=1.0, backend="bokeh")


def profile(actions: np.ndarray, values: np.ndarray, theme: Theme = "light") -> hv.Area:
    """Q (G,) over a one-dimensional grid of actions (G,): the landscape of the one-dimensional view."""
    area = hv.Area((actions, values), kdims=["action"], vdims=["Q"])
    return area.opts(color=VALUE_RAMP[theme][3], line_color=VALUE_RAMP[theme][5], alpha=0.7, backend="bokeh")
