"""Particles: where they are, how they came there, and where the rule asked the critic."""

from __future__ import annotations

from typing import Any

import holoviews as hv
import numpy as np

from workbench.engine.steering.rules import RULES
from workbench.engine.steering.trace import Trace
from workbench.engine.words import UserError
from workbench.plots.lines import Dims, joined, on_plane, positions_of, shown_dims
from workbench.plots.palette import look
from workbench.plots.styled import colour_of, marker, measured, planar, plane_dimensions, ramp, styled

TIME_RAMP = ("#c6d4e8", "#7f9fd0", "#4666ad", "#2a2f6b")  # early to late; monotone in lightness
PICKED = hv.dim("picked")


def title_of(trace: Trace) -> str:
    """The title of a trace's rule."""
    return RULES[trace.rule].title if trace.rule in RULES else trace.rule


def tick_of(trace: Trace, tick: int) -> int:
    """``tick`` counted from 0, the noise."""
    last = len(trace.positions) - 1
    if not -last - 1 <= tick <= last:
        raise UserError(f"this trace has the ticks 0 (the noise) to {last}, and -1 is the last; got tick={tick}")
    return tick % (last + 1)


def rows_of(array: Any, row: int | None) -> np.ndarray:
    """An array (..., B, N) of a trace as ``positions_of`` lays particles side by side: (..., M)."""
    found = array.detach().cpu().numpy()
    return np.asarray(found[..., row, :] if row is not None else found.reshape(*found.shape[:-2], -1))


def numbered(trace: Trace, row: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The state and the number of each particle, (M,) both: by them pictures know which particle is which."""
    states, count = trace.positions.shape[1:3]
    state, particle = np.divmod(np.arange(states * count), count)
    if row is None:
        return state, particle
    return np.full(count, row % states), np.arange(count)


def particles(trace: Trace, tick: int = -1, row: int | None = None, dims: Dims | None = None) -> hv.Points:
    """Where the particles are; those that become actions are drawn larger.

    Parameters
    ----------
    trace : Trace
        What `workbench.steer` returned.
    tick : int
        After how many ticks; 0 is the noise, -1 the end.
    row : int, optional
        One state of the trace; all of them without it.
    dims : tuple of int, optional
        Two coordinates of the action, or one, which is drawn along the ticks. Needed from three coordinates on.

    Returns
    -------
    holoviews.Points
        A point a particle. Beside its place: ``Q``, in the critic's own units (NaN before the end), ``transport`` so far,
        ``state``, ``particle``, ``picked``.

    Raises
    ------
    UserError
        A tick, row or coordinate that the trace does not have, or too many coordinates to draw.
    """
    positions, picked = positions_of(trace, row)
    tick, size = tick_of(trace, tick), positions.shape[-1]
    dims = shown_dims(size, dims)
    place = on_plane(positions, dims)[tick]
    last = tick == len(positions) - 1
    q = rows_of(trace.q, row) if last and trace.q is not None else np.full(len(picked), np.nan)
    way = rows_of(trace.pushes[:tick].norm(dim=-1).sum(0), row)
    names = ["Q", measured("transport", "state.transport"), "state", "particle", "picked"]
    points = hv.Points(
        (place[:, 0], place[:, 1], q, way, *numbered(trace, row), picked),
        kdims=plane_dimensions(dims, size),
        vdims=names,
        label=title_of(trace),
    )
    bokeh, still = marker(look(trace.rule))
    return planar(
        styled(
            points,
            {"color": colour_of(trace.rule)},
            {**bokeh, "size": 4.5 + 3.5 * PICKED, "line_color": "white", "line_width": 0.5, "tools": ["hover"]},
            {**still, "s": 9.0 + 21.0 * PICKED, "edgecolors": "white", "linewidth": 0.5},
        ),
        dims,
    )


def paths(trace: Trace, row: int | None = None, dims: Dims | None = None) -> hv.Curve:
    """The way of every particle from noise to its end.

    Parameters
    ----------
    trace, row, dims
        As for `particles`.

    Returns
    -------
    holoviews.Curve
        One line, with NaN between two particles: so that many are drawn quickly.

    Raises
    ------
    UserError
        As `particles`.
    """
    positions, _ = positions_of(trace, row)
    size = positions.shape[-1]
    dims = shown_dims(size, dims)
    across, along = plane_dimensions(dims, size)
    curve = hv.Curve(joined(on_plane(positions, dims)), kdims=[across], vdims=[along], label=title_of(trace))
    both = {"color": colour_of(trace.rule), "alpha": 0.3}
    return planar(styled(curve, both, {"line_width": 1.0}, {"linewidth": 0.7}), dims)


def queries(trace: Trace, row: int | None = None, dims: Dims | None = None) -> hv.Points:
    """Where the rule asked the critic, coloured by the share of the ticks that had passed.

    A rule that moves noisy actions may ask at them, at a guess of the clean action, or at clean actions alone: that is where
    the critic must be right.

    Parameters
    ----------
    trace, row, dims
        As for `particles`.

    Returns
    -------
    holoviews.Points
        A point a query; none for rules that ask the critic nowhere on the way. Beside its place: ``passed`` (the share of the
        ticks before it), ``Q`` there, in the critic's own units, ``tick``, ``state``, ``particle``.

    Raises
    ------
    UserError
        As `particles`.
    """
    positions_of(trace, row)  # refuses a row that is not there
    ticks, size = len(trace.queries), trace.queries.shape[-1]
    dims = shown_dims(size, dims)
    asked = trace.queries.detach().cpu().numpy()
    asked = asked[:, row] if row is not None else asked.reshape(ticks, -1, size)  # (ticks, M, D)
    passed = np.arange(ticks) / ticks
    place = on_plane(asked, dims, 0.0, float(passed[-1]))
    known = np.isfinite(asked).all(-1)
    tick, which = np.nonzero(known)
    state, particle = numbered(trace, row)
    points = hv.Points(
        (*place[known].T, passed[tick], rows_of(trace.q_along, row)[known], tick, state[which], particle[which]),
        kdims=plane_dimensions(dims, size),
        vdims=[hv.Dimension(("passed", "share of the ticks before")), "Q", "tick", "state", "particle"],
        label=f"{title_of(trace)}: queries",
    )
    cmaps = ramp(TIME_RAMP)
    both = {"color": "passed", "clim": (0.0, 1.0), "colorbar": True, "alpha": 0.8}
    return planar(
        styled(
            points,
            both,
            {**cmaps[0], "size": 4.0, "tools": ["hover"], "clabel": "share of the ticks before"},
            {**cmaps[1], "s": 8.0, "linewidth": 0, "clabel": "share of the ticks before"},
        ),
        dims,
    )
