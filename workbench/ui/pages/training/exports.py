"""The slider of a saved page of training: the landscape at every snapshot."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.engine.training.loop.checkpoint import load_run
from workbench.engine.training.loop.snapshots import list_snapshots
from workbench.runs.launched import Training
from workbench.ui.canvas.landscape_figures import PlaneFigure, clouds_of, contour_lines
from workbench.ui.canvas.surface import inside_range
from workbench.ui.shell.sheet import Scrub
from workbench.views.training import landscape_at

MOST_SNAPSHOTS = 24


def snapshots_of(plane: PlaneFigure, training: Training) -> Scrub | None:
    """A slider over the snapshots: the critic's picture, and the particles on it; None without a picture."""
    steps = list_snapshots(training.run)
    if not steps:
        return None
    run, steps = load_run(training.run), steps[:: -(-len(steps) // MOST_SNAPSHOTS)]
    columns: dict[str, list[dict[str, Any]]] = {}
    for step in steps:
        ground = landscape_at(run, training.task, step, "qgf")
        if ground is None:
            return None
        reach = ground.extent
        place = {"x": [-reach], "y": [-reach], "dw": [2 * reach], "dh": [2 * reach]}
        columns.setdefault("image", []).append({"image": [ground.values.astype(np.float32)]} | place)
        for name, points, q in clouds_of(ground):
            columns.setdefault(name, []).append({"x": points[:, 0], "y": points[:, 1], "q": q})
        lines = contour_lines(ground.values, reach, *inside_range(ground.values, reach))
        columns.setdefault("contours", []).append(dict(zip("xy", lines, strict=True)))
    sources = {"image": plane.image.data_source, "contours": plane.contours} | plane.clouds
    pairs = [(sources[name], moments) for name, moments in columns.items()]
    return Scrub("Snapshot at update", [f"{step:,}" for step in steps], len(steps) - 1, pairs)
