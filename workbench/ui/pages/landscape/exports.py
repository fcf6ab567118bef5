"""The slider of a saved page of landscapes: the queries of the rule, tick by tick."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.ui.canvas.landscape_figures import PlaneFigure
from workbench.ui.shell.sheet import Scrub
from workbench.views.terrain import Terrain


def ticks_of(plane: PlaneFigure, ground: Terrain) -> Scrub:
    """A slider over the ticks of the rule: where its picked particles are, and where it asks the critic."""
    trace = ground.answer.traces[1]
    last = len(trace.positions) - 1
    picked = np.asarray(trace.picked)
    groups = np.arange(len(picked))
    q = plane.clouds["steered"].data["q"]
    steered: list[dict[str, Any]] = []
    queries: list[dict[str, Any]] = []
    for tick in range(last + 1):
        points = ground.basis.coordinates(trace.positions[tick].numpy()[groups, picked])
        steered.append({"x": points[:, 0], "y": points[:, 1], "q": q if tick == last else np.full(len(points), np.nan)})
        asked = trace.queries[min(tick, last - 1)].flatten(0, 1).numpy()
        places = ground.basis.coordinates(asked[np.isfinite(asked).all(1)])
        queries.append({"x": places[:, 0], "y": places[:, 1], "q": np.full(len(places), np.nan)})
    queries[-1] = dict(plane.clouds["queries"].data)  # at the end all of them, as on the page
    stops = [*(f"{tick} of {last}" for tick in range(last)), f"{last} of {last}, all queries"]
    return Scrub("Tick", stops, last, [(plane.clouds["steered"], steered), (plane.clouds["queries"], queries)])
