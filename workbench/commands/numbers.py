"""What was measured, as lines of text: every number by its name in the glossary, with unit and states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.engine.glossary import BEHAVIOUR, TERMS, numbers_of

WIDTH = max(len(term.head) for term in TERMS)


def in_words(measured: dict[str, Any]) -> Iterator[str]:
    """Lines of what `Evaluation.as_dict` gives: what was done, then the numbers, grouped by where they were measured."""
    for name in ("task", "rule", "settings", "episodes", "seed", "chunk"):
        if name in measured:
            yield f"{name:{WIDTH}}  {_plain(measured[name])}"
    if (measured.get("latency") or {}).get("delay"):
        yield f"{'latency':{WIDTH}}  {_plain(measured['latency'])}"
    numbers, where = numbers_of(measured), None
    for term in TERMS:
        if term.key not in numbers:
            continue
        if term.where != where:
            where = term.where
            yield f"-- {where}{_source(measured) if where == BEHAVIOUR else ''}" if where else "--"
        yield f"{term.head:{WIDTH}}  {number(numbers[term.key])}"
    for name, value in ((measured.get("coverage") or {}).get("shares") or {}).items():
        yield f"{'  ' + name:{WIDTH}}  {value:.3f}"
    if reason := (measured.get("mmd_bound") or {}).get("unproven"):
        yield f"the bound is not proven here: {reason}"
    missing = [
        term.label
        for term in TERMS
        if term.key in ("promised", "support.inside", "own_shift.w2") and term.key not in numbers
    ]
    if missing:
        yield f"not measured: {', '.join(missing)}"


def number(value: object) -> str:
    """A number with four digits, or a mean with its 95% interval where it was kept."""
    if isinstance(value, dict):
        span = "" if value["low"] is None else f"  [{value['low']:.3f}, {value['high']:.3f}]"
        return f"{value['mean']:.3f}{span}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _source(measured: dict[str, Any]) -> str:
    states = measured.get("states") or {}
    return f" (from the {states['from']})" if states.get("from") in ("dataset", "behaviour episodes") else ""


def _plain(value: object) -> str:
    return "  ".join(f"{name}={item}" for name, item in value.items()) if isinstance(value, dict) else str(value)
