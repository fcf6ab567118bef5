"""What the page of training can be saved as: losses and values as numbers, and the landscape at every snapshot."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.engine.training.loop.checkpoint import load_run
from workbench.engine.training.loop.snapshots import list_snapshots
from workbench.runs.launched import Training
from workbench.ui.canvas.landscape_figures import PlaneFigure, clouds_of, contour_lines
from workbench.ui.canvas.surface import inside_range
from workbench.ui.shell.sheet import Scrub
from workbench.views.training import Moment, landscape_at

MOST_SNAPSHOTS = 24


def as_csv(reports: Sequence[dict[str, Any]], moments: Sequence[Moment]) -> bytes:
    """One line a number: update, name, value; losses of every report, then the values of every snapshot that was seen."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["update", "name", "value"])
    for report in reports:
        writer.writerows([report["step"], f"loss_{name}", value] for name, value in report["losses"].items())
    for one in sorted(moments, key=lambda one: one.step):
        rows = {"q_behaviour": one.behaviour, "q_qgf": one.guided, "v": one.value}
        writer.writerows([one.step, name, value] for name, value in rows.items() if np.isfinite(value))
    return text.getvalue().encode()


def snapshots_of(plane: PlaneFigure, training: Training) -> Scrub | None:
    """A slider over the snapshots: the critic's picture, and the particles on it; None without a picture."""
    steps = list_snapshots(training.run)
    if not steps:
        return None
    run, steps = load_run(training.run), steps[:: -(-len(steps) // MOST_SNAPSHOTS)]
    columns: dict[str, list[dict[str, Any]]] = {}
    for step in steps:
        found = landscape_at(run, training.task, step, "qgf")
        if found is None:
            return None
        reach = found.extent
        place = {"x": [-reach], "y": [-reach], "dw": [2 * reach], "dh": [2 * reach]}
        columns.setdefault("image", []).append({"image": [found.values.astype(np.float32)]} | place)
        for name, points, q in clouds_of(found):
            columns.setdefault(name, []).append({"x": points[:, 0], "y": points[:, 1], "q": q})
        lines = contour_lines(found.values, reach, *inside_range(found.values, reach))
        columns.setdefault("contours", []).append(dict(zip("xy", lines, strict=True)))
    sources = {"image": plane.image.data_source, "contours": plane.contours} | plane.clouds
    pairs = [(sources[name], moments) for name, moments in columns.items()]
    return Scrub("Snapshot at update", [f"{step:,}" for step in steps], len(steps) - 1, pairs)
