"""The course of a training: its losses, and the values at its snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import holoviews as hv
import numpy as np

from workbench.engine.glossary import TERM
from workbench.engine.training.loop.checkpoint import Run, load_run
from workbench.engine.training.loop.snapshots import list_snapshots
from workbench.engine.words import UserError
from workbench.plots.styled import framed, styled
from workbench.runs.notes import read_reports
from workbench.views.training import curves, moment

COLOURS = ("#0072b2", "#d55e00", "#00805d", "#a8417f", "#a86f00", "#5b6472", "#2b86c5", "#000000")
WIDE = 460  # pixels
UPDATE = hv.Dimension(("update", "update"))


def _line(x: Any, y: Any, number: hv.Dimension, label: str, place: int, log: bool = False) -> hv.Curve:
    curve = hv.Curve((x, y), kdims=[UPDATE], vdims=[number], label=label)
    both = {"color": COLOURS[place % len(COLOURS)], "logy": log}
    return framed(styled(curve, both, {"line_width": 1.8, "tools": ["hover"]}, {"linewidth": 1.3}), WIDE, log=log)


def _overlay(lines: list[hv.Curve]) -> hv.Overlay:
    return styled(hv.Overlay(lines), {"legend_position": "right"})


def training(run: Run | str | Path) -> hv.Overlay:
    """The losses of a training against its updates, on a logarithmic axis.

    Parameters
    ----------
    run : Run, str or Path
        What `workbench.load_run` or `workbench.train` returned, or the run's folder.

    Returns
    -------
    holoviews.Overlay
        A `holoviews.Curve` a loss; what is not above 0 cannot be drawn on this axis and is left out.

    Raises
    ------
    UserError
        The run has no log of its progress, as one that was imported.
    """
    folder = run.folder if isinstance(run, Run) else Path(run)
    found = curves(read_reports(folder))
    if not found:
        raise UserError(
            f"{folder} has no progress.jsonl with losses: it was imported, or is no run folder. "
            "workbench fit TASK --out RUN writes one"
        )
    loss = hv.Dimension(("loss", "loss"))
    lines = [
        _line(steps, np.where(values > 0.0, values, np.nan), loss, name.replace("_", " "), place, log=True)
        for place, (name, (steps, values)) in enumerate(found.items())
    ]
    return _overlay(lines)


def values(run: Run | str | Path) -> hv.Overlay:
    """What the critic thinks of the policies in the course of a training, at its snapshots.

    Parameters
    ----------
    run : Run, str or Path
        As for `training`; with snapshots (``workbench fit … --snapshots 20``).

    Returns
    -------
    holoviews.Overlay
        A `holoviews.Curve` each of the behaviour flow's Q, QGF's Q and, of critics that have it, V, at 64 states of the data.

    Raises
    ------
    UserError
        The run has no snapshots.
    """
    found = run if isinstance(run, Run) else load_run(Path(run))
    steps = list_snapshots(found.folder)
    if not steps:
        raise UserError(f"{found.folder} has no snapshots; take some: workbench fit TASK --out RUN --snapshots 20")
    moments = [moment(found, step) for step in steps]
    q, v = TERM["training.q"], TERM["training.v"]
    lines = {
        f"{q.label}, behaviour": [one.behaviour for one in moments],
        f"{q.label}, QGF": [one.guided for one in moments],
    }
    if all(np.isfinite(one.value) for one in moments):
        lines[v.label] = [one.value for one in moments]
    number = hv.Dimension(("value", "value"), unit=q.unit)
    return _overlay([_line(steps, line, number, name, place) for place, (name, line) in enumerate(lines.items())])
