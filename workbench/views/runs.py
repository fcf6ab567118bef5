"""The runs of a store as a list: which of them are shown, and how they are sent to a browser and written as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.engine.words import UserError, counted
from workbench.experiments.compare import compare
from workbench.experiments.row import Row, spell
from workbench.experiments.store import Store
from workbench.views.csv_file import csv_of

BEGUN = "begun"
STATUS = {
    "All that have begun": BEGUN,
    "Done": "done",
    "Failed": "failed",
    "Running": "running",
    "Stopped": "stopped",
    "Planned": "planned",
    "Damaged": "damaged",
    "All": "",
}
COUNTED = ("done", "failed", "running", "planned", "damaged")


@dataclass(frozen=True)
class Filter:
    """Which rows are shown.

    Attributes
    ----------
    task, rule : str
        "" for all.
    status : str
        One of `STATUS`.
    text : str
        Words that all must be in a row's key, status, task, rule, settings, seed or error.
    """

    task: str = ""
    rule: str = ""
    status: str = BEGUN
    text: str = ""

    def __call__(self, row: Row) -> bool:
        """Whether ``row`` is shown."""
        if (self.task and row.task != self.task) or (self.rule and row.rule != self.rule):
            return False
        if row.status == "planned" if self.status == BEGUN else self.status not in ("", row.status):
            return False
        text = " ".join([row.key, row.status, row.task, row.label, f"seed={row.seed}", row.error or ""]).lower()
        return all(word in text for word in self.text.lower().split())

    def as_link(self) -> dict[str, str]:
        """What a link says of it; defaults are left out. The names are this page's own: other pages have a task too."""
        return {f"only_{name}": value for name, value in self.changed().items()}

    def changed(self) -> dict[str, str]:
        """What differs from the usual filter."""
        usual = Filter()
        return {name: value for name, value in vars(self).items() if value != getattr(usual, name)}


def read_filter(arguments: Mapping[str, str]) -> Filter:
    """The filter that a link says."""
    found = {name: arguments.get(f"only_{name}", getattr(Filter, name))[:200] for name in vars(Filter())}
    return Filter(**found | ({} if found["status"] in STATUS.values() else {"status": BEGUN}))


def line_of(row: Row) -> dict[str, Any]:
    """A row as the browser gets it: plain types, settings as one text."""
    returns: dict[str, Any] = {"mean": None, "low": None, "high": None} | (row.returns or {})
    return {
        "key": row.key,
        "status": row.status,
        "task": row.task,
        "rule": row.rule,
        "settings": settings_of(row),
        "seed": row.seed,
        "mean": returns["mean"],
        "low": returns["low"],
        "high": returns["high"],
        "shift": row.shift,
        "gap": row.gap,
        "fitted_q": None if row.fitted_q is None else row.fitted_q["mean"],
        "finished": row.finished,
        "error": (row.error or "").partition("\n")[0],
    }


def settings_of(row: Row) -> str:
    """What differs from the defaults."""
    changed = row.settings | {f"fit.{name}": value for name, value in row.training.items()}
    return " ".join(f"{name}={spell(value)}" for name, value in changed.items())


def as_csv(rows: Iterable[Row]) -> bytes:
    """One line a run, all digits."""
    lines = [line_of(row) for row in rows]
    if not lines:
        raise UserError("There is no run to write; change the filters, or start a sweep.")
    return csv_of(list(lines[0]), [list(line.values()) for line in lines])


def side_by_side(store: Store, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The settings in which runs differ and what was measured, by the beginning of each run's key; StoreError as `compare`."""
    return {entry["key"][:8]: entry["told"] | entry["measured"] for entry in compare(store, list(keys))}


def count_of(rows: Sequence[Row], shown: Sequence[Row]) -> str:
    """How many runs are shown, and of how many where some that have begun are not."""
    begun = sum(row.status != "planned" for row in rows)
    every = counted(len(rows), "run")
    return counted(len(shown), "run") if len(shown) == begun else f"{len(shown):,} of {every}"


def newest_task(rows: Sequence[Row]) -> str:
    """The task of the run that was finished last, else of any; "" in an empty store."""
    return max(rows, key=lambda row: row.finished or "").task if rows else ""


def summary(rows: Sequence[Row], shown: Sequence[Row], where: Path) -> tuple[str, str]:
    """A heading for the store at ``where``, and a line about the best run that is shown, else the store's whole path."""
    counts = {status: sum(row.status == status for row in rows) for status in COUNTED}
    inside = ", ".join(f"{count:,} {status}" for status, count in counts.items() if count) or "empty"
    title = f"{'Store' if where.name.lower() == 'store' else f'Store {where.name}'}: {inside}"
    measured = [row for row in shown if row.status == "done" and row.returns]
    if not measured and (alone := [row for row in shown if row.fitted_q is not None]):
        best = max(alone, key=lambda row: (row.fitted_q or {})["mean"])
        return title, (
            f"No return was measured: there is no environment. Highest fitted-Q value shown: "
            f"{(best.fitted_q or {})['mean']:.3f}, {best.label}, seed {best.seed}; far outside the data it is too high."
        )
    if not measured:
        return title, str(where)
    best = max(measured, key=_mean_return)
    return title, (
        f"Highest return shown: {_mean_return(best):.3f}, {best.label}, seed {best.seed}. "
        "The highest of many is flattered by luck; the report chooses and reports on different episodes."
    )


def find_keys(rows: Sequence[Row], beginnings: Iterable[str]) -> tuple[list[str], list[str]]:
    """The whole keys that begin so, and those beginnings that no run has, or several have."""
    keys, missing = [], []
    for word in beginnings:
        match [row.key for row in rows if row.key.startswith(word)]:
            case [key]:
                keys.append(key)
            case _:
                missing.append(word[:20])
    return keys, missing


def _mean_return(row: Row) -> float:
    return float("-inf") if row.returns is None else row.returns["mean"]
