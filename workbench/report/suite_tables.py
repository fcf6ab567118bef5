"""The tables of a comparison over tasks."""

from __future__ import annotations

from collections import Counter

import numpy as np

from workbench.engine.digits import exact
from workbench.engine.glossary import TERM
from workbench.engine.metrics.intervals import Interval
from workbench.experiments.scores import Board, Cell
from workbench.report.tables import Table, interval, number

COSTS = ("network_evaluations", "ms_per_decision")


def standings_table(board: Board) -> Table:
    """All tasks together, and what a decision costs: one row a method, the best first."""
    against = next((one.middle.mean for one in board.standings if one.method == board.reference), None)
    rows = [
        (
            one.method,
            interval(one.middle),
            interval(one.gap),
            interval(one.improvement),
            "–" if against is None or one.method == board.reference else f"{one.middle.mean - against:+.3f}",
            *(number(one.costs.get(name, float("nan"))) for name in (*COSTS, "training_seconds")),
        )
        for one in board.standings
    ]
    missing = [method for method in board.methods if method not in board.whole]
    lacks = f" Left out, since they lack a task: {', '.join(missing)}." if missing else ""
    return Table(
        "All tasks together",
        (
            "method",
            "interquartile mean",
            "optimality gap",
            f"beats {board.reference}",
            f"minus {board.reference}",
            *(TERM[name].head for name in COSTS),
            "training (s)",
        ),
        rows,
        "Interquartile mean: mean of the middle half of all scores, runs over tasks. Optimality gap: how far scores lie below 1 "
        f"on average, at most. Beats {board.reference}: probability that a run of the method scores more than one of "
        f"{board.reference} on a task drawn at random. 95% intervals by the stratified bootstrap over training seeds; the tasks "
        f"are fixed.{_certain(board)} Training: wall time of one training with every learned part that was asked of it; seeds of "
        f"small networks are trained at once, and each has the time of all.{lacks}",
    )


def _certain(board: Board) -> str:
    counts = {len(cell.seeds) for cell in board.cells.values()}
    if counts == {1}:
        return " With one training seed there is nothing to resample: these intervals are empty."
    few = min(counts)
    return f" With {few} training seeds intervals are too short, by about {1 - np.sqrt(1 - 1 / few):.0%}."


def tasks_table(board: Board) -> Table:
    """Every task by itself, in its own units: one row a task, one column a method."""
    rows = []
    for task in board.tasks:
        cells = [board.cells.get((method, task)) for method in board.methods]
        best = max(cell.value.mean for cell in cells if cell is not None)
        scale = board.scales[task]
        rows.append((f"{task} ({scale.measure})", *(_value(cell, best) for cell in cells)))
    scales = ", ".join(
        f"{task} {exact(s.low)} to {exact(s.high)}" for task, s in board.scales.items() if task in board.tasks
    )
    return Table(
        "Task by task",
        ("task", *board.methods),
        rows,
        "Mean of the reporting episodes over training seeds, with the 95% interval over seeds and episodes; the star is the "
        f"highest of the row. Values that score 0 and 1: {scales}.",
    )


def _value(cell: Cell | None, best: float) -> str:
    if cell is None:
        return "–"
    star = " *" if cell.value.mean >= best else ""
    return f"{_short(cell.value)}{star}"


def _short(value: Interval) -> str:
    return f"{value.mean:.2f} [{value.low:.2f}, {value.high:.2f}]"


def strengths_table(board: Board) -> Table:
    """Which strength each method had, and of how many."""
    rows = []
    for method in board.methods:
        cells = [board.cells.get((method, task)) for task in board.tasks]
        axis = next(cell.axis for cell in cells if cell is not None)
        tried = max(cell.chosen_from for cell in cells if cell is not None)
        if tried > 1:
            rows.append((method, axis.removeprefix("fit."), str(tried), *map(_strengths, cells)))
    return Table(
        "Strengths that were chosen",
        ("method", "setting", "of", *board.tasks),
        rows,
        "A training seed's strength is the one whose choosing episodes return most on the other training seeds, so neither its "
        "own networks nor the episodes that are reported have a say in it. × says of how many seeds.",
    )


def _strengths(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    counts = Counter(cell.strengths)
    return ", ".join(
        exact(value) + (f" ×{count}" if len(counts) > 1 else "") for value, count in sorted(counts.items())
    )
