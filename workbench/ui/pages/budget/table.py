"""The table of the page of budgets: what is brushed, or all rules at one shift; and the shifts that tell a story."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from urllib.parse import quote

import numpy as np

from workbench.engine.digits import exact, figure
from workbench.engine.glossary import TERM
from workbench.engine.metrics.intervals import Interval
from workbench.experiments.summary import Curve
from workbench.plots.markup import Markup, html, joined
from workbench.ui.pages.budget.draw import name_of
from workbench.views.budget import HERE_EPISODES, Here, match
from workbench.views.policies import ALL_TASKS, find

MOST = 60  # lines


def points_table(curves: Sequence[Curve], keys: Collection[str] = ()) -> Markup:
    """HTML with a line a point; with ``keys`` (first runs of points) those alone. The link opens every seed's run."""
    rows: list[Markup] = []
    for curve in curves:
        shift, promised = curve.column("shift.w2"), curve.column("promised")
        for place, point in enumerate(curve.points):
            if keys and point.keys[0] not in keys:
                continue
            count = len(point.keys)
            runs = html('<a href="./runs?run={}">{}</a>', quote(",".join(point.keys), safe=","), count)
            if curve.origin:  # its runs are in no store of this machine
                runs = html("{}", count)
            promise = "–" if not np.isfinite(promised[place]) else figure(promised[place], 2)
            name = f"{curve.name}, {curve.axis} {exact(point.value)}"
            cells = (name, _interval(point.returns, 2), figure(shift[place], 2), promise, runs)
            rows.append(joined(html("<td>{}</td>", cell) for cell in cells))
    worth = curves[0].worth.label if curves else TERM["return"].label
    labels = (worth, *(TERM[key].label for key in ("shift.w2", "promised")))
    heads = joined(html("<th>{}</th>", name) for name in ("rule and strength", *labels, "runs"))
    body = joined(html("<tr>{}</tr>", row) for row in rows[:MOST])
    words = "Drag over points in either picture to filter this list and the other picture; tap one for its runs."
    if keys:
        words = "Tap the empty ground to see all again (Esc). The number of runs opens them."
    if not keys:
        body = html("<table><tr>{}</tr>{}</table>{}", heads, body, _more(len(rows)))
        return html("<details><summary>All {} points</summary><p>{}</p>{}</details>", len(rows), words, body)
    heading = f"{len(rows)} of the points"
    return html("<h2>{}</h2><p>{}</p><table><tr>{}</tr>{}</table>{}", heading, words, heads, body, _more(len(rows)))


def _more(count: int) -> Markup | str:
    return html("<p>and {} more: Export, CSV</p>", count - MOST) if count > MOST else ""


def match_table(curves: Sequence[Curve], at: float, link: Callable[[Curve, float], str]) -> Markup:
    """HTML of every rule at the shift ``at``, best first; ``link(curve, value)`` leads to the page of particles."""
    there, missing = match(curves, at)
    rows = joined(
        html(
            '<tr><td><a href="./particles?{}">{}</a></td><td>{} {}</td><td>{}</td><td>{}</td></tr>',
            link(one.curve, one.value),
            one.curve.name,
            one.curve.axis,
            exact(one.value),
            _interval(one.returns),
            _interval(one.difference),
        )
        for one in sorted(there, key=lambda one: -9e9 if one.returns is None else -one.returns.mean)
    )
    never = html("<p>Never this far, or not between two strengths: {}.</p>", ", ".join(missing)) if missing else ""
    return html(
        "<h2>At shift {}</h2><p>Every rule where it goes equally far from the data (the dashed line), read off "
        "between its two nearest strengths, with 95% intervals. The last column is the paired difference from the best rule: "
        "where its interval leaves out 0, the two differ.</p><table><tr><th>rule</th><th>strength</th>"
        "<th>{}</th><th>− best</th></tr>{}</table>{}",
        figure(at, 3),
        curves[0].worth.label,
        rows,
        never,
    )


def here_list(marks: Sequence[Here]) -> Markup:
    """HTML of the reader's own settings."""
    rows = joined(
        html(
            "<li>{} on {}: return {} ({} to {}), shift {}; {}</li>",
            name_of(mark),
            mark.task,
            figure(mark.value, 3),
            figure(mark.low, 2),
            figure(mark.high, 2),
            figure(mark.shift, 3),
            f"read off the curve {mark.curve}" if mark.curve else f"{HERE_EPISODES} episodes of {_whose(mark)}",
        )
        for mark in marks
    )
    return html("<h2>You are here</h2><ul>{}</ul><p>Press Match mine to compare the rules at this shift.</p>", rows)


def _whose(mark: Here) -> str:
    return "the task's built-in policy" if mark.source in ("", *ALL_TASKS) else find(mark.source).title


def _interval(value: Interval | None, digits: int = 3) -> Markup | str:
    """A mean and its interval as HTML; a dash for what cannot be compared."""
    if value is None:
        return "–"
    return html("{} <small>{} to {}</small>", figure(value.mean, digits), figure(value.low, 2), figure(value.high, 2))
