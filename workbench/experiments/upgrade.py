"""Results as earlier versions wrote them, read as this one names them.

Version 1 (no ``version`` in a set's measurements) called transport "budget", promised "q_estimate" and the bound of VGF's
theory "transport"; it knew neither own-way shift, nor occupancy, nor gain. Its shift is the same number as today's: jobs of
a store have always been measured at states of their dataset.
"""

from __future__ import annotations

from typing import Any

from workbench.engine.glossary import VERSION
from workbench.engine.words import SaidError

SETS = ("choose", "report")


def upgrade_result(result: dict[str, Any]) -> dict[str, Any]:
    """The content of a result.json with today's names; what was not measured is None. Nothing is changed in place.

    Raises
    ------
    SaidError
        A later version wrote it.
    """
    return result | {name: _upgrade(result[name]) for name in SETS if isinstance(result.get(name), dict)}


def version_of(result: dict[str, Any]) -> int:
    """The version that measured a result, also after `upgrade_result`."""
    report = result["report"]
    return int(report.get("measured_by", report.get("version", 1)))


def _upgrade(old: dict[str, Any]) -> dict[str, Any]:
    version = old.get("version", 1)
    if version == VERSION:
        return old
    if version != 1:
        raise SaidError(
            f"measurements of version {version} are of a later workbench, this one reads up to {VERSION}; use that one"
        )
    new = {
        name: value for name, value in old.items() if name not in ("budget", "q_estimate", "q_gap", "q_gap_interval")
    }
    return new | {
        "version": VERSION,
        "measured_by": 1,
        "transport": old.get("budget"),
        "promised": _mean(old.get("q_estimate")),
        "earned": _mean(_difference(old.get("q_estimate"), old.get("q_gap"))),
        "gap": old.get("q_gap_interval") or _mean(old.get("q_gap")),
        "mmd_bound": old.get("transport"),
        "gain": None,
        "own_shift": None,
        "occupancy": None,
        "states": {"from": "dataset", "count": 64},
    }


def _mean(value: object) -> dict[str, Any] | None:
    """A mean whose interval was not kept."""
    return None if value is None else {"mean": value, "low": None, "high": None}


def _difference(first: Any, second: Any) -> float | None:
    numbers = isinstance(first, (int, float)) and isinstance(second, (int, float))
    return first - second if numbers else None  # what is no number is found by who checks the record
