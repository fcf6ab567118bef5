"""What moves particles: the terms of one particle's steps, and how far the critic has carried all of them."""

from __future__ import annotations

import holoviews as hv
import numpy as np

from workbench.elements.particles import rows_of, title_of
from workbench.engine.steering.trace import Trace
from workbench.engine.words import UserError
from workbench.plots.lines import Dims, on_plane, positions_of, shown_dims
from workbench.plots.styled import GREY, colour_of, framed, measured, planar, plane_dimensions, styled

CLIP = "clip"  # what the box of allowed actions takes away from a step
TURN = "ascent and clip"  # after the flow: what Adam makes of the direction's terms beside their length
SMALL = 1e-6
COLOURS = {
    "velocity": "#5b6472",
    "jump": "#5b6472",
    "repulsion": "#a8417f",
    "attraction": "#d55e00",
    CLIP: "#000000",
    TURN: "#000000",
}
DASHES = {CLIP: ("dotted", ":"), TURN: ("dotted", ":"), "repulsion": ("dashed", "--")}
MOST = 0.9  # of the particles lie between the edges of the band


def terms(trace: Trace, particle: int = 0, row: int = 0, dims: Dims | None = None) -> hv.Overlay:
    """The steps of one particle, each taken apart into its terms, head to tail: their sum is the step.

    Parameters
    ----------
    trace : Trace
        What `workbench.steer` returned.
    particle : int
        Its number, 0 to N − 1.
    row : int
        The state.
    dims : tuple of int, optional
        As for `workbench.plots.particles`.

    Returns
    -------
    holoviews.Overlay
        A `holoviews.Curve` a term, named as the rule names it (velocity, guidance, attraction, …), with NaN between two steps;
        ``clip`` where the box of allowed actions cut a step. Rules that move clean actions have the terms of a direction:
        these are drawn at the length of the step, and ``ascent and clip`` is what Adam changed besides. Above them the
        particle's places as `holoviews.Points`.

    Raises
    ------
    UserError
        A particle, row or coordinate that the trace does not have, or too many coordinates to draw.
    """
    positions, _ = positions_of(trace, row)
    count, size = positions.shape[1:]
    if not -count <= particle < count:
        raise UserError(f"particle must be 0 to {count - 1}, got {particle}")
    dims = shown_dims(size, dims)
    here = positions[:, particle]
    moves = _moves(trace, row, particle, here)
    axes = plane_dimensions(dims, size)
    places = on_plane(here[:, None], dims)[:, 0]
    lines = _head_to_tail(here, moves, dims)
    near = np.concatenate([places, *lines.values()])
    drawn = [planar(_term(name, line, axes, trace.rule), dims, near) for name, line in lines.items()]
    points = hv.Points((*places.T, np.arange(len(places))), kdims=axes, vdims=["tick"], label=title_of(trace))
    look = {"color": colour_of(trace.rule)}
    dots = styled(points, look, {"size": 6.0, "line_color": "white", "tools": ["hover"]}, {"s": 16.0})
    return hv.Overlay([*drawn, planar(dots, dims, near)])


def _moves(trace: Trace, row: int, particle: int, here: np.ndarray) -> dict[str, np.ndarray]:
    """The part (ticks, D) of every step that each term made; they add up to the steps of ``here`` (ticks + 1, D)."""
    steps = np.diff(here, axis=0)
    moves = {name: term[:, row, particle].detach().cpu().numpy() for name, term in trace.terms.items()}
    total = sum(moves.values(), np.zeros_like(steps))
    late = trace.times[:-1].cpu().numpy() >= 1.0 - SMALL  # the terms of a direction, which the ascent makes a step of
    lengths = np.linalg.norm(steps, axis=1), np.linalg.norm(total, axis=1)
    factor = np.where(late & (lengths[1] > 0.0), lengths[0] / np.maximum(lengths[1], 1e-30), 1.0)[:, None]
    moves = {name: factor * move for name, move in moves.items()}
    rest = steps - factor * total
    rest[np.abs(rest).max(1) <= SMALL] = 0.0
    for name, which in ((CLIP, ~late), (TURN, late)):
        if np.abs(rest[which]).max(initial=0.0) > 0.0:
            moves[name] = np.where(which[:, None], rest, 0.0)
    return moves


def _head_to_tail(here: np.ndarray, moves: dict[str, np.ndarray], dims: Dims) -> dict[str, np.ndarray]:
    """For each term a line (3·ticks, 2) of its part of every step, with NaN between two; where it is absent, nothing."""
    ticks, lines = len(here) - 1, {}
    start = here[:-1].copy()
    share = np.arange(ticks, dtype=np.float64) / ticks
    part = 1.0 / (ticks * len(moves))
    for name, move in moves.items():
        ends = np.stack((start, start + move), 1)  # (ticks, 2, D)
        line = np.full((ticks, 3, 2), np.nan)
        if len(dims) == 2:
            line[:, :2] = ends[..., list(dims)]
        else:
            line[:, :2, 0], line[:, :2, 1] = np.stack((share, share + part), 1), ends[..., dims[0]]
        lines[name] = line[np.abs(move).max(1) > 0.0].reshape(-1, 2)
        start, share = start + move, share + part
    return lines


def _term(name: str, line: np.ndarray, axes: list[hv.Dimension], rule: str) -> hv.Curve:
    curve = hv.Curve(line, kdims=axes[:1], vdims=axes[1:], label=name)
    dash, still = DASHES.get(name, ("solid", "-"))
    both = {"color": COLOURS.get(name, colour_of(rule))}
    return styled(curve, both, {"line_width": 2.5, "line_dash": dash}, {"linewidth": 1.8, "linestyle": still})


def transport(trace: Trace, row: int | None = None) -> hv.Overlay:
    """How far the critic's pushes have carried the particles, tick by tick: the mean, and where 90% of the particles are.

    The last value is the trace's mean transport, which `workbench.evaluate` reports at behaviour states.

    Parameters
    ----------
    trace : Trace
        What `workbench.steer` returned.
    row : int, optional
        One state of the trace; all of them without it.

    Returns
    -------
    holoviews.Overlay
        A `holoviews.Area` between the 5% and the 95% quantile, and a `holoviews.Curve` of the mean.

    Raises
    ------
    UserError
        A row that the trace does not have.
    """
    positions_of(trace, row)  # refuses a row that is not there
    lengths = rows_of(trace.pushes.norm(dim=-1), row).astype(np.float64)  # (ticks, M)
    way = np.concatenate((np.zeros((1, lengths.shape[1])), lengths.cumsum(0)))
    ticks, edge = np.arange(len(way)), (1 - MOST) / 2
    low, high = np.quantile(way, (edge, 1 - edge), axis=1)
    tick, number = hv.Dimension(("tick", "tick")), measured("transport", "state.transport")
    colour = colour_of(trace.rule)
    band = hv.Area((ticks, low, high), kdims=[tick], vdims=[number, "to"], label=title_of(trace))
    band = styled(band, {"color": colour, "alpha": 0.2}, {"line_alpha": 0.0}, {"facecolor": colour, "linewidth": 0})
    mean = hv.Curve((ticks, way.mean(1)), kdims=[tick], vdims=[number], label=title_of(trace))
    mean = styled(mean, {"color": colour}, {"line_width": 2.2, "tools": ["hover"]}, {"linewidth": 1.8})
    zero = hv.HLine(float(way[-1].mean())).opts(backend="bokeh", color=GREY, line_width=1, line_dash="dotted")
    zero = zero.opts(backend="matplotlib", color=GREY, linewidth=0.8, linestyle=":")
    return hv.Overlay([framed(band), framed(mean), zero])
