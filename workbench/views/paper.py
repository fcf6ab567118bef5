"""The stages on paper: traces side by side as a matplotlib figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.steering.trace import Trace
from workbench.engine.words import UserError
from workbench.plots.still import Figure, lines, stages
from workbench.views.question import EXTENT, landscape


def picture(*traces: Trace, parts: Parts) -> Figure:
    """Draw traces of one state side by side over the value landscape of that state.

    Parameters
    ----------
    *traces : Trace
        At the same observation; the first one's is taken. Actions of one dimension are drawn against the tick.
    parts : Parts
        Whose critic makes the landscape; without one the ground stays empty.

    Raises
    ------
    ValueError
        No trace, or actions of more than two dimensions.
    """
    if not traces:
        raise UserError("picture needs at least one trace: picture(steer(...), parts=parts)")
    dims = traces[0].positions.shape[-1]
    if dims > 2:
        raise UserError(
            f"picture draws actions of one or two dimensions, these have {dims}; for a plane through them: "
            "workbench.views.terrain.terrain"
        )
    if dims == 1:
        return lines(list(traces))
    state = tuple(traces[0].observations[0].tolist())
    return side_by_side(traces, None if parts.critic is None else landscape(parts, state))


def side_by_side(traces: Sequence[Trace], ground: np.ndarray | None, truth: np.ndarray | None = None) -> Figure:
    """Traces over the landscape of their state, each under its rule's title, and the true reward beside them."""
    extent = (-EXTENT, -EXTENT, EXTENT, EXTENT)
    return stages(list(traces), ground, extent, titles=[title_of(trace) for trace in traces], truth=truth)


def title_of(trace: Trace) -> str:
    """The title of a trace's rule."""
    return RULES[trace.rule].title if trace.rule in RULES else trace.rule
