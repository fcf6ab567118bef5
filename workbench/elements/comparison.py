"""Methods over tasks: performance profiles, and what network evaluations buy."""

from __future__ import annotations

from collections.abc import Sequence

import holoviews as hv

from workbench.engine.words import UserError
from workbench.experiments.scores import Board
from workbench.experiments.summary import Curve
from workbench.plots.measurement import measured
from workbench.plots.styled import framed
from workbench.views.compare import PROFILE, profile_series, scaling_axes, scaling_series

WIDE = 460  # pixels


def profiles(board: Board) -> hv.Overlay:
    """Performance profiles: which share of a method's runs, over all tasks, scores above τ. The higher line is better.

    Parameters
    ----------
    board : Board
        Of `workbench.views.compare.compare`.

    Returns
    -------
    holoviews.Overlay
        A `holoviews.Curve` a method that was measured on every task, with the 95% band of the stratified bootstrap as
        `holoviews.ErrorBars`.

    Raises
    ------
    UserError
        No method was measured on every task.
    """
    series = profile_series(board)
    if not series:
        raise UserError(
            f"no method was measured on all of {', '.join(board.tasks)}; choose fewer tasks, or sweep the methods that lack some"
        )
    return framed(measured(series, PROFILE), WIDE)


def scaling(curves: Sequence[Curve], task: str, methods: Sequence[str] | None = None) -> hv.Overlay:
    """Return against the network evaluations of a decision: what more computing at test time buys.

    Parameters
    ----------
    curves : sequence of Curve
        As `workbench.curves` reads them.
    task : str
    methods : sequence of str, optional
        Names of curves; all of the task without them.

    Returns
    -------
    holoviews.Overlay
        A `holoviews.Curve` a method; of several strengths that cost the same the one that the choosing episodes prefer.

    Raises
    ------
    UserError
        Nothing of it was measured.
    """
    series = scaling_series(curves, task, methods)
    if not series:
        known = ", ".join(sorted({curve.task for curve in curves})) or "nothing yet"
        raise UserError(f"no curve of task {task!r} has network evaluations and returns; measured is {known}")
    return framed(measured(series, scaling_axes(task)), WIDE)
