"""The tables of a report, as rows of text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from workbench.engine.digits import exact, short
from workbench.engine.glossary import TERM, VERSION
from workbench.engine.metrics.intervals import Interval
from workbench.engine.words import counted, plain
from workbench.experiments.files import DamagedError
from workbench.experiments.offline import IN_SUPPORT
from workbench.experiments.store import Store
from workbench.experiments.summary import COSTS, Curve, matched
from workbench.experiments.upgrade import version_of

SHOWN = (
    "gain",
    "shift.w2",
    "own_shift.w2",
    "occupancy.w2",
    "shift.displacement",
    "transport",
    "support.inside",
    "promised",
    "earned",
    "gap",
)
PLAYED = ("gain", "own_shift.w2", "occupancy.w2", "earned", "gap")  # what needs episodes
OFFLINE = ("fitted_q", "importance.effective")
NOT_MEASURED = (
    "No return was measured: the task has no environment. Shown is the fitted-Q value, which a critic learned from the data "
    "alone; a strength is chosen where at least {:.0%} of its actions are like the data's."
)


class Table(NamedTuple):
    """Heads, rows of as many cells, and what the reader should know."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""


def chosen_table(curves: list[Curve]) -> Table:
    """For each method the strength that the choosing episodes prefer, and what it gives on the reporting ones."""
    rows = []
    for curve in curves:
        if curve.choice is None:
            rows.append((curve.name, curve.axis, _unchosen(curve), "", "", "", ""))
            continue
        if len(curve.points) < 2:
            point = curve.points[0]
            each = " ".join(f"{value:.2f}" for value in point.per_seed["return"])
            rows.append(
                (curve.name, "–", "–", number(_mean(point.per_seed["choose"])), interval(point.returns), "–", each)
            )
            continue
        choice = curve.choice
        point = next(point for point in curve.points if point.value == choice.strength)
        each = " ".join(f"{value:.2f}" for value in point.per_seed["return"])
        rows.append(
            (
                curve.name,
                curve.axis,
                exact(choice.strength),
                f"{choice.chosen_at:.3f}",
                interval(choice.reported),
                f"{choice.regret:.3f}",
                each,
            )
        )
    if curves and curves[0].offline:
        worth = TERM["fitted_q"].label
        return Table(
            "Chosen strengths",
            ("method", "strength", "chosen", f"{worth}, choosing", f"{worth}, reporting", "regret", "each seed"),
            rows,
            NOT_MEASURED.format(IN_SUPPORT)
            + " It is chosen by critics of one seed and reported by critics of another: quote the reporting value.",
        )
    return Table(
        "Chosen strengths",
        (
            "method",
            "strength",
            "chosen",
            "return, choosing episodes",
            "return, reporting episodes",
            "regret",
            "each seed",
        ),
        rows,
        "A strength is chosen on one set of evaluation seeds and reported on another that shares no episode with it. The return "
        "on the choosing episodes is flattered by having been chosen; quote the reporting one. Regret: how far that lies "
        "below the best strength of the reporting episodes.",
    )


def matched_table(curves: list[Curve]) -> Table | None:
    """Methods at the same measured shift; None with fewer than two that can be compared."""
    matches = matched(curves)
    if matches is None or len(matches.returns) < 2:
        return None
    rows: list[tuple[str, ...]] = []
    for name, entries in matches.returns.items():
        rows.append((name, *(interval(entry) for entry in entries)))
        if name != matches.against:
            rows.append((f"… minus {matches.against}", *(interval(entry) for entry in matches.differences[name])))
    return Table(
        "Methods at matched shift",
        (f"{curves[0].worth.label} at shift =", *(exact(shift) for shift in matches.at)),
        rows,
        "A strength means something else for every method; the distance that actions really moved is the same quantity for all. "
        "Returns of the reporting episodes, read off between measured strengths, with 95% intervals over training seeds and "
        "episodes; differences are paired: the same seeds and episodes on both sides, so a difference whose interval leaves "
        "out 0 is one. – where a method was not measured on both sides.",
    )


def cost_table(curves: list[Curve]) -> Table:
    """What a decision costs, at the chosen strength (the largest one where none is chosen)."""
    rows = []
    for curve in curves:
        chosen = None if curve.choice is None else curve.choice.strength
        point = next((point for point in curve.points if point.value == chosen), curve.points[-1])
        costs = point.costs
        rows.append(
            (
                curve.name,
                f"{curve.axis} = {exact(point.value)}",
                number(costs["network_evaluations"]),
                number(costs["ms_per_decision"]),
                number(costs["ms_alone"]),
                number(_mean(point.per_seed["shift.w2"])),
                number(_mean(point.per_seed["transport"])),
            )
        )
    return Table(
        "Cost of a decision",
        ("method", "at", *(TERM[key].head for key in (*COSTS, "shift.w2", "transport"))),
        rows,
        "Wall times are those of the machine that did the job, with one thread.",
    )


def points_table(curves: list[Curve]) -> Table:
    """Every strength of every method, on the reporting episodes."""
    offline = bool(curves) and curves[0].offline
    shown = (*(key for key in SHOWN if not offline or key not in PLAYED), *(OFFLINE[1:] if offline else ()))
    worth = TERM["fitted_q" if offline else "return"].label
    rows = []
    for curve in curves:
        for point in curve.points:
            means = [number(_mean(point.per_seed[name])) for name in shown]
            where = f"{curve.axis} = {exact(point.value)}"
            rows.append((curve.name, where, str(len(point.seeds)), interval(point.returns), *means))
    return Table(
        "Every strength",
        ("method", "strength", "seeds", worth, *(TERM[key].label for key in shown)),
        rows,
        " ".join(f"{TERM[key].label}: {TERM[key].hint}." for key in (*(OFFLINE[:1] if offline else ()), *shown)),
    )


def unfinished_table(store: Store) -> Table | None:
    """Jobs that were asked for and have no result; None when there is none."""
    rows = [row for row in store.rows() if row.status not in ("done", "damaged")]
    if not rows:
        return None
    lines: list[tuple[str, ...]] = [
        (row.key[:8], row.status, row.task, row.label, str(row.seed), (row.error or "").partition("\n")[0])
        for row in rows
    ]
    return Table(
        f"{counted(len(rows), 'job')} without a result",
        ("run", "status", "task", "rule and settings", "seed", "error"),
        lines,
        "The same sweep command does them.",
    )


def earlier_table(results: list[dict[str, Any]]) -> Table | None:
    """Results that an earlier version measured; None without any."""
    old = [result for result in results if version_of(result) < VERSION]
    if not old:
        return None
    return Table(
        f"{counted(len(old), 'result')} of an earlier version",
        ("run", "task", "rule", "seed", "measured by version"),
        [(r["key"][:8], r["job"]["task"], r["job"]["rule"], str(r["job"]["seed"]), str(version_of(r))) for r in old],
        "They lack own-way shift, occupancy shift and gain, which are left out of means; their shift is the same number as "
        "that of the others. Remove them (workbench runs rm) and run the sweep again to measure all.",
    )


def damaged_table(damaged: Mapping[str, DamagedError], store: str) -> Table:
    """Runs whose files are damaged and that are left out."""
    return Table(
        f"{counted(len(damaged), 'damaged run')} left out",
        ("run", "file", "what is wrong"),
        [(plain(key)[:8], plain(error.name), error.what) for key, error in damaged.items()],
        f"Put them in order (workbench runs repair {store}) and give the sweep's command again, which does them.",
    )


def made_by(results: list[dict[str, Any]]) -> Table:
    """Versions and machines behind the results, with the number of results of each."""
    counts: dict[tuple[str, ...], int] = {}
    for result in results:
        by = result["by"]
        code = "installed package" if by["code"] is None else by["code"]["commit"][:12]
        code += " with changes" if by["code"] and by["code"]["changed"] else ""
        packages = ", ".join(f"{name} {version}" for name, version in by["packages"].items())
        line = (code, f"python {by['python']}, {packages}", f"{by['processor']}, {by['platform']}")
        counts[line] = counts.get(line, 0) + 1
    return Table(
        "Made by",
        ("commit", "versions", "machine", "results"),
        [(*line, str(count)) for line, count in counts.items()],
    )


def _unchosen(curve: Curve) -> str:
    """Why no strength of a curve is chosen."""
    return "none stays in support" if curve.offline and curve.played else "some strengths lack seeds"


def interval(value: Interval | None) -> str:
    """Mean and its interval, or a dash."""
    return "–" if value is None else f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"


def number(value: float) -> str:
    """Four digits, or a dash for what was not measured."""
    return short(value, 4) if math.isfinite(value) else "–"


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
