"""Pictures that move: over the ticks of a trace, over strengths, and under a hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import holoviews as hv
import numpy as np
import torch
from torch import Tensor

from workbench.elements.particles import particles, paths
from workbench.engine.digits import exact
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import RULES
from workbench.engine.steering.run import steer
from workbench.engine.steering.trace import Trace
from workbench.engine.words import UserError
from workbench.plots.lines import Dims, shown_dims
from workbench.plots.styled import colour_of, planar, plane_dimensions, styled
from workbench.views.ground import observed

Draw = Callable[[Trace], Any]


def over_time(trace: Trace, row: int | None = None, dims: Dims | None = None) -> hv.HoloMap:
    """The particles at every tick, with a slider; the slider says the flow time, and counts the steps after the flow.

    Parameters
    ----------
    trace, row, dims
        As for `workbench.plots.particles`.

    Returns
    -------
    holoviews.HoloMap
        By tick; lay it over a landscape with ``*``.

    Raises
    ------
    UserError
        As `workbench.plots.particles`.
    """
    times = trace.times.tolist()
    flow = int(np.argmax(np.isclose(times, max(times))))  # the tick at which the flow ends

    def words(tick: int) -> str:
        return f"t = {times[tick]:.2f}" + (f", {tick - flow} steps after the flow" if tick > flow else "")

    found = {tick: particles(trace, tick, row, dims) for tick in range(len(times))}
    return hv.HoloMap(found, kdims=[hv.Dimension(("tick", "tick"), value_format=words)])


def over_strength(traces: Sequence[Trace], draw: Draw | None = None) -> hv.HoloMap:
    """One picture a strength, with a slider.

    Parameters
    ----------
    traces : sequence of Trace
        Of one rule at several strengths, best from the same noise.
    draw : callable, optional
        ``draw(trace)`` makes the picture; paths and particles without it.

    Returns
    -------
    holoviews.HoloMap
        By the rule's strength; lay it over a landscape with ``*``.

    Raises
    ------
    UserError
        No trace, several rules, or two traces of one strength.
    """
    rules = sorted({trace.rule for trace in traces})
    if len(rules) != 1 or rules[0] not in RULES:
        raise UserError(
            f"over_strength takes traces of one rule at several strengths, got {', '.join(rules) or 'none'}; "
            "lay those of two rules beside each other with +"
        )
    name = RULES[rules[0]].strength
    found = {float(trace.settings[name]): trace for trace in traces}
    if len(found) < len(traces):
        raise UserError(f"two of the traces have the same {name}; over_strength shows one picture a strength")
    made = draw or (lambda trace: paths(trace) * particles(trace))
    key = hv.Dimension((name, name.replace("_", " ")), value_format=exact)
    return hv.HoloMap({value: made(found[value]) for value in sorted(found)}, kdims=[key])


def drag(
    rule: Rule,
    parts: Parts,
    state: Tensor | np.ndarray | Sequence[float],
    dims: Dims | None = None,
) -> hv.DynamicMap:
    """Drag the noise of one particle, and see where the rule takes it: a picture that follows the pointer.

    Parameters
    ----------
    rule : Rule
        Steered with one particle.
    parts : Parts
    state : Tensor, ndarray or sequence of float
        (S,), the observation, not normalised.
    dims : tuple of int, optional
        Two coordinates of the action; needed from three on. The noise of the others is 0.

    Returns
    -------
    holoviews.DynamicMap
        Of the particle's path, its end, and a handle: choose the Point Draw tool, and drag. Its stream is
        `holoviews.streams.PointDraw`. For Bokeh; it needs the notebook's kernel.

    Raises
    ------
    UserError
        Actions of one number (there is no plane to drag in), or too many to draw.
    """
    size = parts.action_dim
    dims = shown_dims(size, dims)
    if len(dims) != 2:
        raise UserError("drag needs a plane: two coordinates of the action, dims=(0, 1)")
    seen = observed(state, parts)
    axes = plane_dimensions(dims, size)
    x, y = (axis.name for axis in axes)
    handle = planar(
        styled(
            hv.Points([(0.0, 0.0)], kdims=axes, label="noise"),
            {"color": colour_of(rule.name)},
            {"size": 14, "fill_alpha": 0.25, "line_width": 2, "active_tools": ["point_draw"]},
            {"s": 60, "alpha": 0.4},
        ),
        dims,
    )
    stream = hv.streams.PointDraw(data=handle.columns(), source=handle, num_objects=1, add=False)

    def moved(data: dict[str, Any] | None) -> hv.Overlay:
        start = torch.zeros(1, 1, size)
        if data and len(data[x]):
            start[0, 0, list(dims)] = torch.tensor([float(data[x][0]), float(data[y][0])])
        extra = torch.zeros(1, 1, rule.extra_draws(), size) if rule.extra_draws() else None
        trace = steer(rule, parts, seen[None], Noise(start, torch.zeros(1, 1), extra))
        return paths(trace, dims=dims).opts(alpha=1.0) * particles(trace, dims=dims)

    return hv.DynamicMap(moved, streams=[stream]) * handle
