"""The rows of the list: which are shown, how they are sent, written as CSV, and asked for in code."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.engine.words import UserError
from workbench.experiments.row import Row, spell

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
        told = " ".join([row.key, row.status, row.task, row.label, f"seed={row.seed}", row.error or ""]).lower()
        return all(word in told for word in self.text.lower().split())

    def as_link(self) -> dict[str, str]:
        """What a link says of it; defaults are left out. The names are this page's own: other pages have a task too."""
        usual = Filter()
        return {f"only_{name}": value for name, value in vars(self).items() if value != getattr(usual, name)}

    def as_code(self) -> str:
        """A condition on ``row`` in Python."""
        parts = [f"row.{name} == {getattr(self, name)!r}" for name in ("task", "rule") if getattr(self, name)]
        if self.status:
            parts.append('row.status != "planned"' if self.status == BEGUN else f"row.status == {self.status!r}")
        for word in self.text.lower().split():
            parts.append(
                f'{word!r} in f"{{row.key}} {{row.status}} {{row.task}} {{row.label}} seed={{row.seed}} {{row.error}}".lower()'
            )
        return " and ".join(parts) or "True"


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
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode()
