"""What the page of landscapes can be saved as: its grid, its code, and the queries tick by tick."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np

from workbench.ui.canvas.landscape_figures import PlaneFigure
from workbench.ui.shell.sheet import Scrub
from workbench.views.policies import find
from workbench.views.question import Question
from workbench.views.terrain import Plane, Terrain


def as_csv(found: Terrain) -> bytes:
    """One line a cell of the grid."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*found.basis.names, "q", "spread", *(["true_reward"] if found.truth is not None else [])])
    axis = np.linspace(-found.extent, found.extent, found.values.shape[1])
    for row, column in np.ndindex(found.values.shape):
        place = [axis[column]] if len(found.basis.names) == 1 else [axis[column], axis[row]]
        truth = [] if found.truth is None else [found.truth[row, column]]
        writer.writerow(
            [f"{value:.6g}" for value in (*place, found.values[row, column], found.spread[row, column], *truth)]
        )
    return text.getvalue().encode()


def ticks_of(plane: PlaneFigure, found: Terrain) -> Scrub:
    """A slider over the ticks of the rule: where its picked particles are, and where it asks the critic."""
    trace = found.answer.traces[1]
    last = len(trace.positions) - 1
    picked = np.asarray(trace.picked)
    groups = np.arange(len(picked))
    q = plane.clouds["steered"].data["q"]
    steered: list[dict[str, Any]] = []
    queries: list[dict[str, Any]] = []
    for tick in range(last + 1):
        points = found.basis.coordinates(trace.positions[tick].numpy()[groups, picked])
        steered.append({"x": points[:, 0], "y": points[:, 1], "q": q if tick == last else np.full(len(points), np.nan)})
        asked = trace.queries[min(tick, last - 1)].flatten(0, 1).numpy()
        places = found.basis.coordinates(asked[np.isfinite(asked).all(1)])
        queries.append({"x": places[:, 0], "y": places[:, 1], "q": np.full(len(places), np.nan)})
    queries[-1] = dict(plane.clouds["queries"].data)  # at the end all of them, as on the page
    stops = [*(f"{tick} of {last}" for tick in range(last)), f"{last} of {last}, all queries"]
    return Scrub("Tick", stops, last, [(plane.clouds["steered"], steered), (plane.clouds["queries"], queries)])


def snippet(question: Question, plane: Plane) -> str:
    """The plane with behaviour and steered policy, drawn with matplotlib."""
    q, rule = question, question.first.make()
    settings = {key: value for key, value in rule.model_dump().items() if value != type(rule).model_fields[key].default}
    words = "".join(f", {key}={value!r}" for key, value in settings.items())
    return "\n".join(
        [
            "import matplotlib.pyplot as plt",
            "",
            "import workbench as wb",
            "from workbench.views.terrain import View, terrain",
            "from workbench.ui.notebook import parts_for",
            "from workbench.views.question import Policy, Question",
            "",
            *find(q.task).lines([q.first.rule]),
            f"rule = wb.make_rule({q.first.rule!r}{words})",
            "policies = (Policy(rule.name, rule.model_dump()),)",
            f"question = Question({q.task!r}, policies, {q.seed}, {q.shown}, {q.state!r}, {q.peak!r})",
            "parts, task = question.posed(parts, task)",
            f"found = terrain(View(question, {plane!r}), parts, task)",
            "reach = found.extent",
            'plt.imshow(found.values, origin="lower", extent=(-reach, reach, -reach, reach))',
            "for trace in found.answer.traces:",
            "    plt.scatter(*found.basis.coordinates(trace.actions.numpy()).T[:2], s=6, label=trace.rule)",
            'plt.title(f"trusted queries: {found.trust.share:.0%}")',
            "plt.legend()",
            "plt.show()",
        ]
    )
